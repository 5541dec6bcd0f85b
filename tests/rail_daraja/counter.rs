//! Everything but payouts: each call reaches its interface, and its answer is read.

use mlango::daraja::Api;
use mlango::domain::id::{ConversationId, Receipt};
use mlango::domain::inquiry::{
    self, BusinessCommand, BusinessPayment, C2bVersion, Kind, Names, PaidTo, QrCode, QrKind,
    QrReceiver, RegisterPull, RegisterUrls, ResponseType, Reversal, SimulateC2b, Tax, Tries,
};
use mlango::domain::money::Amount;
use mlango::domain::outcome::AnswerClass;
use mlango::domain::payment::{Asking, Payment, Prompt, State};
use mlango::domain::payout::{Rail as Way, WhyNoAnswer};
use mlango::engine::port::{Api as Where, Call, Counter, Reply};
use mlango::rail::transport::Deadlines;

use crate::support::{House, NOW, inquiry, patient, payment, secs, settings, sim_settings};

fn shillings(amount: u64) -> Amount {
    Amount::from_shillings(amount)
}

/// Every kind, to which interface, and what M-Pesa says to it.
fn kinds() -> Vec<(Kind, &'static str, Api)> {
    let business = BusinessPayment {
        command: BusinessCommand::PayBill,
        to: "600000".parse().expect("a short code"),
        amount: shillings(100),
        account: "INV-7".to_owned(),
        requester: None,
        remarks: String::new(),
        occasion: String::new(),
    };
    let tax = Tax { prn: "353353".to_owned(), amount: shillings(9), remarks: String::new() };
    let register = RegisterUrls { response_type: ResponseType::Completed, version: C2bVersion::V2 };
    let receipt = Receipt::new("UJ34AA00ZZ").expect("a receipt");
    vec![
        (Kind::Balance, "600999", Api::AccountBalance),
        (
            Kind::TransactionStatus(inquiry::TransactionStatus::Receipt(receipt)),
            "600999",
            Api::TransactionStatus,
        ),
        (Kind::BusinessPayment(business), "600999", Api::B2b),
        (Kind::Tax(tax), "600999", Api::Tax),
        (Kind::RegisterUrls(register), "174379", Api::C2bRegister(C2bVersion::V2)),
        (qr_code(), "174379", Api::Qr),
        (register_pull(), "174379", Api::PullRegister),
    ]
}

#[tokio::test]
async fn each_inquiry_is_taken_by_its_interface() {
    let house = House::new().await;
    for (kind, shortcode, api) in kinds() {
        let asked = inquiry(kind, shortcode);
        let what = asked.details.kind.as_str();
        let replied = house.call(Call::Inquiry(&asked)).await;
        let Reply::Inquired(facts) = replied.reply else { panic!("{what}: {:?}", replied.reply) };
        assert_eq!(facts.class(), AnswerClass::Taken, "{what}: {facts:?}");
        assert_eq!(house.asked(api), 1, "{what}");
        // A picture and leave to pull have no name of M-Pesa's.
        let is_named = facts.names.originator.is_some();
        assert_eq!(is_named, !matches!(api, Api::Qr | Api::PullRegister), "{what}: {facts:?}");
        assert_eq!(facts.picture.is_some(), api == Api::Qr, "{what}: {facts:?}");
    }
}

fn qr_code() -> Kind {
    qr_of(300)
}

fn qr_of(size: u16) -> Kind {
    Kind::QrCode(QrCode {
        merchant: "Example Org".to_owned(),
        reference: "INV-77".to_owned(),
        amount: shillings(100),
        kind: QrKind::Phone,
        receiver: QrReceiver::Phone("254722000111".parse().expect("a phone")),
        size,
    })
}

fn register_pull() -> Kind {
    Kind::RegisterPull(RegisterPull { phone: "254722000111".parse().expect("a phone") })
}

