//! `AccountBalance` and `TransactionReversal`: what the accounts hold, and money given back once.

use mlango::domain::money::Amount;
use mlango::sim::Running;
use mlango::sim::book::Till;
use mlango::sim::customer::Bill;
use mlango::soap::operation::{Kind, Operation};
use mlango::soap::request::Caller;
use mlango::soap::result::ResultMessage;

use crate::support::{
    NOW, Receiver, caller, code, credential, message, parameter, settings, start,
};

fn operation(caller: &Caller, id: &str, kind: Kind<'_>) -> String {
    let operation =
        Operation { caller, originator_conversation_id: id, kind, remarks: "Paid twice", at: NOW };
    String::from_utf8(operation.render().wire).unwrap()
}

/// The result of a request that is taken.
async fn result(sim: &Running, receiver: &Receiver, id: &str, message: &str) -> ResultMessage {
    assert_eq!(code(sim, message).await, "0", "{id}");
    let all = receiver.settled(sim).await;
    let is_its = |it: &&ResultMessage| it.originator_conversation_id.as_deref() == Some(id);
    all.iter().find(is_its).expect("a result").clone()
}

/// What a customer pays to the organisation; answers the receipt.
async fn paid(sim: &Running, shillings: u64) -> String {
    let bill = Bill {
        shortcode: "600999".parse().unwrap(),
        phone: "254733123458".parse().unwrap(),
        amount: Amount::from_shillings(shillings),
        account: "INV-9".to_owned(),
        till: Till::PayBill,
        names: vec![],
        form: None,
    };
    let outcome = sim.customer_pays(bill).await;
    outcome.moved.expect("it moved").receipt
}

