//! The published client crate `mpesa`, unchanged, against the simulator: what somebody wrote for
//! the real Daraja works here, too.
//!
//! It is pointed here by its own `ApiEnvironment`, which names the address and the certificate.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test: it panics to fail"
)]

#[path = "notify/peer.rs"]
#[expect(dead_code, reason = "this test needs only peers that answer")]
mod peer;

use std::sync::Arc;
use std::time::Duration;

use mlango::clock::ManualClock;
use mlango::credential::{Pair, PrivateKey, generate_pair};
use mlango::domain::money::Amount;
use mlango::domain::time::Timestamp;
use mlango::sim::{DarajaSettings, Delivery, HOLD, Running, Settings, Simulator, SmsSettings};
use mpesa::{ApiEnvironment, CommandId, Mpesa, ResponseType};
use peer::{Does, Peer};
use serde_json::Value;

const NOW: Timestamp = Timestamp::from_millis(1_704_164_645_000);
/// How long a result or a notice may take.
const PATIENCE: Duration = Duration::from_secs(20);
const INITIATOR: &str = "apiop";
const PASSWORD: &str = "Example-Initiator-1";
const SHORTCODE: &str = "600999";
const PROMPTED: &str = "174379";
const PHONE: &str = "254722000111";

/// Where the client finds M-Pesa.
#[derive(Clone, Debug)]
struct Here {
    url: String,
    certificate: String,
}

impl ApiEnvironment for Here {
    fn base_url(&self) -> &str {
        &self.url
    }

    fn get_certificate(&self) -> &str {
        &self.certificate
    }
}

/// The simulator, a client of it, and whoever is called back.
struct House {
    _sim: Running,
    client: Mpesa<Here>,
    passkey: String,
    peer: Peer,
    back: String,
}

impl House {
    async fn open() -> Self {
        let pair = generate_pair("sim.example.test", 30).expect("a key pair");
        let settings = settings(&pair);
        let DarajaSettings { consumer_key, consumer_secret, passkey, .. } = settings.daraja.clone();
        let clock = Arc::new(ManualClock::new(NOW));
        let sim = Simulator::start(settings, clock).await.expect("it starts");
        let here =
            Here { url: format!("http://{}", sim.addr), certificate: pair.certificate_pem.clone() };
        let client = Mpesa::new(consumer_key, consumer_secret, here);
        client.set_initiator_password(PASSWORD);
        let accepted = br#"{"ResultCode":"0","ResultDesc":"Accepted"}"#.to_vec();
        let peer = Peer::that(Does::Answers(200, accepted)).await;
        let back = format!("http://{}", peer.addr);
        Self { _sim: sim, client, passkey, peer, back }
    }

    fn url(&self, path: &str) -> String {
        format!("{}/{path}", self.back)
    }

