//! What a rule chooses by, and what becomes of a request, over both interfaces alike.

use std::time::Duration;

use mlango::domain::money::Amount;
use mlango::sim::scenario::Scenario;
use serde_json::json;
use tokio::time::sleep;

use crate::support::{STATUS, STK, STK_QUERY, b2c, status, stk, stk_query};
use crate::world::{BOTH, Over, pay, pay_as, play, question, soap, stage, told};

/// What a rule does; what SOAP and what Daraja answer; the results; whether it is paid.
type Row<'a> = (&'a str, &'a str, &'a str, &'a [&'a str], bool);

#[tokio::test(start_paused = true)]
async fn each_behaviour_is_the_same_over_both_interfaces() {
    let good = "200 0";
    let field = "400 400.002.02 Bad Request - Invalid PartyB";
    let table: &[Row<'_>] = &[
        ("act = \"pay\"", "0", good, &["0"], true),
        ("refuse = \"1005\"", "1005", field, &[], false),
        ("act = \"throttle\"", "100000002", "429", &[], false),
        ("fail = \"2040\"", "0", good, &["2040"], false),
        ("fail = \"8006\"", "0", good, &["8006"], false),
        ("act = \"forget\"", "nothing", "nothing", &[], false),
        ("act = \"forget\", answer = \"never\"", "nothing", "nothing", &[], false),
        ("act = \"forget\", answer = \"page_503\"", "http 503", "503", &[], false),
        ("answer = \"never\"", "nothing", "nothing", &["0"], true),
        ("answer = \"drop\"", "nothing", "nothing", &["0"], true),
        ("answer = \"drop\", result = \"never\"", "nothing", "nothing", &[], true),
        ("answer = \"page\"", "http 200", "200", &["0"], true),
        ("answer = \"page_503\"", "http 503", "503", &["0"], true),
        ("answer_after = \"2s\"", "0", good, &["0"], true),
        ("result = \"twice\", again_after = \"3s\"", "0", good, &["0", "0"], true),
        ("result = \"never\"", "0", good, &[], true),
        ("result = \"first\"", "0", good, &["0"], true),
        ("result = \"malformed\"", "0", good, &["?"], true),
        ("result = \"malformed_first\", malformed = \"cut\"", "0", good, &["?", "0"], true),
        ("contradict = \"2040\"", "0", good, &["0", "2040"], true),
        ("result_after = \"10m\"", "0", good, &["0"], true),
        ("fault = \"http_503_before\"", "http 503", "503", &[], false),
        ("fault = \"http_504_after\"", "http 504", "504", &["0"], true),
        ("fault = \"waf\"", "http 403", "403", &[], false),
        ("fault = \"empty\"", "http 400", "400", &[], false),
        ("fault = \"drop_before\"", "nothing", "nothing", &[], false),
        ("fault = \"hang_after\"", "nothing", "nothing", &["0"], true),
        ("fault = \"rule_17\"", "0", good, &["17"], false),
        ("fault = [\"no_callback\", \"http_500_after\"]", "http 500", "500", &[], true),
    ];
    for over in BOTH {
        for (nth, (then, by_soap, by_daraja, results, is_paid)) in table.iter().enumerate() {
            let stage =
                stage(&format!("[[rules]]\nwhen = {{ api = \"b2c\" }}\nthen = {{ {then} }}\n"))
                    .await;
            let (id, begun) = (format!("pay-{nth}"), tokio::time::Instant::now());
            // A phone that would be refused by itself: a rule goes before it.
            let answer = pay(&stage, over, &id, "0001").await;
            let expected = if over == Over::Soap { *by_soap } else { *by_daraja };
            let is_it = answer == expected || answer.split(' ').next() == Some(expected);
            assert!(is_it, "{over:?} {then}: {answer}");
            assert_eq!(told(&stage).await, *results, "{over:?} {then}");
            assert_eq!(stage.sim.paid(&id).is_some(), *is_paid, "{over:?} {then}");
            if then.contains("10m") {
                assert!(begun.elapsed() >= Duration::from_secs(600), "{then}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_held_is_carried_out_or_given_up() {
    for over in BOTH {
        let stage = stage("[[rules]]\nwhen = { api = \"b2c\", phone_ends = \"0222\" }\n\
             then = { act = \"hold\", hold_for = \"90s\" }\n\
             [[rules]]\nwhen = { api = \"b2c\" }\nthen = { act = \"give_up\", hold_for = \"60s\" }\n")
        .await;
        let held = if over == Over::Soap { "100000000" } else { "200 0" };
        assert_eq!(pay(&stage, over, "held", "0222").await, held);
        assert_eq!(pay(&stage, over, "given-up", "0111").await, held);
        sleep(Duration::from_secs(89)).await;
        assert!(stage.sim.paid("held").is_none(), "{over:?}: nothing yet");
        assert_eq!(told(&stage).await, ["timeout", "0"], "{over:?}");
        assert!(stage.sim.paid("held").is_some() && stage.sim.paid("given-up").is_none());
    }
}

#[tokio::test(start_paused = true)]
async fn a_rule_chooses_by_what_it_names() {
    // When; which of the payouts it is about: by phone, amount and command.
    let payouts: [(&str, u64, &str); 4] = [
        ("a", 150, "BusinessPayment"),
        ("b", 1_500, "BusinessPayment"),
        ("c", 1_500, "SalaryPayment"),
        ("d", 20_000, "PromotionPayment"),
    ];
    let table: &[(&str, &[&str])] = &[
        ("", &["a", "b", "c", "d"]),
        ("phone = \"0722 000 111\"", &["a", "b", "c", "d"]),
        ("phone = [\"254722000112\", \"0722000113\"]", &[]),
        ("phone_ends = [\"0222\", \"0111\"]", &["a", "b", "c", "d"]),
        ("phone_ends = \"0222\"", &[]),
        ("amount = \"1500.00\"", &["b", "c"]),
        ("amount = 150", &["a"]),
        ("amount = { from = \"1000\" }", &["b", "c", "d"]),
        ("amount = { from = 150, to = 1499 }", &["a"]),
        ("command = \"SalaryPayment\"", &["c"]),
        ("command = [\"SalaryPayment\", \"PromotionPayment\"], amount = { to = 2000 }", &["c"]),
        ("app = \"apiop\"", &["a", "b", "c", "d"]),
        ("app = \"somebody\"", &[]),
        ("api = \"b2c\"", &["a", "b", "c", "d"]),
        ("api = [\"stk\", \"status\"]", &[]),
        ("nth = 2", &["b"]),
        ("nth = 2, times = 2, every = 1", &["b", "c"]),
        ("every = 2", &["b", "d"]),
        ("every = 2, times = 1", &["b"]),
        ("times = 3", &["a", "b", "c"]),
        ("amount = 1500, nth = 2", &["c"]),
        ("attempt = 1", &["a", "b", "c", "d"]),
        ("attempt = 2", &[]),
    ];
    for over in BOTH {
        for (when, hit) in table {
            let stage =
                stage(&format!("[[rules]]\nwhen = {{ {when} }}\nthen = {{ fail = \"9\" }}\n"))
                    .await;
            for (id, shillings, command) in payouts {
                pay_as(&stage, over, id, shillings, command).await;
                let codes = told(&stage).await;
                let expected = if hit.contains(&id) { "9" } else { "0" };
                assert_eq!(codes, [expected], "{over:?} {when}: {id}");
            }
            let line = &stage.sim.scenario_lines()[0];
            assert_eq!(usize::try_from(line.hits).unwrap(), hit.len(), "{when}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_interface_is_chosen_and_each_app_by_its_names() {
    let stage = stage(
        "[[rules]]\nwhen = { interface = \"daraja\", app = \"simulated-consumer-key\" }\n\
         then = { fail = \"1\" }\n\
         [[rules]]\nwhen = { app = [\"100001000\", \"100009\"] }\nthen = { fail = \"2\" }\n",
    )
    .await;
    pay(&stage, Over::Soap, "s", "0111").await;
    assert_eq!(told(&stage).await, ["2"], "by its service_id");
    pay(&stage, Over::Daraja, "d", "0111").await;
    assert_eq!(told(&stage).await, ["1"], "by its consumer key");
}

#[tokio::test(start_paused = true)]
async fn the_first_rule_that_is_met_decides_and_a_rule_out_of_turn_lets_pass() {
    for over in BOTH {
        let stage = stage(
            "[[rules]]\nname = \"the second\"\nwhen = { api = \"b2c\", nth = 2 }\n\
             then = { fail = \"1\" }\n\
             [[rules]]\nwhen = { phone_ends = \"0111\" }\nthen = { fail = \"2040\" }\n",
        )
        .await;
        let mut codes = Vec::new();
        for (id, ending) in [("a", "0111"), ("b", "0111"), ("c", "0222"), ("d", "0003")] {
            pay(&stage, over, id, ending).await;
            codes.extend(told(&stage).await);
        }
        // The last phone selects what it always does: no rule is about it.
        assert_eq!(codes, ["2040", "1", "0", "1"], "{over:?}");
        let lines = stage.sim.scenario_lines();
        let counts: Vec<(u32, u32)> = lines.iter().map(|line| (line.met, line.hits)).collect();
        assert_eq!(counts, [(4, 1), (1, 1)]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_try_under_the_same_name_is_counted_and_meets_another_rule() {
    for over in BOTH {
        let stage = stage(
            "[[rules]]\nwhen = { api = \"b2c\", attempt = 1 }\nthen = { act = \"forget\" }\n\
             [[rules]]\nwhen = { api = \"b2c\", attempt = 2 }\nthen = { act = \"throttle\" }\n",
        )
        .await;
        assert_eq!(pay(&stage, over, "a", "0111").await, "nothing");
        let throttled = pay(&stage, over, "a", "0111").await;
        assert!(["100000002", "429"].contains(&throttled.as_str()), "{throttled}");
        assert_eq!(pay(&stage, over, "b", "0111").await, "nothing", "another name, a first try");
        pay(&stage, over, "a", "0111").await;
        assert_eq!(told(&stage).await, ["0"], "{over:?}: paid at the third");
    }
}

#[tokio::test(start_paused = true)]
async fn windows_open_and_close_by_the_simulators_clock() {
    // From, until, cycle; at which seconds it is met.
    let table: &[(&str, &[u64])] = &[
        ("from = \"10s\", until = \"20s\"", &[10, 15]),
        ("from = \"15s\"", &[15, 20, 25, 30, 35]),
        ("until = \"10s\"", &[0, 5]),
        ("cycle = \"15s\", from = \"5s\", until = \"10s\"", &[5, 20, 35]),
        ("cycle = \"20s\", from = \"15s\"", &[15, 35]),
    ];
    for over in BOTH {
        for (when, at) in table {
            let rules =
                format!("[[rules]]\nwhen = {{ {when} }}\nthen = {{ act = \"throttle\" }}\n");
            let stage = stage(&rules).await;
            let begun = tokio::time::Instant::now();
            let mut met = Vec::new();
            for second in (0..40).step_by(5) {
                sleep(Duration::from_secs(second).saturating_sub(begun.elapsed())).await;
                let answer = pay(&stage, over, &format!("at-{second}"), "0111").await;
                if answer.starts_with("100000002") || answer.starts_with("429") {
                    met.push(second);
                }
            }
            assert_eq!(met, *at, "{over:?} {when}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_share_follows_from_the_seed_and_the_name_and_not_from_the_order() {
    let rules =
        "[[rules]]\nwhen = { api = \"b2c\", share = \"25%\" }\nthen = { refuse = \"1005\" }\n";
    let refused = async |ids: &[u32]| {
        let stage = stage(rules).await;
        let mut refused = Vec::new();
        for id in ids {
            if pay(&stage, Over::Soap, &format!("pay-{id}"), "0111").await == "1005" {
                refused.push(*id);
            }
        }
        refused.sort_unstable();
        refused
    };
    let ids: Vec<u32> = (0..400).collect();
    let backwards: Vec<u32> = ids.iter().rev().copied().collect();
    let first = refused(&ids).await;
    assert_eq!(first, refused(&backwards).await);
    assert!((80..=120).contains(&first.len()), "{} of 400", first.len());
}

#[tokio::test(start_paused = true)]
async fn a_question_is_about_the_phone_of_what_it_asks_about() {
    let stage = stage(
        "[[rules]]\nwhen = { api = \"status\", phone_ends = \"0222\" }\nthen = { result = \"twice\" }\n\
         [[rules]]\nwhen = { api = \"b2c\", phone_ends = \"0333\" }\nthen = { act = \"forget\" }\n\
         [[rules]]\nwhen = { api = \"status\", phone_ends = \"0333\" }\nthen = { result = \"never\" }\n",
    )
    .await;
    for (id, ending) in [("a", "0111"), ("b", "0222"), ("c", "0333")] {
        pay(&stage, Over::Soap, id, ending).await;
    }
    told(&stage).await;
    // The last was forgotten, and nobody but the scenario knows whom it was to pay.
    for (about, results) in [("a", 1), ("b", 2), ("c", 0)] {
        assert_eq!(soap(&stage, &question(&format!("q-{about}"), about)).await, "0");
        assert_eq!(told(&stage).await.len(), results, "{about}");
        stage.word(STATUS, &status(&json!({"OriginalConversationID": about}))).await;
        assert_eq!(told(&stage).await.len(), results, "{about} over Daraja");
    }
    let receipt = stage.sim.paid("b").expect("paid").receipt;
    stage.word(STATUS, &status(&json!({"TransactionID": receipt}))).await;
    assert_eq!(told(&stage).await.len(), 2, "by its receipt");
}

#[tokio::test(start_paused = true)]
async fn prompts_and_their_queries_are_played_too() {
    let stage = stage(
        "[[rules]]\nwhen = { api = \"stk_query\", phone_ends = \"0222\", nth = 1 }\n\
         then = { fault = \"processing\" }\n\
         [[rules]]\nwhen = { api = \"stk_query\" }\nthen = { fail = \"1019\" }\n\
         [[rules]]\nwhen = { api = \"stk\", phone_ends = \"0222\" }\nthen = { prompt = \"cancel\" }\n\
         [[rules]]\nwhen = { api = \"stk\", phone_ends = \"0333\" }\nthen = { result = \"twice\" }\n",
    )
    .await;
    let came = stage.post(STK, &stk("0222")).await.expect("an answer").json();
    let checkout = came["CheckoutRequestID"].as_str().expect("an id").to_owned();
    assert_eq!(told(&stage).await, ["1032"]);
    let mut said = Vec::new();
    for _ in 0..2 {
        let answer = stage.post(STK_QUERY, &stk_query(&checkout)).await.expect("an answer");
        said.push(answer.json()["ResultCode"].as_str().expect("a code").to_owned());
    }
    assert_eq!(said, ["4999", "1019"]);
    stage.post(STK, &stk("0333")).await;
    assert_eq!(told(&stage).await, ["0", "0"]);
}

#[tokio::test(start_paused = true)]
async fn a_token_is_refused_in_the_words_of_each_api() {
    let stage = stage(
        "[[rules]]\nwhen = { nth = 1, times = 2, every = 1 }\nthen = { fault = \"token_refused\" }\n\
         [[rules]]\nwhen = { api = \"oauth\" }\nthen = { fault = \"token_life:2\" }\n",
    )
    .await;
    let refused = stage.word("/mpesa/b2c/v3/paymentrequest", &b2c("a", "0111")).await;
    assert!(refused.starts_with("401 401.002.01"), "{refused}");
    let refused = stage.word(STK, &stk("0111")).await;
    assert!(refused.starts_with("404 404.001.03"), "{refused}");
    stage.renew().await;
    assert_eq!(stage.word(STK, &stk("0111")).await, "200 0");
    sleep(Duration::from_secs(3)).await;
    let refused = stage.word(STK, &stk("0222")).await;
    assert!(refused.starts_with("404 404.001.03"), "it lived for two seconds: {refused}");
}

#[tokio::test(start_paused = true)]
async fn the_float_is_what_the_scenario_says_when_it_says_it() {
    let stage = stage(
        "[[float]]\nbalance = \"200.00\"\n[[float]]\nat = \"10m\"\nbalance = 5000\n\
         [[float]]\nat = \"10m\"\nshortcode = \"600000\"\nbalance = \"7.50\"\n",
    )
    .await;
    let balance = async || {
        let accounts = stage.get("/sim/accounts").await;
        let working = accounts["working"].as_array().unwrap().iter();
        let till = working.clone().find(|one| one["shortcode"] == "600000").unwrap();
        let (ours, till) = (&accounts["utility"]["balance"], &till["balance"]);
        format!("{} {}", ours.as_str().unwrap(), till.as_str().unwrap())
    };
    assert_eq!(balance().await, "200.00 1000000.00");
    for (id, over, code) in
        [("a", Over::Soap, "0"), ("b", Over::Soap, "1"), ("c", Over::Daraja, "1")]
    {
        pay(&stage, over, id, "0111").await;
        assert_eq!(told(&stage).await, [code], "{id}");
    }
    assert_eq!(balance().await, "50.00 1000000.00");
    sleep(Duration::from_secs(600)).await;
    assert_eq!(balance().await, "5000.00 7.50");
    pay(&stage, Over::Daraja, "d", "0111").await;
    assert_eq!(told(&stage).await, ["0"]);
    assert_eq!(stage.sim.ledger().total_paid, Amount::from_shillings(300));
}

#[tokio::test(start_paused = true)]
async fn what_was_laid_down_for_one_id_goes_before_a_rule() {
    use mlango::sim::script::{Act, Behaviour};
    let stage = stage("[[rules]]\nthen = { act = \"forget\" }\n").await;
    let fail = Behaviour { act: Act::Fail("17".into()), ..Behaviour::ORDINARY };
    stage.sim.script_payment("a", fail);
    assert_eq!(pay(&stage, Over::Soap, "a", "0111").await, "0");
    assert_eq!(told(&stage).await, ["17"]);
    assert_eq!(pay(&stage, Over::Soap, "b", "0111").await, "nothing");
}

#[tokio::test(start_paused = true)]
async fn another_scenario_begins_anew_and_none_leaves_the_phones_as_they_are() {
    let rules = "[[rules]]\nwhen = { api = \"b2c\", nth = 1 }\nthen = { fail = \"1\" }\n";
    let stage = stage(rules).await;
    let mut codes = Vec::new();
    for (id, restart) in [("a", false), ("b", false), ("c", true)] {
        if restart {
            play(&stage, rules);
        }
        pay(&stage, Over::Soap, id, "0111").await;
        codes.extend(told(&stage).await);
    }
    assert_eq!(codes, ["1", "0", "1"]);
    stage.sim.play(None::<Scenario>);
    assert_eq!(pay(&stage, Over::Soap, "d", "0001").await, "1005");
    assert!(stage.sim.scenario_lines().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_result_is_written_in_other_ways_over_both() {
    // The fault; what a result of SOAP's, and of Daraja's, then holds, and what it does not.
    let table: &[(&str, &str, &str, &str)] = &[
        ("no_parameters", "<ResultCode>0<", "\"ResultCode\":0", "TransactionAmount"),
        ("no_phone", "TransactionAmount", "TransactionAmount", "254722000111 - "),
        ("masked_phone", "25472****111 - ", "25472****111 - ", "254722000111 - "),
        ("wrong_amount", "151.00", "\"Value\":151", "150.00<"),
        (
            "no_balance_value",
            "<Key>B2CUtilityAccountAvailableFunds</Key><Value></Value>",
            "{\"Key\":\"B2CUtilityAccountAvailableFunds\"}",
            "99850",
        ),
    ];
    for (fault, in_soap, in_daraja, in_neither) in table {
        for over in BOTH {
            let rules = format!("[[rules]]\nthen = {{ fault = \"{fault}\" }}\n");
            let stage = stage(&rules).await;
            pay(&stage, over, "a", "0111").await;
            let heard = stage.heard().await;
            let text = heard[0].text();
            let has = if over == Over::Soap { in_soap } else { in_daraja };
            assert!(text.contains(has), "{over:?} {fault}: {text}");
            assert!(!text.contains(in_neither), "{over:?} {fault}: {text}");
        }
    }
    for over in BOTH {
        let stage = stage("[[rules]]\nthen = { fault = [\"wrong_id\", \"shuffle\"] }\n").await;
        pay(&stage, over, "a", "0111").await;
        let text = stage.heard().await[0].text();
        let entry = stage.sim.paid("a").expect("paid");
        assert!(text.contains(&format!("{}9", entry.conversation_id)), "{over:?}: {text}");
        let place = |key: &str| text.find(key).expect(key);
        assert!(place("TransactionReceipt") > place("TransactionAmount"), "{over:?}: {text}");
    }
}