#[tokio::test]
async fn a_short_code_that_was_registered_for_pulling_before_is_registered() {
    let house = House::new().await;
    let asked = inquiry(register_pull(), "174379");
    for code in ["pull.1000", "pull.1001"] {
        let replied = house.call(Call::Inquiry(&asked)).await;
        let Reply::Inquired(facts) = replied.reply else { panic!("{:?}", replied.reply) };
        assert_eq!((facts.code.as_str(), facts.class()), (code, AnswerClass::Taken));
    }
    let call = Counter::prepare(&house.rail, Call::Inquiry(&asked), NOW).expect("it is built");
    let kept = String::from_utf8(call.kept).expect("text");
    assert!(kept.contains("/cb/***/c2b/confirmation\""), "{kept}");
    // A number that is nobody's is refused.
    let replied = house.call(Call::Inquiry(&inquiry(register_pull(), "999999"))).await;
    let Reply::Inquired(facts) = replied.reply else { panic!("{:?}", replied.reply) };
    assert_eq!(facts.class(), AnswerClass::Refused, "{facts:?}");
}

#[tokio::test]
async fn a_qr_code_that_m_pesa_cannot_make_is_refused_or_not_there() {
    let house = House::new().await;
    let why = Counter::prepare(&house.rail, Call::Inquiry(&inquiry(qr_of(99), "174379")), NOW);
    assert!(why.expect_err("too small").contains("size"));
    let asked = inquiry(qr_code(), "174379");
    for (fault, class) in
        [("token_404_001_03", AnswerClass::Taken), ("page_after", AnswerClass::Doubt)]
    {
        house.fault("qr", fault, 1);
        let replied = house.call(Call::Inquiry(&asked)).await;
        let Reply::Inquired(facts) = replied.reply else { panic!("{:?}", replied.reply) };
        assert_eq!(facts.class(), class, "{fault}: {facts:?}");
        assert_eq!(facts.picture.is_some(), class == AnswerClass::Taken, "{fault}");
    }
}

#[tokio::test]
async fn a_reversal_of_what_came_in_is_taken() {
    let house = House::new().await;
    let simulated = SimulateC2b {
        to: PaidTo::PayBill,
        amount: shillings(100),
        phone: "254722000155".parse().expect("a phone"),
        account: Some("INV-7".to_owned()),
        version: C2bVersion::V2,
    };
    let simulated = inquiry(Kind::SimulateC2b(simulated), "600999");
    // Where nothing is registered, it is simply taken (spec/daraja.md §2.2).
    let replied = house.call(Call::Inquiry(&simulated)).await;
    let Reply::Inquired(facts) = replied.reply else { panic!("{:?}", replied.reply) };
    assert_eq!(facts.class(), AnswerClass::Taken, "{facts:?}");
    let mut receipt = None;
    for _ in 0..200 {
        let all = house.sim.ledger();
        receipt = all.movements.last().map(|moved| moved.receipt.clone());
        if receipt.is_some() {
            break;
        }
        tokio::time::sleep(secs(1) / 50).await;
    }
    let reversal = Reversal {
        receipt: Receipt::new(&receipt.expect("it was paid")).expect("a receipt"),
        amount: shillings(100),
        payment: None,
        payout: None,
        remarks: "wrong account".to_owned(),
        occasion: String::new(),
    };
    let asked = inquiry(Kind::Reversal(reversal), "600999");
    let replied = house.call(Call::Inquiry(&asked)).await;
    let Reply::Inquired(facts) = replied.reply else { panic!("{:?}", replied.reply) };
    assert_eq!(facts.class(), AnswerClass::Taken, "{facts:?}");
}

/// A prompt that M-Pesa took.
fn prompted(payment: Payment, facts: mlango::domain::payment::AnswerFacts) -> Payment {
    let prompt = Prompt { merchant: facts.merchant, checkout: facts.checkout.expect("a name") };
    let tries = mlango::domain::payment::Tries::NONE;
    let state = State::Prompted { tries, prompt, asking: Asking::first_at(NOW) };
    Payment { state, ..payment }
}

