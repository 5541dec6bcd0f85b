//! The gateway before the judge, on both rails; and its clients, right and wrong.

use super::{Done, Run, examples};
use crate::house::House;
use crate::process::assert_clean;

/// A client that waits for two seconds, and what is late is later than that.
const PACE: [&str; 6] = ["--late", "3s", "--hold", "5s", "--quiet", "10s"];

/// A gateway whose waits suit that.
fn house() -> House {
    let house = House::new()
        .with("BROKER__TIMEOUT", "2s")
        .with("DARAJA__TIMEOUT", "2s")
        .with("PAYOUTS__RESULT_OVERDUE", "4s")
        .with("PAYOUTS__ARRIVAL_WINDOW", "4s")
        .with("PAYOUTS__CACHED_WINDOW", "6s")
        .with("PAYOUTS__INQUIRY_INTERVALS", "[\"1s\", \"2s\", \"3s\", \"3s\"]");
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    house.with("DARAJA__URL", &daraja)
}

/// Certifies a gateway of its own over one rail, by way of its REST API.
fn certified(interface: &str) -> Done {
    let (house, run) = (house(), Run::new());
    let mut gateway = house.serve();
    let api = house.client("certify", &["payouts:write", "payouts:read"]);
    let url = format!("http://127.0.0.1:{}", house.api);
    let args = ["--interface", interface, "--url", &url, "--timeout", "10"];
    let adapter = run.client(&examples().join("gateway_adapter.py"), &args, Some(&api.key));
    let done = run.certify_by(house.command(&["--config", "mlango.toml"]), interface, &PACE);
    drop(adapter);
    gateway.stop();
    assert_clean(&done.err, &[api.key]);
    done
}

#[test]
fn the_gateway_passes_every_case_over_soap() {
    certified("soap").passed(60);
}

#[test]
fn the_gateway_passes_every_case_over_daraja() {
    certified("daraja").passed(60);
}

/// Certifies a client of a gateway that is started for it.
fn client(script: &str) -> Done {
    let run = Run::new();
    let front = format!("127.0.0.1:{}", crate::house::free_port());
    let args = ["--interface", "gateway", "--timeout", "2"];
    let _client = run.client(&examples().join(script), &args, None);
    run.certify("gateway", &[&PACE[..], &["--front", &front]].concat())
}

#[test]
fn a_right_client_of_the_gateway_passes_every_case() {
    client("gateway_adapter.py").passed(60);
}

/// It takes 202 for paid, and has a new key for each try.
const WRONG: &str = "\
    fails-no-funds fails-below-minimum fails-above-maximum fails-daily-limit fails-bad-receiver \
    fails-receiver-full fails-not-registered fails-internal fails-strange-code refused \
    answer-dropped-fails result-never-fails nothing-comes-fails fails-twice fails-first \
    fails-late denied-then-paid not-the-last-word-fails nobody-knows nobody-knows-fails \
    post-answer-never post-answer-dropped post-answer-dropped-twice post-answer-cut \
    post-answer-502 post-answer-504 post-answer-late post-lost post-lost-then-dropped \
    post-429-then-dropped";

#[test]
fn a_wrong_client_of_the_gateway_fails_exactly_where_it_is_wrong() {
    let done = client("wrong_gateway_client.py");
    done.failed_exactly(WRONG);
    let table: [(&str, &[&str]); 4] = [
        ("post-answer-never", &["double_debit", "new_id"]),
        ("post-lost", &["new_id"]),
        ("refused", &["not_paid_called_paid"]),
        ("post-429", &[]),
    ];
    for (case, flaws) in table {
        assert_eq!(done.flaws(case), flaws, "{case}");
    }
}
