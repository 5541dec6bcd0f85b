//! Payouts and questions about them: taken, doubted, never sent twice.

use std::time::Duration;

use mlango::daraja::{Api, B2cVersion};
use mlango::domain::outcome::AnswerClass;
use mlango::domain::payout::{AskBy, Question, WhyNoAnswer, WhyNothingSent};
use mlango::engine::port::{Outcome, Pending, Rail};
use mlango::rail::daraja::DarajaRail;
use mlango::rail::pace::Pace;
use mlango::rail::transport::{Answer, Deadlines, Request, Unanswered, Web};

use crate::support::{House, NOW, Watched, patient, pay, payout, secs, settings, sim_settings};

const B2C: Api = Api::B2c(B2cVersion::V3);

#[tokio::test]
async fn a_payout_is_taken_and_paid_and_can_be_asked_about() {
    let house = House::new().await;
    let payout = payout(1);
    let sent = house.pay(&payout).await;
    let Outcome::Answered(facts) = sent.outcome else { panic!("{:?}", sent.outcome) };
    assert_eq!(facts.class(), AnswerClass::Taken);
    assert!(facts.conversation.is_some());
    let name = payout.details.originator_conversation_id.as_str();
    let paid = house.sim.paid(name).expect("it is paid");
    assert_eq!(paid.amount, payout.details.amount);
    let asked = house.ask(&payout, 1).await;
    let Outcome::Answered(facts) = asked.outcome else { panic!("{:?}", asked.outcome) };
    assert_eq!(facts.class(), AnswerClass::Taken);
    assert_eq!((house.tokens(), house.asked(B2C)), (1, 1));
}

#[tokio::test]
async fn requests_name_addresses_of_their_own() {
    let house = House::new().await;
    let payout = payout(1);
    let request = house.rail.prepare(&payout, NOW).expect("it is built");
    let kept = String::from_utf8(request.kept).expect("text");
    let id = "01".repeat(16);
    for wanted in [
        format!("\"ResultURL\":\"http://127.0.0.1:9/cb/***/result/0{id}\""),
        format!("\"QueueTimeOutURL\":\"http://127.0.0.1:9/cb/***/timeout/0{id}\""),
        "\"Remarks\":\"March commission\"".to_owned(),
        "\"Amount\":1500".to_owned(),
    ] {
        assert!(kept.contains(&wanted), "{wanted} in {kept}");
    }
    let question = Question { nth: 2, at: NOW, by: AskBy::Name };
    let question = house.rail.prepare_question(&payout, question, NOW).expect("it is built");
    let kept = String::from_utf8(question.kept).expect("text");
    assert!(kept.contains(&format!("/cb/***/result/1{id}00000002")), "{kept}");
    let name = payout.details.originator_conversation_id.as_str();
    assert!(kept.contains(&format!("\"OriginalConversationID\":\"{name}\"")), "{kept}");
}

#[tokio::test]
async fn what_m_pesa_would_refuse_is_not_sent() {
    let house = House::new().await;
    let mut cents = payout(1);
    cents.details.amount = "1500.50".parse().expect("an amount");
    let why = house.rail.prepare(&cents, NOW).expect_err("no cents");
    assert_eq!(why, "amount: must be whole shillings: M-Pesa pays no cents");
    let mut fitted = payout(1);
    fitted.details.remarks = "#".to_owned();
    let kept = house.rail.prepare(&fitted, NOW).expect("it is built").kept;
    assert!(String::from_utf8_lossy(&kept).contains("\"Remarks\":\"Payout\""));
}

#[tokio::test]
async fn the_same_payout_again_is_known_to_m_pesa_and_is_doubt() {
    let house = House::new().await;
    let payout = payout(1);
    house.pay(&payout).await;
    let Outcome::Answered(again) = house.pay(&payout).await.outcome else { panic!("an answer") };
    assert_eq!(again.code, "500.002.1001:duplicate");
    assert_eq!(again.class(), AnswerClass::Doubt);
    assert_eq!(house.sim.payments(), 1);
}

