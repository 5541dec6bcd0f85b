//! All that can become of one payout, as a graph: each state once, with its moves and with what is
//! true of it. The joint model walks on it, so that `step` runs once per state and event.

use std::collections::HashMap;
use std::time::Duration;

use mlango::domain::payout::{CaseKind, Doubt, FOUND_BY_NAME, MISSED_BY_NAME, State, Status};

use crate::facts::{NOW, TICK};
use crate::local::{Gate, Label, Local, Mpesa, Send, Setting, Wrong};
use crate::settle::Settling;

/// What happens to all payouts at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Common {
    Tick,
    /// Fourteen days pass.
    Leap,
    /// Fifteen days pass.
    LongLeap,
    Crash,
}

impl Common {
    pub(crate) const ALL: [Self; 4] = [Self::Tick, Self::Leap, Self::LongLeap, Self::Crash];

    fn of(self, local: &Local, setting: &Setting) -> Local {
        let mpesa = &setting.mpesa;
        let leap = |by: Duration| local.pass(mpesa, u8::MAX, NOW.after(by));
        match self {
            Self::Tick => local.pass(mpesa, 1, NOW.after(TICK)),
            Self::Leap if setting.faults.leaps => leap(MISSED_BY_NAME),
            Self::LongLeap if setting.faults.leaps => leap(FOUND_BY_NAME),
            Self::Leap | Self::LongLeap => local.clone(),
            Self::Crash => local.crash(mpesa),
        }
    }
}

/// A move to another state.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) to: u32,
    pub(crate) label: Label,
    pub(crate) gate: Gate,
    pub(crate) is_beyond: bool,
}

/// A state's place in the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    pub(crate) edges: Vec<Edge>,
    pub(crate) common: [u32; 4],
}

/// What is true of a state, a bit each.
pub(crate) type Marks = u32;

