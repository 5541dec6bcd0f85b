//! Each fault, and that it shows (spec/daraja.md §12).

use std::time::Duration;

use axum::http::Method;
use mlango::sim::Settings;
use mlango::sim::daraja::Api;
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::support::{
    B2C, BALANCE, Came, Heard, REGISTER, STATUS, STK, STK_QUERY, Stage, b2c, balance, item,
    parameter, register, settings, status, stk, stk_query,
};

/// What an answer is, in short.
fn kind(came: Option<&Came>) -> String {
    let Some(came) = came else {
        return "nothing".to_owned();
    };
    let read = came.json();
    if read["errorCode"].is_string() || read["ResponseCode"].is_string() {
        return came.word();
    }
    if let Some(code) = read["fault"]["detail"]["errorcode"].as_str() {
        return format!("{} apigee {code}", came.status);
    }
    if read["Envelope"]["Body"]["Fault"].is_object() {
        return format!("{} soap", came.status);
    }
    if came.text().contains("Incapsula") {
        return format!("{} firewall", came.status);
    }
    if came.content_type == "text/html" {
        return format!("{} page", came.status);
    }
    format!("{} {:?}", came.status, came.text())
}

#[tokio::test(start_paused = true)]
async fn an_answer_goes_wrong_before_or_after_it_is_done() {
    let spike = "429 apigee policies.ratelimit.SpikeArrestViolation";
    let product = "401 apigee keymanagement.service.InvalidAPICallAsNoApiProductMatchFound";
    let internal = "500 500.003.1001 Internal Server Error";
    // The fault; what is answered; whether it is done; seconds until the answer.
    let table = [
        ("http_500_before", internal, false, 0),
        ("http_502_before", "502 page", false, 0),
        ("http_503_before", "503 page", false, 0),
        ("http_504_before", "504 page", false, 0),
        ("http_500_after", internal, true, 0),
        ("http_502_after", "502 page", true, 0),
        ("http_503_after", "503 page", true, 0),
        ("http_504_after", "504 page", true, 0),
        ("429", spike, false, 0),
        ("429_after", spike, true, 0),
        ("spike", "500 500.003.02 Error Occurred: Spike Arrest Violation", false, 0),
        ("busy", "500 500.003.02 System is busy. Please try again in few minutes.", false, 0),
        ("quota", "500 500.003.03 Error Occurred: Quota Violation", false, 0),
        ("maintenance", "503 00.002.1001 Service is under maintenance", false, 0),
        ("waf", "403 firewall", false, 0),
        ("waf_503", "503 firewall", false, 0),
        ("apigee", product, false, 0),
        ("soap_fault", "500 soap", false, 0),
        ("empty", "400 \"\"", false, 0),
        ("empty_after", "200 \"\"", true, 0),
        ("page_after", "200 page", true, 0),
        ("not_json_after", "200 \"OK\"", true, 0),
        ("system_before", "500 500.002.1001 System internal error.", false, 0),
        ("system_after", "500 500.002.1001 System internal error.", true, 0),
        ("internal_before", "500 500.001.1001 Internal Server Error", false, 0),
        ("internal_after", "500 500.001.1001 Internal Server Error", true, 0),
        (
            "forbidden",
            "403 403.002.1001 You are not authorized to initiate this transaction",
            false,
            0,
        ),
        ("hang_before", "nothing", false, 60),
        ("hang_after", "nothing", true, 60),
        ("drop_before", "nothing", false, 0),
        ("drop_after", "nothing", true, 0),
    ];
    for (fault, expected, is_done, seconds) in table {
        for (api, path, body) in [(Api::B2c, B2C, b2c("a", "0111")), (Api::Stk, STK, stk("0111"))] {
            let stage = Stage::new().await;
            stage.fault(api, fault);
            let begun = Instant::now();
            let came = stage.post(path, &body).await;
            assert_eq!(kind(came.as_ref()), expected, "{fault} of {path}");
            assert_eq!(begun.elapsed().as_secs(), seconds, "{fault} of {path}");
            let told = stage.heard().await;
            assert_eq!(told.len(), usize::from(is_done), "{fault} of {path}");
            assert_eq!(stage.sim.ledger().movements.len(), usize::from(is_done), "{fault}");
            if api == Api::B2c {
                let again = stage.word(path, &body).await;
                let expected = if is_done {
                    "500 500.002.1001 Duplicate OriginatorConversationID."
                } else {
                    "200 0"
                };
                assert_eq!(again, expected, "{fault}: the id is spent or it is not");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_told_otherwise() {
    // The fault; for a payout and a prompt, what comes: codes, `+` for more to come, `?` for what
    // can't be read; whether money moved.
    let table: [(&str, &[&str], &[&str], bool); 10] = [
        ("no_callback", &[], &[], true),
        ("duplicate_callback", &["0", "0"], &["0", "0"], true),
        ("callback_first", &["0"], &["0"], true),
        ("late_callback:90000", &["0"], &["0"], true),
        ("malformed_callback", &["?", "0"], &["?", "0"], true),
        ("cut_callback", &["?"], &["?"], true),
        ("contradicting_callback", &["0", "2040"], &["0", "1032"], true),
        ("waiting_first", &["0+", "0"], &["0"], true),
        ("rule_17", &["17"], &["17"], false),
        ("fail:SFC_IC0003", &["SFC_IC0003"], &["SFC_IC0003"], false),
    ];
    let read = |heard: &Heard| {
        let more = heard.json()["Result"]["ResultType"] == 1;
        format!("{}{}", heard.code(), if more { "+" } else { "" })
    };
    for (fault, payout, prompt, is_paid) in table {
        for (api, path, body, expected) in
            [(Api::B2c, B2C, b2c("a", "0111"), payout), (Api::Stk, STK, stk("0111"), prompt)]
        {
            let stage = Stage::new().await;
            stage.fault(api, fault);
            let begun = Instant::now();
            assert_eq!(stage.word(path, &body).await, "200 0", "{fault} of {path}");
            let heard = stage.heard().await;
            let codes: Vec<String> = heard.iter().map(read).collect();
            assert_eq!(codes, expected, "{fault} of {path}");
            let moved = stage.sim.ledger().movements.len();
            assert_eq!(moved, usize::from(is_paid), "{fault} of {path}");
            let is_late = begun.elapsed() >= Duration::from_secs(90);
            assert_eq!(is_late, fault.starts_with("late"), "{fault} of {path}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_too_long_comes_back_to_the_address_for_timeouts() {
    for (fault, is_thin) in [("timeout_notice", false), ("timeout_notice_thin", true)] {
        let stage = Stage::new().await;
        stage.fault(Api::B2c, fault);
        if is_thin {
            stage.fault(Api::B2c, "timeout_notice");
        }
        let body = b2c("a", "0111");
        assert_eq!(stage.word(B2C, &body).await, "200 0");
        let heard = stage.heard().await;
        let [told] = heard.as_slice() else { panic!("one message") };
        assert_eq!(told.path, "/cb/timeout/a");
        let expected = if is_thin { Value::Null } else { json!("a") };
        assert_eq!(told.json()["OriginatorConversationID"], expected, "our own request, or not");
        if is_thin {
            assert_eq!(told.json()["Result"]["OriginatorConversationID"], "a");
        } else {
            assert_eq!(told.json(), body);
        }
        assert_eq!(stage.sim.payments(), 0);
        assert_eq!(stage.word(B2C, &body).await, "200 0", "the core never saw it");
    }
}

#[tokio::test(start_paused = true)]
async fn a_result_is_written_otherwise() {
    let told = async |fault: &str| {
        let stage = Stage::new().await;
        stage.fault(Api::B2c, fault);
        stage.word(B2C, &b2c("a", "0111")).await;
        stage.heard().await[0].json()
    };
    assert_eq!(told("code_as_string").await["Result"]["ResultCode"], "0");
    let object = told("result_object").await;
    let parameter_object = &object["Result"]["ResultParameters"]["ResultParameter"];
    assert_eq!(parameter_object["Key"], "TransactionReceipt");
    assert!(object["Result"]["ReferenceData"]["ReferenceItem"].is_array());
    let bare = told("no_parameters").await;
    assert_eq!(bare["Result"]["ResultCode"], 0);
    assert_eq!(bare["Result"].get("ResultParameters"), None);
    let shuffled = told("shuffle").await;
    let first = &shuffled["Result"]["ResultParameters"]["ResultParameter"][0];
    assert_eq!(first["Key"], "B2CRecipientIsRegisteredCustomer");
    assert_eq!(parameter(&told("wrong_amount").await, "TransactionAmount"), 151);
    let wrong = told("wrong_id").await;
    assert!(wrong["Result"]["ConversationID"].as_str().expect("an id").len() > 32);

    let stage = Stage::new().await;
    stage.fault(Api::Balance, "no_balance_value");
    stage.word(BALANCE, &balance()).await;
    let read = stage.heard().await[0].json();
    let list = read["Result"]["ResultParameters"]["ResultParameter"].as_array().expect("a list");
    let balance = list.iter().find(|item| item["Key"] == "AccountBalance").expect("a balance");
    assert_eq!(balance.get("Value"), None);
}

#[tokio::test(start_paused = true)]
async fn a_callback_is_written_otherwise() {
    let told = async |fault: &str| {
        let stage = Stage::new().await;
        stage.fault(Api::Stk, fault);
        stage.word(STK, &stk("0111")).await;
        stage.heard().await[0].json()
    };
    let text = told("code_as_string").await;
    assert_eq!(text["Body"]["stkCallback"]["ResultCode"], "0");
    assert_eq!(item(&text, "Amount"), "25.00");
    assert_eq!(item(&text, "PhoneNumber"), "254722000111");
    let none = told("no_parameters").await;
    assert_eq!(none["Body"]["stkCallback"]["ResultCode"], 0);
    assert_eq!(none["Body"]["stkCallback"].get("CallbackMetadata"), None);
    let items = |read: &Value| read["Body"]["stkCallback"]["CallbackMetadata"]["Item"].clone();
    assert_eq!(items(&told("shuffle").await)[0]["Name"], "PhoneNumber");
    let bare = items(&told("no_balance_value").await);
    let balance = bare.as_array().expect("a list").iter().find(|item| item["Name"] == "Balance");
    assert_eq!(balance.expect("a balance").get("Value"), None);
    assert_eq!(item(&told("no_phone").await, "PhoneNumber"), Value::Null);
    assert_eq!(item(&told("masked_phone").await, "PhoneNumber"), "25472****111");
    assert_eq!(item(&told("wrong_amount").await, "Amount"), 26.0);
    let wrong = told("wrong_id").await;
    let id = wrong["Body"]["stkCallback"]["CheckoutRequestID"].as_str().expect("an id").to_owned();
    assert!(id.ends_with("7220001119"), "{id}");
}

#[tokio::test(start_paused = true)]
async fn a_query_may_say_anything_but_the_truth() {
    let stage = Stage::new().await;
    let came = stage.post(STK, &stk("0111")).await.expect("an answer").json();
    let checkout = came["CheckoutRequestID"].as_str().expect("an id");
    stage.heard().await;
    let table = [
        ("processing", "200 0"),
        ("processing_500", "500 500.001.1001 The transaction is being processed"),
        ("processing_200", "200 500.001.1001 The transaction is being processed"),
        ("unknown_id", "500 500.001.1001 The transaction does not Exist"),
        ("400_checkout", "400 400.002.02 Bad Request - Invalid CheckoutRequestID"),
        ("429", "429"),
    ];
    for (fault, expected) in table {
        stage.fault(Api::StkQuery, fault);
        let came = stage.post(STK_QUERY, &stk_query(checkout)).await.expect("an answer");
        assert_eq!(came.word(), expected, "{fault}");
        if fault == "processing" {
            assert_eq!(came.json()["ResultCode"], "4999");
        }
    }
    stage.fault(Api::StkQuery, "fail:1037");
    let came = stage.post(STK_QUERY, &stk_query(checkout)).await.expect("an answer").json();
    assert_eq!(came["ResultDesc"], "DS timeout user cannot be reached.");
    let came = stage.post(STK_QUERY, &stk_query(checkout)).await.expect("an answer").json();
    assert_eq!(came["ResultCode"], "0", "and then the truth");
}

#[tokio::test(start_paused = true)]
async fn a_registration_and_a_prompt_may_meet_another() {
    let stage = Stage::new().await;
    let table = [
        (
            Api::C2bRegister,
            "already_registered",
            REGISTER,
            register(),
            "500 500.003.1001 Urls are already registered.",
        ),
        (
            Api::C2bRegister,
            "duplicate_notification",
            REGISTER,
            register(),
            "500 500.003.1001 Duplicate notification info, SP ID is 100001, correlator is 1001000011",
        ),
        (
            Api::Stk,
            "locked",
            STK,
            stk("0111"),
            "500 500.001.1001 Unable to lock subscriber, a transaction is already in process for the current subscriber",
        ),
        (Api::Status, "rule_17", STATUS, status(&json!({"TransactionID": "UJ34AA00ZZ"})), "200 0"),
    ];
    for (api, fault, path, body, expected) in table {
        stage.fault(api, fault);
        assert_eq!(stage.word(path, &body).await, expected, "{fault}");
    }
    let heard = stage.heard().await;
    assert_eq!(heard.iter().map(Heard::code).collect::<Vec<_>>(), ["17"]);
    assert_eq!(stage.word(REGISTER, &register()).await, "200 0", "each comes once");
}

#[tokio::test(start_paused = true)]
async fn faults_are_laid_down_listed_and_taken_away() {
    let stage = Stage::with(Settings { hold: Duration::from_secs(1), ..settings() }).await;
    let rule =
        json!({"api": "b2c", "nth": 2, "times": 2, "contains": "0111", "fault": "drop_before"});
    let (status, came) = stage.control("/sim/faults", &rule).await;
    assert_eq!((status, came["data"][0]["seen"].as_u64()), (201, Some(0)));
    let mut answers = Vec::new();
    for number in 0..5 {
        let ending = if number == 1 { "0222" } else { "0111" };
        answers.push(stage.word(B2C, &b2c(&format!("f{number}"), ending)).await);
    }
    assert_eq!(answers, ["200 0", "200 0", "nothing", "nothing", "200 0"]);
    assert_eq!(stage.get("/sim/faults").await["data"], json!([]));
    stage.control("/sim/faults", &json!({"api": "*", "fault": "429"})).await;
    let cleared = stage.send(Method::DELETE, "/sim/faults", &[], "").await;
    assert_eq!(cleared.expect("an answer").json()["data"], json!([]));
    assert_eq!(stage.word(B2C, &b2c("last", "0111")).await, "200 0");
    let wrong = [
        json!({"api": "b2c", "fault": "nonsense"}),
        json!({"api": "nothing", "fault": "429"}),
        json!({"api": "b2c", "fault": "429", "nth": 0}),
        json!({"api": "b2c"}),
        json!({"api": "b2c", "fault": "429", "more": 1}),
    ];
    for rule in wrong {
        let (status, came) = stage.control("/sim/faults", &rule).await;
        assert_eq!(status, 400, "{rule}");
        assert!(came["error"].is_string(), "{rule}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_acknowledged_is_never_sent_again() {
    let stage = Stage::new().await;
    for (path, body, address) in
        [(B2C, b2c("a", "0111"), "/cb/result/a"), (STK, stk("0111"), "/cb/5f0c/stk/0111")]
    {
        stage.say(address, &[(500, "no"), (500, "no"), (500, "no")]);
        assert_eq!(stage.word(path, &body).await, "200 0");
        assert_eq!(stage.heard().await.len(), 1, "{path}");
    }
    // Nor by whoever never answers at all.
    stage.say("/cb/result/b", &[(0, ""), (0, "")]);
    assert_eq!(stage.word(B2C, &b2c("b", "0111")).await, "200 0");
    assert_eq!(stage.heard().await.len(), 1);
}
