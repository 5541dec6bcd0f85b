//! What becomes of everything that is done about one phone, in the order in which it is done.
//!
//! The caller chooses his own ids, and a careless one chooses a new id for each try; so what is to
//! become of the first, the second and the third try can be laid down only by whom they pay.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::script::Behaviour;
use crate::domain::party::Msisdn;

/// The most phones that may have a plan.
pub const PLANS_MAX: usize = 10_000;

/// What becomes of the payments to a phone, and of the questions about the first of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Of the first payment, the second and so on; those beyond are ordinary.
    pub payments: VecDeque<Behaviour>,
    /// Of the questions about the first payment, in order; those beyond are ordinary.
    pub questions: Vec<Behaviour>,
}

/// The plans that are laid down.
#[derive(Debug, Default)]
pub(super) struct Plans(Mutex<BTreeMap<Msisdn, Plan>>);

impl Plans {
    /// Lays one down, in place of the one before; whether there was room.
    pub(super) fn lay_down(&self, phone: Msisdn, plan: Plan) -> bool {
        let mut plans = self.plans();
        let has_room = plans.len() < PLANS_MAX || plans.contains_key(&phone);
        if has_room {
            plans.insert(phone, plan);
        }
        has_room
    }

    /// What becomes of the next payment to this phone, if it has a plan, and of the questions about
    /// that payment.
    pub(super) fn next(&self, phone: Option<Msisdn>) -> Option<(Behaviour, Vec<Behaviour>)> {
        let mut plans = self.plans();
        let plan = plans.get_mut(&phone?)?;
        let payment = plan.payments.pop_front().unwrap_or(Behaviour::ORDINARY);
        Some((payment, std::mem::take(&mut plan.questions)))
    }

    fn plans(&self) -> MutexGuard<'_, BTreeMap<Msisdn, Plan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::script::{Act, Answer};

    #[test]
    fn tries_are_planned_in_order_and_what_comes_after_is_ordinary() {
        let phone = |text: &str| text.parse::<Msisdn>().ok();
        let first = Behaviour { answer: Answer::Drop, ..Behaviour::ORDINARY };
        let second = Behaviour { act: Act::Forget, ..Behaviour::ORDINARY };
        let plan = Plan {
            payments: [first.clone(), second.clone()].into(),
            questions: vec![second.clone()],
        };
        let plans = Plans::default();
        assert!(plans.lay_down(phone("254709001001").expect("a phone"), plan));
        let table = [
            ("254709001002", None),
            ("254709001001", Some((first, vec![second.clone()]))),
            ("254709001001", Some((second, Vec::new()))),
            ("254709001001", Some((Behaviour::ORDINARY, Vec::new()))),
        ];
        for (number, (paid, expected)) in table.into_iter().enumerate() {
            assert_eq!(plans.next(phone(paid)), expected, "{number}");
        }
        assert_eq!(plans.next(None), None);
    }
}
