//! What can happen to one payout: what the gateway does, what the network does, what M-Pesa does.
//!
//! Nothing has to happen: a message that is never delivered is a lost one. Results and answers to
//! questions may be delivered whenever they are true, again and again, and at any time later.

use mlango::domain::payout::{AskBy, Event, State, Status};
use mlango::domain::retry;

use crate::canon::{EARLIER, LAST};
use crate::facts::{self, Answer, HELD, NOW, ON_THE_WAY, Told, Word};
use crate::local::{
    Ask, Gate, Gateway, Job, Label, Local, Move, Outcome, Request, Send, Setting, TurnedAway,
};

/// Every move from a state.
struct Moves<'a> {
    setting: &'a Setting,
    from: &'a Local,
    found: Vec<Move>,
}

impl Setting {
    /// Everything that can happen next, but for what happens to all payouts at once: the passing
    /// of time, and crashes.
    pub(crate) fn moves(&self, from: &Local) -> Vec<Move> {
        let mut moves = Moves { setting: self, from, found: vec![] };
        moves.of_a_send();
        moves.of_timers();
        moves.of_a_question();
        moves.of_requests();
        moves.of_mpesa();
        moves.of_messages();
        moves.found.retain(|it| it.to != *from);
        moves.found
    }
}

impl Moves<'_> {
    fn add(&mut self, label: Label, gate: Gate, to: Local) {
        self.found.push(Move { label, gate, is_beyond: false, to });
    }

    /// An event that is heard: it stops the rail or does not.
    fn hear(&mut self, label: Label, event: &Event) {
        let (to, stops) = self.setting.apply(self.from, event);
        self.add(label, if stops { Gate::Stop } else { Gate::Nothing }, to);
    }

    // -------------------------------------------------------------------- the gateway's worker

    fn of_a_send(&mut self) {
        let from = self.from;
        let faults = self.setting.faults;
        match from.send {
            Send::Idle => self.begin(),
            Send::Begun(attempt) => {
                let mut to = from.clone();
                to.send = Send::OnTheWire(attempt);
                to.requests.push(Request { awaited: true, ticks: self.setting.mpesa.on_the_way });
                to.requests.sort_unstable();
                self.add(Label::Transmit, Gate::MustBeOpen, to);
                let mut to = from.clone();
                to.send = Send::Over(attempt, Outcome::NothingSent);
                let gate = if faults.dead_link { Gate::Nothing } else { Gate::MustBeShut };
                self.add(Label::NothingLeaves, gate, to);
            }
            Send::OnTheWire(attempt) => {
                let mut to = from.clone();
                to.hang_up(&self.setting.mpesa);
                to.send = Send::Over(attempt, Outcome::NoAnswer);
                self.add(Label::AnswerLost, Gate::Nothing, to);
            }
            Send::Over(attempt, outcome) => self.write(attempt, outcome),
        }
    }

    fn begin(&mut self) {
        let State::Queued { not_before, tries } = &self.from.state else {
            return;
        };
        if !retry::is_due(*not_before, NOW) {
            return;
        }
        let is_beyond = tries.attempts >= self.setting.attempts;
        let (mut begun, _) =
            self.setting.apply(self.from, &Event::SendStarted { lease: Local::lease() });
        if begun.state == self.from.state {
            return;
        }
        if !self.setting.mpesa.gives_up_late {
            begun.gave_up = false;
        }
        let attempt = begun.state.attempts();
        let (label, gate) = (Label::Begin { told: true }, Gate::MustBeOpen);
        let mut to = begun.clone();
        to.send = Send::Begun(attempt);
        self.found.push(Move { label, gate, is_beyond, to });
        let label = Label::Begin { told: false };
        if self.setting.gateway == Gateway::SendsUnwritten {
            // The other way round: not written, and sent all the same.
            let mut to = self.from.clone();
            to.send = Send::Begun(attempt);
            let is_beyond = to.requests.len() + to.jobs.len() > 1;
            self.found.push(Move { label, gate, is_beyond, to });
        } else if self.setting.faults.broken_commits {
            self.found.push(Move { label, gate, is_beyond, to: begun });
        }
    }

    fn write(&mut self, attempt: u32, outcome: Outcome) {
        let (mut to, stops) = self.setting.apply(self.from, &outcome.event(attempt));
        let gate = if stops { Gate::Stop } else { Gate::Nothing };
        if self.setting.faults.broken_commits {
            self.add(Label::WriteOutcome { told: false }, gate, to.clone());
        }
        to.send = Send::Idle;
        self.add(Label::WriteOutcome { told: true }, gate, to);
        if self.setting.faults.lost_outcomes {
            let mut to = self.from.clone();
            to.hang_up(&self.setting.mpesa);
            to.send = Send::Idle;
            self.add(Label::ForgetOutcome, Gate::Nothing, to);
        }
    }

    // ------------------------------------------------------------ the gateway's timers, people

    fn of_timers(&mut self) {
        let from = self.from;
        match &from.state {
            State::Queued { .. } if self.setting.faults.people => {
                self.hear(Label::Cancel, &Event::CancelAsked);
            }
            State::Sending { lease, tries } => {
                let is_earlier = lease.owner != facts::this_run();
                if is_earlier || (lease.until <= NOW && from.send == Send::Idle) {
                    self.hear(Label::Lapse, &Event::LeaseLapsed { lease: *lease });
                }
                if self.setting.gateway == Gateway::ResumesSends
                    && is_earlier
                    && from.send == Send::Idle
                {
                    let mut to = from.clone();
                    to.send = Send::Begun(tries.attempts);
                    let is_beyond = to.requests.len() + to.jobs.len() > 1;
                    let (label, gate) = (Label::Resume, Gate::MustBeOpen);
                    self.found.push(Move { label, gate, is_beyond, to });
                }
            }
            State::Accepted { overdue_at, .. } => {
                if *overdue_at <= NOW {
                    self.hear(Label::Overdue, &Event::ResultOverdue);
                }
                if self.setting.faults.people {
                    self.hear(Label::AskWanted, &Event::AskWanted);
                }
            }
            State::Unknown { .. } if self.setting.faults.people => {
                self.hear(Label::AskWanted, &Event::AskWanted);
            }
            _ => {}
        }
    }

    // ------------------------------------------------------------------ the gateway's inquirer

    fn of_a_question(&mut self) {
        let from = self.from;
        match from.ask {
            Ask::Idle => self.ask(),
            Ask::Begun => {
                let mut to = from.clone();
                to.ask = Ask::Idle;
                to.question = true;
                self.add(Label::QuestionLeaves, Gate::MustBeOpen, to);
                let loses = self.setting.faults.failing_questions;
                let gate = if loses { Gate::Nothing } else { Gate::MustBeShut };
                let (mut to, _) = self.setting.apply(from, &TurnedAway::NotSent.event(LAST));
                to.ask = Ask::Idle;
                self.add(Label::QuestionDoesNotLeave, gate, to);
            }
        }
    }

    fn ask(&mut self) {
        let from = self.from;
        let State::Unknown { inquiry, .. } = &from.state else {
            return;
        };
        if !retry::is_ask_due(inquiry.ask_at, NOW) {
            return;
        }
        // Too old to be found by its name: nobody is asked, and a person is called.
        if from.asks_by(&self.setting.policy).is_none() {
            let (to, _) = self.setting.apply(from, &Event::InquirySent);
            if to.state != from.state {
                self.add(Label::Ask { told: true }, Gate::MustBeOpen, to);
            }
            return;
        }
        // What was the last question is an earlier one now.
        let mut overtaken = from.clone();
        overtaken.overtake();
        let (mut to, _) = self.setting.apply(&overtaken, &Event::InquirySent);
        if to.state == from.state {
            return;
        }
        if self.setting.faults.broken_commits {
            self.add(Label::Ask { told: false }, Gate::MustBeOpen, to.clone());
        }
        to.ask = Ask::Begun;
        self.add(Label::Ask { told: true }, Gate::MustBeOpen, to);
    }

    // ---------------------------------------------------------------------- requests that arrive

    fn of_requests(&mut self) {
        for place in 0..self.from.requests.len() {
            let request = self.from.requests[place];
            let mut arrived = self.from.clone();
            arrived.requests.remove(place);
            let copies = self.setting.mpesa.knows_copies && !arrived.jobs.is_empty();
            if copies {
                self.arrive(&arrived, request, false, &[Answer::Duplicate]);
                continue;
            }
            self.arrive(&arrived, request, true, &[Answer::Taken]);
            self.arrive(&arrived, request, false, &[Answer::Busy, Answer::Refused]);
            if self.setting.faults.credentials {
                self.arrive(&arrived, request, false, &[Answer::Credential]);
                self.arrive(&arrived, request, true, &[Answer::Operator]);
                self.arrive(&arrived, request, false, &[Answer::Operator]);
            }
            if self.setting.faults.doubtful_answers {
                self.arrive(&arrived, request, true, &[Answer::Doubtful]);
                self.arrive(&arrived, request, false, &[Answer::Doubtful]);
                if self.setting.mpesa.knows_copies {
                    // The network sent it twice, and the second answer came first.
                    self.arrive(&arrived, request, true, &[Answer::Duplicate]);
                }
            }
            if self.setting.faults.holding {
                self.hold(&arrived, request);
            }
        }
    }

    /// Each of these answers is given, or lost.
    fn arrive(&mut self, arrived: &Local, request: Request, taken: bool, answers: &[Answer]) {
        let mut done = arrived.clone();
        if taken {
            done.jobs.push(Job::InHand);
            done.jobs.sort_unstable();
        }
        for answer in answers {
            if request.awaited
                && let Send::OnTheWire(attempt) = done.send
            {
                let mut to = done.clone();
                to.send = Send::Over(attempt, Outcome::Answered(*answer));
                let wrong = matches!(answer, Answer::Credential | Answer::Operator);
                let gate = if wrong { Gate::Heed } else { Gate::Nothing };
                self.add(Label::Arrive { taken, answer: Some(*answer) }, gate, to);
            }
        }
        if taken || !request.awaited {
            self.add(Label::Arrive { taken, answer: None }, Gate::Nothing, done);
        }
    }

    fn hold(&mut self, arrived: &Local, request: Request) {
        if request.awaited
            && let Send::OnTheWire(attempt) = arrived.send
        {
            let mut to = arrived.clone();
            to.held.push(HELD);
            to.held.sort_unstable();
            to.send = Send::Over(attempt, Outcome::Answered(Answer::Cached));
            self.add(Label::Hold { lost: false }, Gate::Nothing, to);
        }
        let mut to = arrived.clone();
        let silent = if self.setting.mpesa.holds_in_silence { HELD } else { request.ticks };
        to.held.push(silent);
        to.held.sort_unstable();
        self.add(Label::Hold { lost: true }, Gate::Nothing, to);
    }

    // ---------------------------------------------------------------------------------- M-Pesa

    fn of_mpesa(&mut self) {
        let from = self.from;
        for place in 0..from.held.len() {
            let mut to = from.clone();
            to.held.remove(place);
            let mut passed = to.clone();
            if passed.jobs.is_empty() || !self.setting.mpesa.knows_copies {
                passed.jobs.push(Job::InHand);
                passed.jobs.sort_unstable();
            }
            self.add(Label::PassOn, Gate::Nothing, passed);
            to.gave_up = true;
            self.add(Label::GiveUp, Gate::Nothing, to);
        }
        if let Some(place) = from.jobs.iter().position(|job| *job == Job::InHand) {
            for (label, job) in [(Label::Pay, Job::Paid), (Label::Decline, Job::NotPaid)] {
                let mut to = from.clone();
                to.jobs[place] = job;
                to.jobs.sort_unstable();
                self.add(label, Gate::Nothing, to);
            }
        }
        if from.question {
            let mut to = from.clone();
            to.heard = true;
            to.absent |= from.jobs.is_empty();
            self.add(Label::LookUp, Gate::Nothing, to);
            if self.very_old() {
                let mut to = from.clone();
                to.absent = true;
                self.add(Label::Forgotten, Gate::Nothing, to);
            }
        }
        if self.setting.faults.failing_questions {
            self.turn_questions_away();
        }
    }

    /// M-Pesa, or the broker, has not got the last question; or it says so of an earlier one.
    fn turn_questions_away(&mut self) {
        let from = self.from;
        let credential = self.setting.faults.credentials.then_some(TurnedAway::Credential);
        for why in [TurnedAway::NotSent, TurnedAway::Busy].into_iter().chain(credential) {
            if from.question {
                let (mut to, stops) = self.setting.apply(from, &why.event(LAST));
                to.question = false;
                let gate = if stops { Gate::Stop } else { Gate::Nothing };
                self.add(Label::TurnedAway(why), gate, to);
            }
            if from.has_earlier_question() {
                self.hear(Label::TurnedAway(why), &why.event(EARLIER));
            }
        }
    }

    /// Whether M-Pesa may have forgotten the payment: after fifteen days.
    fn very_old(&self) -> bool {
        self.from.status() == Status::Unknown
            && self.from.asks_by(&self.setting.policy) != Some(AskBy::Name)
    }

    // ------------------------------------------------------------------- messages that are heard

    fn of_messages(&mut self) {
        let from = self.from;
        let faults = self.setting.faults;
        let paid = from.jobs.contains(&Job::Paid);
        let not_paid = from.jobs.contains(&Job::NotPaid);
        let known = !from.jobs.is_empty();
        let odd = faults.doubtful_results && known;
        let words = [
            (paid, Word::Paid),
            (not_paid, Word::NotPaid),
            (not_paid && faults.credentials, Word::NotPaidCredential),
            (paid && faults.mix_ups, Word::PaidOddly),
            (odd, Word::Internal),
            (odd && self.setting.mpesa.knows_copies, Word::Again),
            (odd, Word::Waiting),
            (from.gave_up, Word::QueueTimeout),
        ];
        for (is_true, word) in words {
            if is_true {
                let event = facts::result(word).map_or(Event::QueueTimedOut, Event::ResultArrived);
                self.hear(Label::Hear(word), &event);
            }
        }
        let last = from.heard;
        let earlier = from.has_earlier_question();
        let asked = last || earlier;
        let fails = faults.failing_questions;
        let answers = [
            (asked && paid, Told::Completed, EARLIER),
            (asked && not_paid, Told::Declined, EARLIER),
            (last && paid, Told::CompletedUnnamed, LAST),
            (last && not_paid, Told::DeclinedUnnamed, LAST),
            (last && faults.mix_ups, Told::OtherCompleted, LAST),
            (last && faults.mix_ups, Told::OtherDeclined, LAST),
            (from.absent, Told::NotFound, LAST),
            (earlier, Told::NotFound, EARLIER),
            (last && fails, Told::QueryFailed, LAST),
            (last && fails && faults.credentials, Told::QueryRefused, LAST),
        ];
        for (is_true, told, nth) in answers {
            if is_true {
                self.hear(
                    Label::Told(told, nth),
                    &Event::InquiryAnswered(facts::status(told, nth)),
                );
            }
        }
    }
}

impl TurnedAway {
    fn event(self, nth: u32) -> Event {
        match self {
            Self::NotSent => Event::InquiryNotSent { nth, why: None },
            Self::Busy => Event::InquiryReplied { nth, answer: Answer::Busy.facts() },
            Self::Credential => Event::InquiryReplied { nth, answer: Answer::Credential.facts() },
        }
    }
}

const _: () = assert!(ON_THE_WAY < HELD, "a held request is longer on its way than another");