#[tokio::test]
async fn a_prompt_is_shown_and_asked_about() {
    let house = House::new().await;
    house.sim.answer_prompts_by_hand(true);
    let payment = payment(1);
    assert!(
        Counter::prepare(&house.rail, Call::PromptQuery(&payment), NOW).is_err(),
        "M-Pesa gave it no name yet"
    );
    let replied = house.call(Call::Prompt(&payment)).await;
    let Reply::Prompted(facts) = replied.reply else { panic!("{:?}", replied.reply) };
    assert_eq!(facts.class(), AnswerClass::Taken, "{facts:?}");
    let open = house.sim.open_prompts();
    assert_eq!(open.len(), 1);
    assert_eq!(Some(open[0].0.as_str()), facts.checkout.as_ref().map(|it| it.as_str()));
    let payment = prompted(payment, facts);
    let replied = house.call(Call::PromptQuery(&payment)).await;
    let Reply::Queried(facts) = replied.reply else { panic!("{:?}", replied.reply) };
    assert_ne!(facts.result.as_deref(), Some("0"), "nobody answered it yet");
    house.fault("stk_query", "429", 1);
    let replied = house.call(Call::PromptQuery(&payment)).await;
    let Reply::Queried(facts) = replied.reply else { panic!("{:?}", replied.reply) };
    assert_eq!((facts.code.as_str(), facts.result), ("http.429.spike_arrest", None));
}

#[tokio::test]
async fn the_callback_address_of_a_prompt_ends_in_its_tag() {
    let house = House::new().await;
    let call = Counter::prepare(&house.rail, Call::Prompt(&payment(1)), NOW).expect("it is built");
    let kept = String::from_utf8(call.kept).expect("text");
    let tag = format!("/cb/***/stk/2{}\"", "01".repeat(16));
    assert!(kept.contains(&tag), "{kept}");
    assert!(kept.contains("\"Password\":\"***\""), "{kept}");
}

#[tokio::test]
async fn questions_about_inquiries_go_by_the_name_that_daraja_gave() {
    let house = House::new().await;
    let mut asked = inquiry(Kind::Balance, "600999");
    let name = |text: &str| ConversationId::new(text);
    asked.state = inquiry::State::Unknown {
        tries: Tries::NONE,
        why: inquiry::Doubt::NoAnswer,
        names: Names { conversation: name("AG_20240102_1"), originator: name("53e3-4aa8-9fe0") },
        since: NOW,
        asking: inquiry::Asking::first_at(NOW),
    };
    let call = Call::InquiryQuestion(&asked, 3);
    let call = Counter::prepare(&house.rail, call, NOW).expect("it is built");
    assert_eq!(call.api, Where::Status);
    let kept = String::from_utf8(call.kept).expect("text");
    assert!(kept.contains("\"OriginalConversationID\":\"53e3-4aa8-9fe0\""), "{kept}");
    assert!(kept.contains(&format!("/result/4{}00000003", "03".repeat(16))), "{kept}");
}

#[tokio::test]
async fn an_inquiry_of_another_rail_is_not_sent() {
    let house = House::new().await;
    let mut asked = inquiry(Kind::Balance, "600999");
    asked.details.rail = Way::Soap;
    let why = Counter::prepare(&house.rail, Call::Inquiry(&asked), NOW).expect_err("not ours");
    assert!(why.contains("SOAP"), "{why}");
}

#[tokio::test]
async fn a_lost_answer_is_no_answer_and_nothing_is_asked_twice() {
    let hasty = Deadlines { answer: secs(1), ..patient() };
    let house = House::with(sim_settings(), settings(), hasty).await;
    house.fault("stk", "hang_after", 1);
    let replied = house.call(Call::Prompt(&payment(1))).await;
    assert_eq!(replied.reply, Reply::NoAnswer(WhyNoAnswer::Timeout));
    assert!(replied.answer.is_none());
    assert_eq!(house.asked(Api::StkPush), 1);
}

#[tokio::test]
async fn payments_that_came_in_are_pulled() {
    let house = House::new().await;
    let (from, to) = (mlango::domain::time::Timestamp::from_millis(0), NOW);
    let replied = house.call(Call::Pull { from, to, offset: 0 }).await;
    let Reply::Pulled(pulled) = replied.reply else { panic!("{:?}", replied.reply) };
    // What the simulator says to one who has not registered for it is a sentence for a person.
    match pulled {
        Ok(page) => assert_eq!(page.rows, 0),
        Err(why) => assert!(!why.is_empty()),
    }
}