    /// What was told at a path, once it was.
    async fn told(&self, path: &str) -> Value {
        let line = format!("POST /{path} ");
        for _ in 0..PATIENCE.as_millis() / 20 {
            let requests = self.peer.requests();
            if let Some(request) = requests.iter().find(|it| it.starts_with(&line)) {
                let (_head, body) = request.split_once("\r\n\r\n").expect("a request");
                return serde_json::from_str(body).expect("JSON");
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("nothing was told at {path}: {:?}", self.peer.requests());
    }
}

fn settings(pair: &Pair) -> Settings {
    Settings {
        listen: "127.0.0.1:0".parse().expect("an address"),
        sp_id: "100001".to_owned(),
        sp_password: "Example-Secret-1".to_owned(),
        service_id: "100001000".to_owned(),
        initiator: INITIATOR.to_owned(),
        initiator_password: PASSWORD.to_owned(),
        shortcode: SHORTCODE.parse().expect("a short code"),
        credential_key: PrivateKey::from_pem(pair.key_pem.as_bytes()).expect("a key"),
        balance: Amount::from_shillings(100_000),
        seed: 7,
        delivery: Delivery {
            delay: Duration::from_millis(1)..=Duration::from_millis(5),
            ..Delivery::default()
        },
        hold: HOLD,
        chaos: None,
        daraja: DarajaSettings {
            prompt_delay: Duration::from_millis(20),
            ..DarajaSettings::default()
        },
        sms: SmsSettings::default(),
    }
}

#[tokio::test]
async fn a_client_for_the_real_daraja_does_here_all_that_it_can() {
    let house = House::open().await;
    assert!(house.client.is_connected().await, "a token");
    pushes_a_prompt(&house).await;
    pays_out(&house).await;
    let receipt = takes_a_payment(&house).await;
    asks_for_the_balance(&house).await;
    asks_what_became_of(&house, &receipt).await;
    reverses(&house, &receipt).await;
}

/// A result says that it is done: with a number or a text, as M-Pesa likes.
fn done(told: &Value) {
    let code = &told["Result"]["ResultCode"];
    assert!(*code == 0 || *code == "0", "{told}");
}

async fn pushes_a_prompt(house: &House) {
    let callback = house.url("stk");
    let answer = house
        .client
        .express_request(PROMPTED)
        .pass_key(&house.passkey)
        .phone_number(PHONE)
        .amount(10)
        .account_ref("ORDER001")
        .callback_url(&callback)
        .transaction_type(CommandId::CustomerPayBillOnline)
        .transaction_desc("Subscription")
        .send()
        .await
        .expect("a prompt");
    assert_eq!(answer.response_code, "0");
    let told = house.told("stk").await;
    let told = &told["Body"]["stkCallback"];
    assert_eq!(told["CheckoutRequestID"], answer.checkout_request_id.as_str());
    assert_eq!(told["ResultCode"], 0);
}

async fn pays_out(house: &House) {
    let (timeout, result) = (house.url("b2c/timeout"), house.url("b2c/result"));
    let answer = house
        .client
        .b2c(INITIATOR)
        .party_a(SHORTCODE)
        .party_b(PHONE)
        .amount(1_500)
        .remarks("March commission")
        .occasion("March")
        .timeout_url(&timeout)
        .result_url(&result)
        .send()
        .await
        .expect("a payout");
    assert_eq!(answer.response_code, "0");
    let told = house.told("b2c/result").await;
    assert_eq!(told["Result"]["ConversationID"], answer.conversation_id.as_str());
    done(&told);
}

/// Registers addresses and has a customer pay; answers the receipt.
async fn takes_a_payment(house: &House) -> String {
    let (validation, confirmation) = (house.url("validation"), house.url("confirmation"));
    let answer = house
        .client
        .c2b_register()
        .short_code(SHORTCODE)
        .response_type(ResponseType::Completed)
        .validation_url(&validation)
        .confirmation_url(&confirmation)
        .send()
        .await
        .expect("registered");
    assert_eq!(answer.response_code, "0");
    let answer = house
        .client
        .c2b_simulate()
        .short_code(SHORTCODE)
        .command_id(CommandId::CustomerPayBillOnline)
        .msisdn(PHONE)
        .amount(250)
        .bill_ref_number("INV-77")
        .send()
        .await
        .expect("a customer's payment");
    assert_eq!(answer.response_code, "0");
    let told = house.told("confirmation").await;
    assert_eq!(told["BillRefNumber"], "INV-77");
    told["TransID"].as_str().expect("a receipt").to_owned()
}

async fn asks_for_the_balance(house: &House) {
    let (timeout, result) = (house.url("balance/timeout"), house.url("balance/result"));
    house
        .client
        .account_balance(INITIATOR)
        .party_a(SHORTCODE)
        .remarks("Morning")
        .timeout_url(&timeout)
        .result_url(&result)
        .send()
        .await
        .expect("a balance");
    let told = house.told("balance/result").await;
    done(&told);
}

async fn asks_what_became_of(house: &House, receipt: &str) {
    let (timeout, result) = (house.url("status/timeout"), house.url("status/result"));
    house
        .client
        .transaction_status(INITIATOR)
        .transaction_id(receipt)
        .party_a(SHORTCODE)
        .result_url(&result)
        .timeout_url(&timeout)
        .remarks("Which one")
        .occasion("Audit")
        .send()
        .await
        .expect("a status");
    let told = house.told("status/result").await;
    done(&told);
}

async fn reverses(house: &House, receipt: &str) {
    let (timeout, result) = (house.url("reversal/timeout"), house.url("reversal/result"));
    house
        .client
        .transaction_reversal(INITIATOR)
        .transaction_id(receipt)
        .receiver_party(SHORTCODE)
        .result_url(&result)
        .timeout_url(&timeout)
        .remarks("Paid twice")
        .occasion("Refund")
        .amount(250)
        .send()
        .await
        .expect("a reversal");
    let told = house.told("reversal/result").await;
    done(&told);
}
