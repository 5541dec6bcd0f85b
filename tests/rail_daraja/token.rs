//! The access token: refused in all its spellings, fetched once more, and asked for no more than
//! needed.

use mlango::daraja::{Api, B2cVersion};
use mlango::domain::inquiry::Kind;
use mlango::domain::outcome::AnswerClass;
use mlango::domain::payout::WhyNothingSent;
use mlango::engine::port::{Call, Outcome, Rail as _, Reply};

use crate::support::{House, inquiry, patient, payment, payout, secs, settings, sim_settings};

const B2C: Api = Api::B2c(B2cVersion::V3);

#[tokio::test]
async fn a_refused_token_is_fetched_anew_and_the_request_goes_once_more() {
    let spellings = [
        "token_400_003_01",
        "token_401_002_01",
        "token_404_001_03",
        "token_401_001",
        "token_401_003_01",
        "apigee",
    ];
    for spelling in spellings {
        let house = House::new().await;
        house.fault("b2c", spelling, 1);
        let payout = payout(1);
        let Outcome::Answered(facts) = house.pay(&payout).await.outcome else {
            panic!("{spelling}: an answer")
        };
        assert_eq!(facts.class(), AnswerClass::Taken, "{spelling}: {facts:?}");
        assert_eq!((house.tokens(), house.asked(B2C)), (2, 2), "{spelling}");
        assert_eq!(house.sim.payments(), 1, "{spelling}");

        let house = House::new().await;
        house.fault("balance", spelling, 1);
        let asked = inquiry(Kind::Balance, "600999");
        let Reply::Inquired(facts) = house.call(Call::Inquiry(&asked)).await.reply else {
            panic!("{spelling}: an answer")
        };
        assert_eq!(facts.class(), AnswerClass::Taken, "{spelling}: {facts:?}");
        assert_eq!(house.tokens(), 2, "{spelling}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_twice_is_not_tried_a_third_time() {
    let house = House::new().await;
    house.fault("stk", "token_404_001_03", 10);
    let Reply::Prompted(facts) = house.call(Call::Prompt(&payment(1))).await.reply else {
        panic!("an answer")
    };
    assert_eq!((facts.code.as_str(), facts.class()), ("404.001.03", AnswerClass::TryLater));
    assert_eq!((house.tokens(), house.asked(Api::StkPush)), (2, 2));
}

#[tokio::test]
async fn a_product_that_the_app_has_not_got_is_hoped_for_once() {
    let house = House::new().await;
    house.fault("b2c", "apigee", 10);
    for number in 1..=3 {
        let Outcome::Answered(facts) = house.pay(&payout(number)).await.outcome else {
            panic!("an answer")
        };
        assert_eq!(facts.code, "http.401.no_product");
    }
    assert_eq!((house.tokens(), house.asked(B2C)), (2, 4), "each token may end the one before it");
}

#[tokio::test]
async fn without_a_token_nothing_is_sent() {
    let mut wrong = settings();
    wrong.consumer_secret = "another-secret-than-that".to_owned().into();
    let house = House::with(sim_settings(), wrong, patient()).await;
    for number in 1..=3 {
        let sent = house.pay(&payout(number)).await;
        assert_eq!(sent.outcome, Outcome::NothingSent(WhyNothingSent::NoToken));
        assert!(sent.answer.is_none());
    }
    assert_eq!(house.asked(B2C), 0);
    assert_eq!(house.tokens(), 1, "and M-Pesa's door is not hammered at");
    tokio::time::sleep(secs(1) + secs(1) / 10).await;
    house.pay(&payout(4)).await;
    assert_eq!(house.tokens(), 2);
    assert_eq!(house.rail.trouble(), None, "it may have been an accident");
    tokio::time::sleep(secs(2) + secs(1) / 10).await;
    house.pay(&payout(5)).await;
    let trouble = house.rail.trouble().expect("three times running");
    assert!(trouble.contains("daraja.consumer_secret"), "{trouble}");
    assert_eq!(house.sim.payments(), 0);
}

#[tokio::test]
async fn a_token_that_lived_shorter_than_told_is_no_loss() {
    let house = House::new().await;
    house.fault("oauth", "expires_in_number", 1);
    house.pay(&payout(1)).await;
    house.fault("b2c", "token_401_002_01", 1);
    // Many at once: each that is refused goes once more, and none is paid twice.
    let payouts: Vec<_> = (2..=12).map(payout).collect();
    let mut taken = 0;
    for sent in futures(&house, &payouts).await {
        let Outcome::Answered(facts) = sent else { panic!("{sent:?}") };
        taken += usize::from(facts.class() == AnswerClass::Taken);
    }
    assert_eq!(taken, 11);
    assert_eq!(house.sim.payments(), 12);
    assert_eq!(house.tokens(), 2);
}

async fn futures(house: &House, payouts: &[mlango::domain::payout::Payout]) -> Vec<Outcome> {
    let mut all: Vec<_> = payouts.iter().map(|it| Box::pin(house.pay(it))).collect();
    let mut outcomes = vec![];
    while let Some(next) = all.pop() {
        // Two at a time: the one before it is still under way.
        if let Some(other) = all.pop() {
            let (one, two) = tokio::join!(next, other);
            outcomes.extend([one.outcome, two.outcome]);
        } else {
            outcomes.push(next.await.outcome);
        }
    }
    outcomes
}
