//! The checklist of spec/daraja.md §12: each item, and by what it is brought about for one request.
//!
//! What each fault then does is shown where it is named: in `faults`, `checks`, `prompts`,
//! `customer`, `sms`, `token` and `phones`.

use std::fs;
use std::path::Path;

use serde_json::json;

use crate::support::Stage;

/// What is to be brought about; the api, and the faults that do it.
const ITEMS: &[(&str, &str, &[&str])] = &[
    ("callback before the answer", "stk", &["callback_first"]),
    ("no callback", "stk", &["no_callback"]),
    ("a callback twice", "stk", &["duplicate_callback"]),
    ("a callback late, and so out of order", "b2c", &["late_callback:90000"]),
    (
        "500, 503, 429, 504 before it is taken",
        "b2c",
        &["http_500_before", "http_503_before", "429", "http_504_before"],
    ),
    (
        "500, 503, 429, 504 after it was taken",
        "b2c",
        &["http_500_after", "http_503_after", "429_after", "http_504_after"],
    ),
    ("no answer", "b2c", &["hang_before", "hang_after", "drop_before", "drop_after"]),
    ("the firewall's page", "oauth", &["waf", "waf_503"]),
    ("Apigee's fault", "b2b", &["429", "apigee"]),
    ("a SOAP fault as JSON", "c2b_register", &["soap_fault"]),
    ("an empty body", "b2c", &["empty", "empty_after"]),
    (
        "a token that ends, in all its spellings",
        "*",
        &[
            "token_404_001_03",
            "token_401_002_01",
            "token_400_003_01",
            "token_401_001",
            "token_401_003_01",
        ],
    ),
    ("expires_in as a number", "oauth", &["expires_in_number"]),
    ("a token that lives shorter", "oauth", &["token_life:5"]),
    ("4999, then the last word", "stk_query", &["processing", "fail:1032"]),
    (
        "400 and 500 for an id that is known",
        "stk_query",
        &["400_checkout", "unknown_id", "processing_500", "processing_200"],
    ),
    ("Balance without a value", "stk", &["no_balance_value"]),
    ("items in another order", "stk", &["shuffle"]),
    ("no items, no parameters", "stk", &["no_parameters"]),
    (
        "a code as a number, a text, with letters",
        "b2c",
        &["code_as_string", "fail:2001", "fail:SFC_IC0003"],
    ),
    ("ResultParameter and ReferenceItem as an object or a list", "b2c", &["result_object"]),
    ("no ResultParameters", "b2c", &["no_parameters"]),
    ("a masked phone", "c2b", &["masked_short"]),
    ("a masked phone, or none, in a callback", "stk", &["masked_phone", "no_phone"]),
    ("QueueTimeOut", "b2c", &["timeout_notice", "timeout_notice_thin"]),
    ("the subscriber is locked", "stk", &["locked"]),
    ("rule 17", "stk", &["rule_17"]),
    ("addresses are registered", "c2b_register", &["already_registered"]),
    ("addresses are registered elsewhere", "c2b_register", &["duplicate_notification"]),
    ("another amount, another id", "stk", &["wrong_amount", "wrong_id"]),
    ("no confirmation", "c2b", &["no_confirmation"]),
    ("spike arrest, busy, quota, maintenance", "b2b", &["spike", "busy", "quota", "maintenance"]),
    ("what of it is to be doubted", "reversal", &["system_after", "internal_after"]),
];

#[tokio::test(start_paused = true)]
async fn every_item_of_the_checklist_can_be_brought_about() {
    for (item, api, faults) in ITEMS {
        let stage = Stage::new().await;
        for fault in *faults {
            let rule = json!({"api": api, "fault": fault});
            let (status, told) = stage.control("/sim/faults", &rule).await;
            assert_eq!(status, 201, "{item}: {told}");
        }
        let waiting = stage.get("/sim/faults").await;
        assert_eq!(waiting["data"].as_array().map(Vec::len), Some(faults.len()), "{item}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_manual_names_every_api_and_every_fault() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = ["README.md", "docs/scenarios.md"];
    let manual = pages.map(|page| fs::read_to_string(root.join(page)).expect(page)).concat();
    let known = Stage::new().await.get("/sim/faults").await;
    for list in ["apis", "faults"] {
        let names = known[list].as_array().expect("a list");
        assert!(names.len() > 10, "{list}");
        for name in names {
            let name = format!("`{}`", name.as_str().expect("a name"));
            assert!(manual.contains(&name), "{pages:?} do not name {name} of {list}");
        }
    }
}
