//! Which requests what a rule does can be done to. Pure.

use super::{Interface, Then};
use crate::sim::daraja::Api;
use crate::sim::daraja::faults::{Fault, Wrong};
use crate::sim::script::{Act, Behaviour, Results};

/// What is answered at once and told later.
const WITH_RESULT: &[Api] =
    &[Api::Stk, Api::B2c, Api::B2b, Api::Tax, Api::Status, Api::Balance, Api::Reversal, Api::C2b];

/// Over which interface, and which products; none: all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Reach {
    pub(super) interface: Option<Interface>,
    pub(super) apis: &'static [Api],
}

const EVERYWHERE: Reach = Reach { interface: None, apis: &[] };

const fn of_daraja(apis: &'static [Api]) -> Reach {
    Reach { interface: Some(Interface::Daraja), apis }
}

const fn of_both(apis: &'static [Api]) -> Reach {
    Reach { interface: None, apis }
}

/// Where a fault can be met.
pub(super) const fn of_fault(fault: &Fault) -> Reach {
    match fault {
        Fault::Before(Wrong::Locked) => of_daraja(&[Api::Stk]),
        Fault::Before(Wrong::Forbidden403 | Wrong::NoProduct401)
        | Fault::TokenRefused(_)
        | Fault::ResultObject
        | Fault::CodeAsString => of_daraja(&[]),
        Fault::ExpiresInNumber | Fault::TokenLife(_) => of_daraja(&[Api::OAuth]),
        Fault::Processing
        | Fault::ProcessingEnvelope(_)
        | Fault::UnknownId
        | Fault::EarlyCheckout => of_daraja(&[Api::StkQuery]),
        Fault::AlreadyRegistered | Fault::DuplicateNotification => of_daraja(&[Api::C2bRegister]),
        Fault::NoConfirmation | Fault::MaskedShort => of_both(&[Api::C2b]),
        Fault::Fail(_)
        | Fault::TimeoutNotice { .. }
        | Fault::Told(_)
        | Fault::Shuffle
        | Fault::NoParameters
        | Fault::NoBalanceValue
        | Fault::NoPhone
        | Fault::MaskedPhone
        | Fault::WrongAmount
        | Fault::WrongId => of_both(WITH_RESULT),
        Fault::Before(_)
        | Fault::After(_)
        | Fault::HangBefore
        | Fault::HangAfter
        | Fault::DropBefore
        | Fault::DropAfter => EVERYWHERE,
    }
}

/// Whether a behaviour is about what is told later, so that only what has a result can have it.
fn is_about_results(behaviour: &Behaviour) -> bool {
    let acts = matches!(behaviour.act, Act::Fail(_) | Act::Cache { .. });
    acts || behaviour.result != Results::Once || behaviour.result_delay.is_some()
}

/// Where all that a rule does can be done, where that is narrower than everywhere: first what
/// belongs to one product alone.
pub(super) fn of(then: &Then) -> Reach {
    let results = is_about_results(&then.behaviour).then_some(of_both(WITH_RESULT));
    let all: Vec<Reach> = then.faults.iter().map(of_fault).chain(results).collect();
    let narrow = all.iter().filter(|reach| !reach.apis.is_empty());
    let narrowest = narrow.min_by_key(|reach| reach.apis.len());
    Reach {
        interface: all.iter().find_map(|reach| reach.interface),
        apis: narrowest.map_or(&[], |reach| reach.apis),
    }
}
