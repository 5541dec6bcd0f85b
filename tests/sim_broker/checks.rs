//! What is refused or fails, and with which code.

use mlango::domain::outcome::ResultClass;
use mlango::soap::header::{HexCase, Namespace};
use mlango::soap::request::Caller;

use crate::support::{Receiver, caller, code, credential, message, settings, start};

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_refused_with_its_own_code_and_costs_nothing() {
    let receiver = Receiver::start(&[]).await;
    let good = message(&caller(&receiver.url), "600999_Org_1", "0111", 150);
    let with = |from: &str, to: &str| {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from}");
        changed
    };
    let without = |begin: &str, end: &str| {
        let from = good.find(begin).expect(begin);
        let to = from + good[from..].find(end).expect(end) + end.len();
        format!("{}{}", &good[..from], &good[to..])
    };
    let of_caller = |change: &dyn Fn(&mut Caller)| {
        let mut changed = caller(&receiver.url);
        change(&mut changed);
        message(&changed, "600999_Org_1", "0111", 150)
    };
    let table = [
        ("not XML", "hello".to_owned(), "100000005"),
        ("no envelope", "<a/>".to_owned(), "100000005"),
        ("no header", without("<tns:RequestSOAPHeader", "</tns:RequestSOAPHeader>"), "100000014"),
        ("no spPassword", without("<tns:spPassword>", "</tns:spPassword>"), "100000007"),
        ("no timeStamp", without("<tns:timeStamp>", "</tns:timeStamp>"), "100000007"),
        ("another timeStamp", with("20240102030405", "20240102030406"), "100000007"),
        ("wrong spPassword", of_caller(&|c| c.sp_password = "wrong".to_owned()), "100000007"),
        ("unknown spId", of_caller(&|c| c.sp_id = "100002".to_owned()), "100000007"),
        ("unknown serviceId", of_caller(&|c| c.service_id = "1".to_owned()), "100000008"),
        ("an element missing", without("<Timestamp>", "</Timestamp>"), "23"),
        ("elements out of order", with("<Remark>March commission</Remark>", "<Timestamp/>"), "23"),
        ("no such command", with("BusinessPayment", "GiveMoney"), "1002"),
        ("no command", with("BusinessPayment", ""), "1002"),
        ("not ours yet", with("BusinessPayment", "BusinessPayBill"), "1003"),
        ("no Amount", with("<Key>Amount</Key>", "<Key>Betrag</Key>"), "24"),
        ("empty Amount", with("<Value>150.00</Value>", "<Value></Value>"), "24"),
        ("a word for Amount", with("150.00", "many"), "25"),
        ("a negative Amount", with("150.00", "-150.00"), "25"),
        ("Amount with separators", with("150.00", "1,500.00"), "25"),
        ("no ResultURL", of_caller(&|c| c.result_url = String::new()), "100000014"),
        ("a ResultURL that is none", of_caller(&|c| c.result_url = "gw".to_owned()), "100000005"),
        ("no QueueTimeoutURL", with("<Key>QueueTimeoutURL</Key>", "<Key>X</Key>"), "100000014"),
        ("CallerType", with("<CallerType>2", "<CallerType>3"), "1001"),
        ("KeyOwner", with("<KeyOwner>1", "<KeyOwner>2"), "1004"),
        ("empty id", with("600999_Org_1", ""), "1005"),
    ];
    let sim = start(settings()).await;
    for (what, message, expected) in table {
        assert_eq!(code(&sim, &message).await, expected, "{what}");
    }
    assert_eq!(sim.payments(), 0);
    // No refusal spent the id: the same request, put right, is paid.
    assert_eq!(code(&sim, &good).await, "0");
    assert_eq!(receiver.settled(&sim).await.len(), 1);
    assert_eq!(sim.payments(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_core_finds_later_fails_in_the_result() {
    let sim = start(settings()).await;
    let table = [
        ("another initiator", "apiop", "other", "2001"),
        ("initiator of another organisation", "<ShortCode>600999", "<ShortCode>600998", "2001"),
        (
            "another payer",
            "<PrimaryParty><IdentifierType>4</IdentifierType><Identifier>600999",
            "<PrimaryParty><IdentifierType>4</IdentifierType><Identifier>600998",
            "6",
        ),
        (
            "a receiver that is no phone",
            "<ReceiverParty><IdentifierType>1",
            "<ReceiverParty><IdentifierType>4",
            "7",
        ),
        ("a phone that is none", "254722000111", "254822000111", "2051"),
        ("a phone with a plus", "254722000111", "+254722000111", "2051"),
        ("an amount finer than a cent", "150.00", "150.005", "2020"),
        ("too little", "150.00", "9.99", "2"),
        ("too much", "150.00", "250000.01", "3"),
        ("more than there is", "150.00", "100000.01", "1"),
    ];
    for (number, (what, from, to, expected)) in table.into_iter().enumerate() {
        let receiver = Receiver::start(&[]).await;
        let id = format!("600999_Org_{number}");
        let good = message(&caller(&receiver.url), &id, "0111", 150);
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{what}");
        assert_eq!(code(&sim, &changed).await, "0", "{what}");
        let results = receiver.settled(&sim).await;
        assert_eq!(results.len(), 1, "{what}");
        assert_eq!(results[0].facts.code, expected, "{what}");
        assert_eq!(results[0].facts.class(), ResultClass::NotPaid, "{what}");
        assert!(results[0].parameters.is_empty(), "{what}");
        assert_eq!(code(&sim, &good).await, "15", "{what}: the id is spent");
    }
    assert_eq!(sim.payments(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_credential_fails_and_the_third_locks_the_operator() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let right = caller(&receiver.url);
    let wrong = Caller { security_credential: credential("not it"), ..right.clone() };
    let garbled = Caller { security_credential: "no base64!".to_owned(), ..right.clone() };
    // A right one in between begins the count anew.
    let table = [
        (&right, "0"),
        (&wrong, "2001"),
        (&garbled, "2001"),
        (&right, "0"),
        (&wrong, "2001"),
        (&wrong, "2001"),
        (&wrong, "2001"),
        (&wrong, "8006"),
        (&right, "8006"),
    ];
    for (number, (caller, expected)) in table.into_iter().enumerate() {
        let message = message(caller, &format!("600999_Org_{number}"), "0111", 10);
        assert_eq!(code(&sim, &message).await, "0", "{number}");
        let results = receiver.settled(&sim).await;
        assert_eq!(results[number].facts.code, expected, "{number}");
    }
    assert_eq!(sim.payments(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_hex_cases_and_both_header_namespaces_are_taken() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let forms = [
        (Namespace::A, HexCase::Upper),
        (Namespace::A, HexCase::Lower),
        (Namespace::B, HexCase::Upper),
        (Namespace::B, HexCase::Lower),
    ];
    for (number, (namespace, hex_case)) in forms.into_iter().enumerate() {
        let caller = Caller { namespace, hex_case, ..caller(&receiver.url) };
        let message = message(&caller, &format!("600999_Org_{number}"), "0111", 10);
        assert_eq!(code(&sim, &message).await, "0", "{namespace:?} {hex_case:?}");
    }
}