/// A name, and whether it is so of a state with this M-Pesa.
type Must = (&'static str, fn(&Local, &Mpesa) -> bool);
/// A name, and whether a state is one of those.
type Reached = (&'static str, fn(&Local) -> bool);

/// What must be true of every state.
pub(crate) const MUST: [Must; 6] = [
    ("at most one debit", |local, _| local.debits() <= 1),
    ("succeeded is paid", |local, _| local.status() != Status::Succeeded || local.debits() > 0),
    ("failed is not paid and never will be", |local, mpesa| {
        local.status() != Status::Failed || is_unpaid_for_ever(local, mpesa)
    }),
    ("cancelled is not paid and never will be", |local, mpesa| {
        local.status() != Status::Cancelled || is_unpaid_for_ever(local, mpesa)
    }),
    ("final stays final", |local, _| local.wrong != Some(Wrong::Final)),
    ("every step keeps every law", |local, _| !matches!(local.wrong, Some(Wrong::Law(_)))),
];

/// The bit of "once the faults stop, it settles".
pub(crate) const SETTLES: usize = MUST.len();
pub(crate) const SETTLES_NAME: &str = "once the faults stop, everything settles";

/// What must be reached, so that the model is known to have gone there.
pub(crate) const REACHED: [Reached; 21] = [
    ("queued", |local| local.status() == Status::Queued),
    ("sending", |local| local.status() == Status::Sending),
    ("accepted", |local| local.status() == Status::Accepted),
    ("unknown", |local| local.status() == Status::Unknown),
    ("succeeded", |local| local.status() == Status::Succeeded),
    ("failed", |local| local.status() == Status::Failed),
    ("cancelled", |local| local.status() == Status::Cancelled),
    ("no answer", |local| doubts(local, |why| *why == Doubt::NoAnswer)),
    ("a doubtful answer", |local| doubts(local, |why| matches!(why, Doubt::Answer { .. }))),
    ("held by the broker", |local| doubts(local, |why| *why == Doubt::Cached)),
    ("given up by the broker", |local| doubts(local, |why| *why == Doubt::QueueTimeout)),
    ("a duplicate id", |local| doubts(local, |why| *why == Doubt::Duplicate)),
    ("an overdue result", |local| doubts(local, |why| *why == Doubt::ResultOverdue)),
    ("asked early", |local| doubts(local, |why| *why == Doubt::AskedEarly)),
    ("a doubtful result", |local| doubts(local, |why| matches!(why, Doubt::Result { .. }))),
    ("a lapsed lease", |local| doubts(local, |why| *why == Doubt::LeaseLapsed)),
    ("a mismatch", |local| doubts(local, |why| matches!(why, Doubt::Mismatch { .. }))),
    ("a person called after the last interval", |local| {
        called(local) == Some(CaseKind::StillUnknown)
    }),
    (
        "not found: sent again",
        |local| matches!(&local.state, State::Sending { tries, .. } if tries.not_found > 0),
    ),
    (
        "not found: failed",
        |local| matches!(&local.state, State::Failed { failure, .. } if failure.code == "not_found"),
    ),
    ("not found: a person called", |local| called(local) == Some(CaseKind::NotFound)),
];

fn is_unpaid_for_ever(local: &Local, mpesa: &Mpesa) -> bool {
    local.debits() == 0 && !local.may_still_pay(mpesa) && !matches!(local.send, Send::Begun(_))
}

fn doubts(local: &Local, which: fn(&Doubt) -> bool) -> bool {
    matches!(&local.state, State::Unknown { why, .. } if which(why))
}

/// Why a person was called about a payout in doubt.
pub(crate) const fn called(local: &Local) -> Option<CaseKind> {
    match &local.state {
        State::Unknown { inquiry, .. } => inquiry.called,
        _ => None,
    }
}

/// The graph.
pub(crate) struct Graph {
    pub(crate) setting: Setting,
    pub(crate) locals: Vec<Local>,
    pub(crate) nodes: Vec<Option<Node>>,
    pub(crate) marks: Vec<Marks>,
    ids: HashMap<Local, u32>,
    /// Which states the runs can reach; the others were met only in finding out whether everything
    /// settles.
    is_inside: Vec<bool>,
    /// How many those are.
    pub(crate) inside: usize,
}

impl Graph {
    /// Everything that can become of a payout. Whether it settles is looked at if that is wanted.
    pub(crate) fn of(setting: Setting, live: bool) -> Self {
        let ids = HashMap::new();
        let mut graph = Self {
            setting,
            locals: vec![],
            nodes: vec![],
            marks: vec![],
            ids,
            is_inside: vec![],
            inside: 0,
        };
        let mut ahead = vec![graph.id(Local::new())];
        let mut is_inside = vec![true];
        while let Some(id) = ahead.pop() {
            let node = graph.node(id).clone();
            let bounded = node.edges.iter().filter(|edge| !edge.is_beyond);
            let next = bounded.map(|edge| edge.to).chain(node.common);
            is_inside.resize(graph.locals.len(), false);
            for to in next {
                let known = &mut is_inside[index(to)];
                if !*known {
                    *known = true;
                    ahead.push(to);
                }
            }
        }
        graph.inside = is_inside.iter().filter(|inside| **inside).count();
        if live {
            Settling::of(&mut graph).mark(&is_inside);
        }
        graph.is_inside = is_inside;
        graph
    }

    pub(crate) fn id(&mut self, local: Local) -> u32 {
        if let Some(id) = self.ids.get(&local) {
            return *id;
        }
        let id = u32::try_from(self.locals.len()).expect("fewer states");
        let mut marks = 0;
        for (bit, (_name, holds)) in MUST.iter().enumerate() {
            marks |= u32::from(holds(&local, &self.setting.mpesa)) << bit;
        }
        for (at, (_name, holds)) in REACHED.iter().enumerate() {
            marks |= u32::from(holds(&local)) << (SETTLES + 1 + at);
        }
        self.ids.insert(local.clone(), id);
        self.locals.push(local);
        self.nodes.push(None);
        self.marks.push(marks);
        id
    }

    /// A state's moves.
    pub(crate) fn node(&mut self, id: u32) -> &Node {
        if self.nodes[index(id)].is_none() {
            let local = self.locals[index(id)].clone();
            // Where something is broken already, that is enough.
            let is_sound = self.is_sound(index(id));
            let moves = if is_sound { self.setting.moves(&local) } else { vec![] };
            let edges = moves
                .into_iter()
                .map(|it| {
                    let to = self.id(it.to);
                    Edge { to, label: it.label, gate: it.gate, is_beyond: it.is_beyond }
                })
                .collect();
            let common = Common::ALL.map(|common| {
                let stays = !is_sound;
                if stays { id } else { self.id(common.of(&local, &self.setting)) }
            });
            self.nodes[index(id)] = Some(Node { edges, common });
        }
        self.nodes[index(id)].as_ref().expect("just made")
    }

    /// Each state that the runs can reach, with what is true of it.
    pub(crate) fn inside(&self) -> impl Iterator<Item = (&Local, Marks)> {
        let marked = self.locals.iter().zip(&self.marks);
        marked
            .zip(&self.is_inside)
            .filter(|(_, inside)| **inside)
            .map(|((it, marks), _)| (it, *marks))
    }

    /// Whether everything is true that must be, but for settling.
    pub(crate) fn is_sound(&self, place: usize) -> bool {
        (0..MUST.len()).all(|bit| self.marks[place] & (1 << bit) != 0)
    }

    /// Whether a bit is set.
    pub(crate) fn is(&self, id: u32, bit: usize) -> bool {
        self.marks[index(id)] & (1 << bit) != 0
    }
}

pub(crate) fn index(id: u32) -> usize {
    usize::try_from(id).expect("a place")
}