#[tokio::test]
async fn a_word_that_nothing_was_done_is_not_trusted_with_money() {
    // "Too many", although it was done: the same id again is known to M-Pesa, and pays nothing.
    let house = House::new().await;
    house.fault("b2c", "429_after", 1);
    let payout = payout(1);
    let mut classes = vec![];
    for _ in 0..2 {
        let Outcome::Answered(facts) = house.pay(&payout).await.outcome else { panic!("one") };
        classes.push(facts.class());
    }
    assert_eq!(classes, [AnswerClass::TryLater, AnswerClass::Doubt]);
    assert_eq!(house.sim.payments(), 1);
}

#[tokio::test]
async fn the_first_version_knows_no_names() {
    let mut settings = settings();
    settings.b2c = B2cVersion::V1;
    let house = House::with(sim_settings(), settings, patient()).await;
    assert!(!house.rail.names_payouts() && House::new().await.rail.names_payouts());
    let payout = payout(1);
    let Outcome::Answered(facts) = house.pay(&payout).await.outcome else { panic!("an answer") };
    assert_eq!(facts.class(), AnswerClass::Taken, "{facts:?}");
    let question = Question { nth: 1, at: NOW, by: AskBy::Name };
    let why = house.rail.prepare_question(&payout, question, NOW).expect_err("no name");
    assert_eq!(why, "M-Pesa gave this payout no name to ask by");
}

#[tokio::test]
async fn nobody_there_is_nothing_sent_and_a_lost_answer_is_not() {
    let hasty = Deadlines { connect: secs(20), send: secs(20), answer: secs(1) };
    let house = House::with(sim_settings(), settings(), hasty).await;
    let table = [
        ("hang_before", WhyNoAnswer::Timeout, false),
        ("hang_after", WhyNoAnswer::Timeout, true),
        ("drop_before", WhyNoAnswer::Closed, false),
        ("drop_after", WhyNoAnswer::Closed, true),
    ];
    for (number, (fault, why, is_paid)) in table.into_iter().enumerate() {
        house.fault("b2c", fault, 1);
        let payout = payout(u8::try_from(number).expect("few") + 1);
        let sent = house.pay(&payout).await;
        assert_eq!(sent.outcome, Outcome::NoAnswer(why), "{fault}");
        assert!(sent.answer.is_none());
        let name = payout.details.originator_conversation_id.as_str();
        assert_eq!(house.sim.paid(name).is_some(), is_paid, "{fault}");
    }
    assert_eq!(house.asked(B2C), 4, "and none was sent twice");
    let House { sim, rail, .. } = house;
    sim.shutdown().await;
    let sent = pay(&rail, &payout(9)).await;
    assert_eq!(sent.outcome, Outcome::NothingSent(WhyNothingSent::Connect));
}

/// Gives a token, and this to everything else.
#[derive(Debug)]
struct Canned(String);

impl Web for Canned {
    fn send<'a>(
        &'a self,
        request: Request,
        _pace: &'a Pace,
    ) -> Pending<'a, Result<Answer, Unanswered>> {
        let token = r#"{"access_token":"Zq8vPlaceholder","expires_in":"3599"}"#.to_owned();
        let body = if request.path.starts_with("/oauth") { token } else { self.0.clone() };
        Box::pin(async { Ok(Answer::new(200, body.into_bytes())) })
    }

    fn longest(&self) -> Duration {
        secs(1)
    }
}

#[tokio::test]
async fn an_answer_that_names_another_payout_is_doubt() {
    let payout = payout(1);
    let ours = payout.details.originator_conversation_id.as_str();
    for (name, class) in [(ours, AnswerClass::Taken), ("another", AnswerClass::Doubt)] {
        let answer = format!(
            "{{\"ConversationID\":\"AG_1\",\"OriginatorConversationID\":\"{name}\",\
             \"ResponseCode\":\"0\",\"ResponseDescription\":\"Accepted\"}}"
        );
        let rail = DarajaRail::new(Watched::new(Canned(answer)), settings());
        let Outcome::Answered(facts) = pay(&rail, &payout).await.outcome else {
            panic!("an answer")
        };
        assert_eq!(facts.class(), class, "{name}");
    }
}