/// `<current>` of an account.
fn held(result: &ResultMessage, name: &str) -> String {
    let accounts = parameter(result, "AccountBalance").expect("accounts");
    let line = accounts.split('&').find(|line| line.starts_with(name)).expect(name);
    let fields: Vec<&str> = line.split('|').collect();
    assert_eq!((fields.len(), fields[1], fields[2]), (6, "KES", fields[3]), "{line}");
    fields[2].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_are_told_as_the_book_has_them() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let before = paid(&sim, 500).await;
    result(&sim, &receiver, "600999_Org_1", &message(&caller, "600999_Org_1", "0111", 150)).await;
    let asked = operation(&caller, "600999_Org_b1", Kind::Balance);
    let told = result(&sim, &receiver, "600999_Org_b1", &asked).await;
    assert_eq!(
        (told.facts.code.as_str(), &told.facts.receipt),
        ("0", &None),
        "no receipt of its own"
    );
    assert_eq!(held(&told, "Utility Account"), "99850.00");
    let working = held(&told, "Working Account");
    assert_eq!(parameter(&told, "BOCompletedTime").as_deref(), Some("20240102060405"));
    assert_eq!(told.facts.completed_at, Some(NOW));

    let back = Kind::Reversal { receipt: &before, amount: Amount::from_shillings(500) };
    let back = operation(&caller, "600999_Org_r1", back);
    result(&sim, &receiver, "600999_Org_r1", &back).await;
    let asked = operation(&caller, "600999_Org_b2", Kind::Balance);
    let told = result(&sim, &receiver, "600999_Org_b2", &asked).await;
    let less = |text: &str| text.parse::<Amount>().unwrap();
    let less = less(&working).checked_sub(less(&held(&told, "Working Account")));
    assert_eq!(less, Some(Amount::from_shillings(500)), "it was given back");
    // A question spends its name as a payment does.
    assert_eq!(code(&sim, &asked).await, "15");
    assert_eq!(sim.payments(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_about_accounts_that_is_wrong_is_refused_or_fails() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let ours = caller(&receiver.url);
    let good = operation(&ours, "600999_Org_b", Kind::Balance);
    let value = "<Key>ShortCode</Key>";
    assert!(good.contains(value), "{good}");
    assert_eq!(code(&sim, &good.replace(value, "<Key>Whose</Key>")).await, "24");
    let list = good.replace(value, "<Key>OrgShortCodeList</Key>");
    assert_eq!(code(&sim, &list).await, "25");

    let stranger = "<Key>ShortCode</Key><Value>600999</Value>";
    let other = good.replace(stranger, "<Key>ShortCode</Key><Value>700700</Value>");
    assert_ne!(other, good);
    let told = result(&sim, &receiver, "600999_Org_b", &other).await;
    assert_eq!(told.facts.code, "21", "the accounts of another");
    assert_eq!(parameter(&told, "AccountBalance"), None);

    let wrong = Caller { security_credential: credential("Wrong-1"), ..caller(&receiver.url) };
    let asked = operation(&wrong, "600999_Org_w", Kind::Balance);
    let told = result(&sim, &receiver, "600999_Org_w", &asked).await;
    assert_eq!(told.facts.code, "2001");
    assert_eq!(parameter(&told, "AccountBalance"), None, "a stranger is told nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customers_payment_is_given_back_whole_and_once() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let first = paid(&sim, 2_500).await;
    let second = paid(&sim, 40).await;
    let payout = message(&caller, "600999_Org_1", "0111", 150);
    result(&sim, &receiver, "600999_Org_1", &payout).await;
    let payout = sim.paid("600999_Org_1").expect("paid").receipt;
    // In this order: which receipt, how much, the code.
    let table = [
        (first.as_str(), 2_400, "25"),
        (&first, 2_500, "0"),
        (&first, 2_500, "R000001"),
        (&payout, 150, "R000002"),
        ("QAZ0000000", 10, "R000002"),
        (&second, 40, "0"),
    ];
    for (number, (receipt, shillings, expected)) in table.into_iter().enumerate() {
        let id = format!("600999_Org_r{number}");
        let kind = Kind::Reversal { receipt, amount: Amount::from_shillings(shillings) };
        let told = result(&sim, &receiver, &id, &operation(&caller, &id, kind)).await;
        assert_eq!(told.facts.code, expected, "{number}");
        let original = parameter(&told, "OriginalTransactionID");
        let amount = parameter(&told, "Amount");
        if expected == "0" {
            assert_eq!(original.as_deref(), Some(receipt));
            assert_eq!(amount, Some(format!("{shillings}.00")));
            let own = told.facts.receipt.as_ref().expect("a receipt of its own").to_string();
            assert_eq!(parameter(&told, "TransactionID"), Some(own.clone()));
            assert_ne!(own, receipt);
        } else {
            assert_eq!((original, amount), (None, None), "what failed has no parameters");
        }
    }
    // Without an amount all of it is meant; nothing is known by this receipt.
    let kind = Kind::Reversal { receipt: "QAZ0000000", amount: Amount::from_shillings(77) };
    let whole = operation(&caller, "600999_Org_all", kind);
    let whole = whole.replace("<Value>77.00</Value>", "<Value></Value>");
    let told = result(&sim, &receiver, "600999_Org_all", &whole).await;
    assert_eq!(told.facts.code, "R000002");
    let no_receipt = whole.replace("<Key>OriginalTransactionID</Key>", "<Key>Which</Key>");
    let no_receipt = no_receipt.replace("600999_Org_all", "600999_Org_none");
    assert_eq!(code(&sim, &no_receipt).await, "24");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_amount_all_of_it_is_given_back() {
    let sim = start(settings()).await;
    let receiver = Receiver::start(&[]).await;
    let caller = caller(&receiver.url);
    let receipt = paid(&sim, 77).await;
    let kind = Kind::Reversal { receipt: &receipt, amount: Amount::from_shillings(77) };
    let whole = operation(&caller, "600999_Org_all", kind);
    let whole = whole.replace("<Value>77.00</Value>", "<Value></Value>");
    let told = result(&sim, &receiver, "600999_Org_all", &whole).await;
    assert_eq!(told.facts.code, "0");
    assert_eq!(parameter(&told, "Amount").as_deref(), Some("77.00"));
}
