//! What is taken and what is refused, API by API, field by field.

use axum::http::Method;
use serde_json::{Value, json};

use crate::support::{
    B2B, B2C, BALANCE, PULL, REGISTER, REVERSAL, SIMULATE, STATUS, STK, STK_QUERY, Stage, TAX, b2b,
    b2c, balance, credential, pull, register, reversal, simulate, status, stk, stk_query, tax,
    with,
};

/// Sends `good` with each change, and expects the field to be called wrong; then `good` itself.
async fn fields(path: &str, good: &Value, wrong: &[(&str, Value)]) {
    let stage = Stage::new().await;
    for (field, value) in wrong {
        let mut change = json!({});
        change[*field] = value.clone();
        let expected = format!("400 400.002.02 Bad Request - Invalid {field}");
        assert_eq!(stage.word(path, &with(good, &change)).await, expected, "{field}: {value}");
    }
    let answer = stage.word(path, good).await;
    assert!(answer.starts_with("200"), "{path}: {answer}");
    assert_eq!(
        stage.sim.ledger().movements.len(),
        usize::from(path == B2C || path == B2B || path == TAX)
    );
}

const REPORTED: [&str; 3] =
    ["http://gw.example.org/mpesa/result", "http://gw.example.org/executed", "gw.example.org/cb"];

