//! Liveness: from every state that can be reached, once nothing fails any more, the payout settles.
//!
//! From each state one course of events is followed, in which everybody does what he should, until
//! the payout is final or a person was called about it. There are several such courses, by what
//! M-Pesa makes of the payment and which of its messages had been lost before.

use crate::facts::{Answer, Told, Word};
use crate::graph::{Common, Graph, Node, SETTLES, called, index};
use crate::local::{Label, Local, Send};

/// A way in which things go well from now on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Course {
    /// Whether M-Pesa pays, or declines.
    pays: bool,
    /// Whether its results are delivered; if not, only questions help.
    results: bool,
    /// Whether requests arrive.
    arrives: bool,
    /// Whether the broker passes on what it holds, or gives up on it and says so.
    passes: bool,
}

/// The courses that are followed.
const COURSES: [Course; 7] = [
    Course { pays: true, results: true, arrives: true, passes: true },
    Course { pays: true, results: false, arrives: true, passes: true },
    Course { pays: false, results: true, arrives: true, passes: true },
    Course { pays: false, results: false, arrives: true, passes: true },
    Course { pays: true, results: false, arrives: false, passes: true },
    Course { pays: true, results: true, arrives: false, passes: false },
    Course { pays: true, results: false, arrives: true, passes: false },
];

/// More steps than any course takes.
const STEPS_MAX: usize = 500;

pub(crate) struct Settling<'a> {
    graph: &'a mut Graph,
}

impl<'a> Settling<'a> {
    pub(crate) const fn of(graph: &'a mut Graph) -> Self {
        Self { graph }
    }

    /// Marks every state that settles on every course.
    pub(crate) fn mark(&mut self, is_inside: &[bool]) {
        let mut settles = vec![true; is_inside.len()];
        for course in COURSES {
            let mut known = vec![None; self.graph.locals.len()];
            for (place, settles) in settles.iter_mut().enumerate() {
                if is_inside[place] {
                    *settles &= self.follow(place, course, &mut known);
                }
            }
        }
        for (place, settles) in settles.into_iter().enumerate() {
            self.graph.marks[place] |= u32::from(settles) << SETTLES;
        }
    }

    /// Whether the course from this state ends as it should. A course that meets itself never does.
    fn follow(&mut self, from: usize, course: Course, known: &mut Vec<Option<bool>>) -> bool {
        let mut met = vec![];
        let mut at = from;
        let ends = loop {
            if let Some(ends) = known.get(at).copied().flatten() {
                break ends;
            }
            let local = &self.graph.locals[at];
            let is_broken = !self.graph.is_sound(at);
            if is_broken || self.is_settled(local) {
                break true;
            }
            if met.len() > STEPS_MAX {
                break false;
            }
            met.push(at);
            known.resize(self.graph.locals.len().max(at + 1), None);
            known[at] = Some(false);
            at = self.next(at, course);
        };
        for place in met {
            known[place] = Some(ends);
        }
        ends
    }

    fn is_settled(&self, local: &Local) -> bool {
        local.status().is_final() || called(local).is_some()
    }

    /// The next state on a course: the most pressing thing that goes well, or else time passes.
    pub(crate) fn next(&mut self, at: usize, course: Course) -> usize {
        let local = self.graph.locals[at].clone();
        let Node { edges, common } = self.graph.node(u32::try_from(at).expect("a state")).clone();
        let pressing =
            edges.iter().filter_map(|edge| Some((course.rank(edge.label, &local)?, edge.to))).min();
        let tick = Common::ALL.iter().position(|it| *it == Common::Tick).expect("a tick");
        index(pressing.map_or(common[tick], |(_rank, to)| to))
    }
}

impl Course {
    /// How pressing a move is on this course; `None` when it does not belong to it.
    fn rank(self, label: Label, local: &Local) -> Option<u8> {
        let waits = matches!(local.send, Send::OnTheWire(_));
        let rank = match label {
            Label::WriteOutcome { told: true } => 0,
            Label::Transmit | Label::QuestionLeaves => 2,
            Label::Arrive { taken: true, answer: Some(Answer::Taken) }
            | Label::Arrive { taken: false, answer: Some(Answer::Duplicate) }
                if self.arrives =>
            {
                3
            }
            Label::Arrive { answer: None, .. } if self.arrives && !waits => 3,
            Label::AnswerLost if waits && !self.arrives => 4,
            Label::PassOn if self.passes => 5,
            Label::GiveUp if !self.passes => 5,
            Label::Pay if self.pays => 6,
            Label::Decline if !self.pays => 6,
            Label::Hear(Word::Paid | Word::NotPaid | Word::QueueTimeout) if self.results => 7,
            Label::LookUp => 8,
            Label::Told(Told::Completed | Told::Declined | Told::NotFound, _) => 9,
            Label::Overdue | Label::Lapse | Label::Begin { told: true } => 10,
            Label::Ask { told: true } => 11,
            Label::AnswerLost if waits && local.requests.is_empty() => 12,
            Label::Begin { told: false }
            | Label::Cancel
            | Label::NothingLeaves
            | Label::AnswerLost
            | Label::WriteOutcome { told: false }
            | Label::ForgetOutcome
            | Label::Resume
            | Label::AskWanted
            | Label::Ask { told: false }
            | Label::QuestionDoesNotLeave
            | Label::Arrive { .. }
            | Label::Hold { .. }
            | Label::PassOn
            | Label::GiveUp
            | Label::Pay
            | Label::Decline
            | Label::Forgotten
            | Label::TurnedAway(_)
            | Label::Hear(_)
            | Label::Told(..) => return None,
        };
        Some(rank)
    }
}
