//! What each answer means for a payout, and whether it was paid: what is taken for "not taken" was
//! never paid.

use mlango::domain::outcome::AnswerClass::{self, Doubt, Refused, TryLater};
use mlango::engine::port::Outcome;

use crate::support::{House, payout};

#[tokio::test]
async fn no_answer_that_leaves_a_payout_open_is_taken_for_a_refusal() {
    let table: [(&str, &str, AnswerClass, bool); 23] = [
        ("http_500_before", "500.003.1001", Doubt, false),
        ("http_500_after", "500.003.1001", Doubt, true),
        ("http_502_before", "http.502", Doubt, false),
        ("http_502_after", "http.502", Doubt, true),
        ("http_503_after", "http.503", Doubt, true),
        ("http_504_after", "http.504", Doubt, true),
        ("429", "http.429.spike_arrest", TryLater, false),
        ("spike", "500.003.02:spike_arrest", TryLater, false),
        ("busy", "500.003.02:busy", TryLater, false),
        ("quota", "500.003.03", TryLater, false),
        ("maintenance", "00.002.1001", TryLater, false),
        ("waf", "http.403.firewall", TryLater, false),
        ("waf_503", "http.503.firewall", Doubt, false),
        ("apigee", "http.401.no_product", Refused, false),
        ("soap_fault", "soap_fault:409", Refused, false),
        ("empty", "http.400", Doubt, false),
        ("empty_after", "empty", Doubt, true),
        ("page_after", "unreadable", Doubt, true),
        ("not_json_after", "unreadable", Doubt, true),
        ("system_before", "500.002.1001:internal", Doubt, false),
        ("system_after", "500.002.1001:internal", Doubt, true),
        ("internal_before", "500.001.1001", Doubt, false),
        ("forbidden", "403.002.1001", Refused, false),
    ];
    let house = House::new().await;
    for (number, (fault, code, class, is_paid)) in table.into_iter().enumerate() {
        // The app has not got the product: a fresh token does not help either.
        house.fault("b2c", fault, if fault == "apigee" { 2 } else { 1 });
        let payout = payout(u8::try_from(number).expect("few") + 1);
        let sent = house.pay(&payout).await;
        let Outcome::Answered(facts) = sent.outcome else { panic!("{fault}: {:?}", sent.outcome) };
        assert_eq!((facts.code.as_str(), facts.class()), (code, class), "{fault}");
        assert!(!facts.description.is_empty() || fault == "empty_after", "{fault}");
        let name = payout.details.originator_conversation_id.as_str();
        assert_eq!(house.sim.paid(name).is_some(), is_paid, "{fault}");
        assert!(class == Doubt || !is_paid, "{fault}: what is not doubt was not paid");
    }
}