#[tokio::test(start_paused = true)]
async fn stk_push() {
    let long = "x".repeat(14);
    fields(
        STK,
        &stk("0111"),
        &[
            ("BusinessShortCode", json!(null)),
            ("BusinessShortCode", json!("1743")),
            ("Password", json!(null)),
            ("Timestamp", json!("2024-01-02")),
            ("Timestamp", json!("20241302060405")),
            ("TransactionType", json!("CustomerPayBill")),
            ("Amount", json!("0")),
            ("Amount", json!("10.50")),
            ("Amount", json!("-1")),
            ("Amount", json!("ten")),
            ("PartyA", json!("0722000111")),
            ("PartyB", json!("")),
            ("PhoneNumber", json!("25472200011")),
            ("PhoneNumber", json!(null)),
            ("CallBackURL", json!(null)),
            ("CallBackURL", json!(REPORTED[0])),
            ("CallBackURL", json!(REPORTED[1])),
            ("CallBackURL", json!(REPORTED[2])),
            ("AccountReference", json!("")),
            ("TransactionDesc", json!(long)),
        ],
    )
    .await;
    let stage = Stage::new().await;
    let wrong = "500 500.001.1001 [MerchantValidate] - Wrong credentials";
    let table = [
        (json!({"Timestamp": "20240102060406"}), wrong),
        (json!({"Password": "bm90IGl0"}), wrong),
        (json!({"Password": "not base64!"}), wrong),
        (json!({"BusinessShortCode": "999999"}), "500 500.001.1001 Merchant does not exist"),
        (json!({"TransactionDesc": null}), "200 0"),
    ];
    for (change, expected) in table {
        assert_eq!(stage.word(STK, &with(&stk("0111"), &change)).await, expected, "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn stk_query_is_checked_like_a_push() {
    let stage = Stage::new().await;
    let field = |name: &str| format!("400 400.002.02 Bad Request - Invalid {name}");
    let table = [
        (json!({"CheckoutRequestID": null}), field("CheckoutRequestID")),
        (json!({"Timestamp": null}), field("Timestamp")),
        (
            json!({"Password": "bm90IGl0"}),
            "500 500.001.1001 [MerchantValidate] - Wrong credentials".to_owned(),
        ),
        (json!({}), "500 500.001.1001 The transaction does not Exist".to_owned()),
    ];
    for (change, expected) in table {
        let body = with(&stk_query("ws_CO_1"), &change);
        assert_eq!(stage.word(STK_QUERY, &body).await, expected, "{change}");
    }
    let came = stage.post(STK_QUERY, &stk_query("ws_CO_1")).await.expect("an answer");
    assert_eq!(came.json()["requestId"], "ws_CO_1");
}

#[tokio::test(start_paused = true)]
async fn b2c_payment() {
    let long = "x".repeat(101);
    fields(
        B2C,
        &b2c("a", "0111"),
        &[
            ("OriginatorConversationID", json!(null)),
            ("InitiatorName", json!(null)),
            ("SecurityCredential", json!("")),
            ("CommandID", json!("PayUnregistered")),
            ("Amount", json!("10.50")),
            ("PartyA", json!("17")),
            ("PartyB", json!("0722000111")),
            ("PartyB", json!("255722000111")),
            ("Remarks", json!("x")),
            ("Remarks", json!(long)),
            ("QueueTimeOutURL", json!(null)),
            ("QueueTimeOutURL", json!(REPORTED[0])),
            ("ResultURL", json!(REPORTED[1])),
            ("Occassion", json!(long)),
        ],
    )
    .await;
    // The first version knows no id of the caller's.
    let stage = Stage::new().await;
    let v1 = with(&b2c("a", "0111"), &json!({"OriginatorConversationID": null, "Amount": 150.0}));
    let came = stage.post("/mpesa/b2c/v1/paymentrequest", &v1).await.expect("an answer").json();
    let id = came["OriginatorConversationID"].as_str().expect("an id");
    assert_eq!(id.split('-').count(), 4, "{id}");
    assert!(stage.sim.paid(id).is_some());
    // Limits, and who pays, are found later.
    let table = [
        (json!({"Amount": "9"}), "2"),
        (json!({"Amount": "250001"}), "3"),
        (json!({"Amount": "99951"}), "1"),
        (json!({"PartyA": "999999"}), "21"),
        (json!({"InitiatorName": "other"}), "2001"),
    ];
    stage.heard().await;
    for (number, (change, expected)) in table.into_iter().enumerate() {
        let body = with(&b2c(&format!("later-{number}"), "0111"), &change);
        assert_eq!(stage.word(B2C, &body).await, "200 0", "{change}");
        let heard = stage.heard().await;
        assert_eq!(heard.len(), 1);
        assert_eq!(heard[0].code(), expected, "{change}");
        let read = heard[0].json();
        assert_eq!(read["Result"]["ResultParameters"], Value::Null, "{change}");
        let id = read["Result"]["TransactionID"].as_str().expect("an id");
        assert!(id.len() == 10 && id.ends_with("0000000"), "no receipt: {id}");
    }
    assert_eq!(stage.sim.payments(), 1);
}

#[tokio::test(start_paused = true)]
async fn b2b_and_tax() {
    let long = "x".repeat(14);
    fields(
        B2B,
        &b2b(),
        &[
            ("Initiator", json!(null)),
            ("CommandID", json!("BusinessPayment")),
            ("SenderIdentifierType", json!("1")),
            ("RecieverIdentifierType", json!(null)),
            ("RecieverIdentifierType", json!("2")),
            ("Amount", json!("0.5")),
            ("PartyB", json!("254722000111")),
            ("AccountReference", json!(null)),
            ("AccountReference", json!(long)),
            ("Remarks", json!(null)),
            ("ResultURL", json!(REPORTED[2])),
        ],
    )
    .await;
    fields(
        TAX,
        &tax(),
        &[
            ("CommandID", json!("BusinessPayBill")),
            ("PartyB", json!("888880")),
            ("AccountReference", json!(null)),
            ("AccountReference", json!("x".repeat(21))),
        ],
    )
    .await;
    // Spelt right it is not found.
    let stage = Stage::new().await;
    let right = json!({"RecieverIdentifierType": null, "ReceiverIdentifierType": "4"});
    let answer = stage.word(B2B, &with(&b2b(), &right)).await;
    assert_eq!(answer, "400 400.002.02 Bad Request - Invalid RecieverIdentifierType");
}

#[tokio::test(start_paused = true)]
async fn questions_and_reversals() {
    fields(
        STATUS,
        &status(&json!({"TransactionID": "UJ34AA00ZZ"})),
        &[
            ("Initiator", json!(null)),
            ("CommandID", json!("AccountBalance")),
            ("TransactionID", json!(null)),
            ("IdentifierType", json!("11")),
            ("Remarks", json!(null)),
        ],
    )
    .await;
    fields(
        BALANCE,
        &balance(),
        &[("CommandID", json!("Balance")), ("PartyA", json!("x")), ("IdentifierType", json!("9"))],
    )
    .await;
    fields(
        REVERSAL,
        &reversal("UJ34AA00ZZ", "25"),
        &[
            ("TransactionID", json!(null)),
            ("Amount", json!("25.50")),
            ("ReceiverParty", json!(null)),
            ("RecieverIdentifierType", json!("1")),
            ("RecieverIdentifierType", json!(null)),
            ("Remarks", json!("x")),
        ],
    )
    .await;
    let stage = Stage::new().await;
    let right = json!({"RecieverIdentifierType": null, "ReceiverIdentifierType": "11"});
    let answer = stage.word(REVERSAL, &with(&reversal("UJ34AA00ZZ", "25"), &right)).await;
    assert_eq!(answer, "400 400.002.02 Bad Request - Invalid RecieverIdentifierType");
}

#[tokio::test(start_paused = true)]
async fn registration_and_payments_by_request() {
    fields(
        REGISTER,
        &register(),
        &[
            ("ShortCode", json!("999999")),
            ("ResponseType", json!("completed")),
            ("ResponseType", json!(null)),
            ("ConfirmationURL", json!(REPORTED[0])),
            ("ValidationURL", json!("http://gw.example.org/cmd")),
        ],
    )
    .await;
    let long = "x".repeat(21);
    let stage = Stage::new().await;
    let table = [
        ("CommandID", json!("BusinessPayment")),
        ("Amount", json!("0")),
        ("Msisdn", json!("0722000111")),
        ("BillRefNumber", json!(null)),
        ("BillRefNumber", json!(long)),
        ("ShortCode", json!("999999")),
    ];
    for (field, value) in table {
        let mut change = json!({});
        change[field] = value;
        let expected = format!("400 400.002.02 Bad Request - Invalid {field}");
        assert_eq!(stage.word(SIMULATE, &with(&simulate("0111"), &change)).await, expected);
    }
    let till = json!({"CommandID": "CustomerBuyGoodsOnline", "BillRefNumber": null});
    for body in [simulate("0111"), with(&simulate("0111"), &till)] {
        let came = stage.post(SIMULATE, &body).await.expect("an answer").json();
        assert_eq!(came["ResponseDescription"], "Accept the service request successfully.");
        assert!(came["OriginatorCoversationID"].is_string(), "as it is misspelt on the wire");
    }
    stage.heard().await;
    let kinds: Vec<_> =
        stage.sim.ledger().movements.iter().map(|moved| moved.movement.command()).collect();
    assert_eq!(kinds, ["CustomerPayBillOnline", "CustomerBuyGoodsOnline"]);
}

#[tokio::test(start_paused = true)]
async fn qr_and_pull() {
    let qr = "/mpesa/qrcode/v1/generate";
    let good = json!({
        "MerchantName": "Example", "RefNo": "INV-77", "Amount": 25, "TrxCode": "PB",
        "CPI": "174379", "Size": "300",
    });
    fields(qr, &good, &[("TrxCode", json!("XX")), ("Size", json!("big")), ("CPI", json!(null))])
        .await;
    let stage = Stage::new().await;
    let came = stage.post(qr, &good).await.expect("an answer").json();
    assert!(came["QRCode"].as_str().expect("a picture").starts_with("iVBOR"));
    assert!(came["ResponseCode"].as_str().expect("a code").starts_with("AG_"));

    let register = "/pulltransactions/v1/register";
    let body = json!({
        "ShortCode": "174379", "RequestType": "Pull", "NominatedNumber": "254722000111",
        "CallBackURL": "http://gw/cb/pull",
    });
    let answers = [stage.post(register, &body).await, stage.post(register, &body).await];
    let statuses = answers.map(|came| came.expect("an answer").json()["ResponseStatus"].clone());
    assert_eq!(statuses, ["1000", "1001"]);
    let table = [
        (json!({"ShortCode": "999999"}), "400 400.001 Bad Request - Invalid ShortCode"),
        (json!({"StartDate": "2024-01-01"}), "400 400.001 Bad Request - Invalid StartDate"),
        (json!({"EndDate": null}), "400 400.001 Bad Request - Invalid EndDate"),
        (json!({"OffSetValue": "first"}), "400 400.001 Bad Request - Invalid OffSetValue"),
    ];
    for (change, expected) in table {
        assert_eq!(stage.word(PULL, &with(&pull("0"), &change)).await, expected, "{change}");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_content_type_no_field_is_seen_and_what_is_no_json_is_refused() {
    let stage = Stage::new().await;
    let bearer = format!("Bearer {}", stage.token());
    let body = b2c("a", "0111").to_string();
    type Row<'a> = (&'a [(&'a str, &'a str)], &'a str, &'a str);
    let table: [Row<'_>; 4] = [
        (&[], &body, "400 400.002.02 Bad Request - Invalid OriginatorConversationID"),
        (
            &[("content-type", "text/plain")],
            &body,
            "400 400.002.02 Bad Request - Invalid OriginatorConversationID",
        ),
        (&[("content-type", "application/json")], "{", "400 400.002.05 Invalid Request Payload"),
        (&[("content-type", "application/json")], "[]", "400 400.002.05 Invalid Request Payload"),
    ];
    for (headers, body, expected) in table {
        let mut all = vec![("authorization", bearer.as_str())];
        all.extend(headers);
        let came = stage.send(Method::POST, B2C, &all, body).await.expect("an answer");
        assert_eq!(came.word(), expected);
        assert_eq!(came.content_type, "application/json;charset=UTF-8");
        assert!(came.json()["requestId"].as_str().is_some_and(|id| id.len() > 20));
    }
    let huge = format!("{{\"a\":\"{}\"}}", "x".repeat(300 * 1024));
    let all = [("authorization", bearer.as_str()), ("content-type", "application/json")];
    assert_eq!(stage.send(Method::POST, B2C, &all, &huge).await.expect("an answer").status, 413);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_credential_fails_and_the_third_locks_the_operator_on_both_sides() {
    let stage = Stage::new().await;
    let wrong = json!({"SecurityCredential": credential("not it")});
    let table = ["2001", "2001", "2001", "8006"];
    for (number, expected) in table.into_iter().enumerate() {
        let body = with(&b2c(&format!("w{number}"), "0111"), &wrong);
        assert_eq!(stage.word(B2C, &body).await, "200 0");
        assert_eq!(stage.heard().await[0].code(), expected, "{number}");
    }
    // The right one comes too late.
    assert_eq!(stage.word(B2C, &b2c("r", "0111")).await, "200 0");
    assert_eq!(stage.heard().await[0].code(), "8006");
    assert_eq!(
        stage
            .soap("/mminterface/request", &crate::support::soap_payment("600999_Org_1", "0111"))
            .await,
        "0"
    );
    assert!(stage.heard().await[0].text().contains("8006"));
    assert_eq!(stage.sim.payments(), 0);
}
