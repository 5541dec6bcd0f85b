//! Which C2B payments are taken, by rules and by what is expected.

use std::time::Duration;

use crate::book::{BEGIN, RECEIPT, app, notice};
use mlango::domain::money::Amount;
use mlango::domain::payment::validation::{
    Answer, Expected, Refusal, Rules, Times, Unlisted, account_key, validate,
};
use mlango::domain::payment::{C2bNotice, NoticeKind, Payer, PayerPhone};

/// The rules, the payment, what is expected under its account, and the answer.
const TABLE: &str = "
any       order       nothing    accept
any       zero        nothing    C2B00013
any       huge        nothing    C2B00013
any       cents       nothing    C2B00013
limited   order       nothing    C2B00013
limited   small       nothing    accept
ours      order       nothing    accept
ours      elsewhere   nothing    C2B00015
pattern   order       nothing    accept
pattern   small-case  nothing    accept
pattern   stranger    nothing    C2B00012
pattern   stranger    any        accept
pattern   till        nothing    accept
listed    order       nothing    C2B00012
listed    order       any        accept
listed    order       exact      accept
listed    small       exact      C2B00013
listed    order       expired    C2B00012
listed    order       paid-once  C2B00012
listed    order       paid-many  accept
listed    order       phone      accept
listed    masked      phone      accept
listed    other-phone phone      C2B00011
listed    till        nothing    accept
any       small       exact      C2B00013
";

#[test]
fn payments_are_taken_or_turned_down_as_the_table_says() {
    let mut seen = vec![];
    for line in TABLE.trim().lines() {
        let cells: Vec<&str> = line.split_whitespace().collect();
        let [by, pays, expects, answer] = cells.as_slice() else { panic!("{line}") };
        let told = validate(&rules(by), &payment(pays), expected(expects).as_ref(), BEGIN);
        let word = match told {
            Answer::Accept { .. } => "accept",
            Answer::Reject(refusal) => {
                seen.push(refusal);
                refusal.code()
            }
        };
        assert_eq!(word, *answer, "{line}");
    }
    for refusal in [Refusal::Phone, Refusal::Account, Refusal::Amount, Refusal::ShortCode] {
        assert!(seen.contains(&refusal), "no row for {refusal:?}");
    }
    for refusal in Refusal::ALL {
        assert_eq!(Refusal::from_code(refusal.code()), Some(refusal));
    }
}

#[test]
fn what_is_expected_says_what_m_pesa_is_to_bring_back() {
    let expected = Expected { third_party_id: Some("77".to_owned()), ..whole() };
    let told = validate(&rules("any"), &payment("order"), Some(&expected), BEGIN);
    assert_eq!(told, Answer::Accept { third_party_id: Some("77".to_owned()) });
}

#[test]
fn payers_type_as_they_like() {
    for typed in ["inv-77", " INV-77 ", "Inv-77"] {
        assert_eq!(account_key(typed), "INV-77");
    }
}

fn rules(name: &str) -> Rules {
    let any = Rules::default();
    match name {
        "any" => any,
        "limited" => {
            let mut limited = any;
            limited.amounts.most = Amount::from_shillings(100);
            limited
        }
        "ours" => Rules { shortcodes: vec!["600111".to_owned(), "174379".to_owned()], ..any },
        "pattern" => Rules { accounts: vec!["ORDER???".parse().expect("a pattern")], ..any },
        "listed" => Rules { unlisted: Unlisted::TurnedDown, ..any },
        other => panic!("no such rules: {other}"),
    }
}

fn payment(name: &str) -> C2bNotice {
    let order = notice(RECEIPT, 1_500, BEGIN);
    let phone = |text| Payer { phone: PayerPhone::read(text), ..Payer::default() };
    match name {
        "order" => order,
        "zero" => notice(RECEIPT, 0, BEGIN),
        "small" => notice(RECEIPT, 15, BEGIN),
        "huge" => notice(RECEIPT, 250_001, BEGIN),
        "cents" => C2bNotice { amount: Amount::from_cents(1_050), ..order },
        "elsewhere" => C2bNotice { shortcode: "600999".to_owned(), ..order },
        "small-case" => C2bNotice { account: " order001 ".to_owned(), ..order },
        "stranger" => C2bNotice { account: "MAMA MBOGA".to_owned(), ..order },
        "till" => C2bNotice { kind: NoticeKind::BuyGoods, account: String::new(), ..order },
        "masked" => C2bNotice { payer: phone("2547*****001"), ..order },
        "other-phone" => C2bNotice { payer: phone("254700000002"), ..order },
        other => panic!("no such payment: {other}"),
    }
}

fn whole() -> Expected {
    Expected {
        reference: "ORDER001".to_owned(),
        amount: None,
        phone: None,
        expires_at: Some(BEGIN.after(Duration::from_secs(1))),
        times: Times::Once,
        paid: 0,
        app: Some(app(1)),
        third_party_id: None,
    }
}

fn expected(name: &str) -> Option<Expected> {
    let whole = whole();
    Some(match name {
        "nothing" => return None,
        "any" => whole,
        "exact" => Expected { amount: Some(Amount::from_shillings(1_500)), ..whole },
        "expired" => Expected { expires_at: Some(BEGIN), ..whole },
        "paid-once" => Expected { paid: 1, ..whole },
        "paid-many" => Expected { paid: 7, times: Times::Many, ..whole },
        "phone" => Expected { phone: Some("254700000001".parse().expect("a phone")), ..whole },
        other => panic!("no such expectation: {other}"),
    })
}
