//! The README's own lines, run as they stand.
//!
//! A block of shell that follows the comment `<!-- tested: curl -->` is run by bash against a demo,
//! with the demo's key, and its ports where the usual ones are taken.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::api::Api;
use crate::demo::{stage, staying};
use crate::house::House;
use crate::process::eventually;

const MARK: &str = "<!-- tested: curl -->";

/// The blocks of shell that follow the mark.
fn blocks(readme: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut lines = readme.lines();
    while lines.any(|line| line.trim() == MARK) {
        let fence = lines.find(|line| !line.trim().is_empty()).expect("a block");
        assert!(fence.starts_with("```"), "after {MARK} comes a fenced block: {fence}");
        let block = lines.by_ref().take_while(|line| !line.starts_with("```"));
        blocks.push(block.fold(String::new(), |mut text, line| {
            writeln!(text, "{line}").unwrap();
            text
        }));
    }
    blocks
}

#[test]
fn the_readmes_own_lines_do_what_they_say() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(readme).expect("a README");
    let blocks = blocks(&readme);
    assert!(!blocks.is_empty(), "README.md has no block that follows {MARK}");

    let _stage = stage();
    let house = House::new();
    let (mut demo, api, mpesa) = staying(&house, &[]);
    let samples = api.payouts().len();
    let base = format!("http://127.0.0.1:{}", api.port);
    let ledger = format!("http://127.0.0.1:{mpesa}");
    // Where the reader puts the key that the demo printed.
    let is_key = |line: &&str| line.trim_start().starts_with("export MLANGO_API_KEY=");
    for block in &blocks {
        let script: Vec<&str> = block.lines().filter(|line| !is_key(line)).collect();
        let script = script
            .join("\n")
            .replace("http://127.0.0.1:8080", &base)
            .replace("http://localhost:8080", &base)
            .replace("http://127.0.0.1:8310", &ledger);
        let mut command = Command::new("bash");
        command.args(["-euo", "pipefail", "-c", &script]).env("MLANGO_API_KEY", &api.key);
        let done = house.finish(command, "");
        assert_eq!(done.code, 0, "{script}\n{}{}", done.out, done.err);
        assert!(!done.out.contains("urn:mlango:problem"), "{script}\n{}", done.out);
    }
    let ours = eventually("what was posted succeeds", || {
        let all = api.payouts();
        let ours: Vec<_> = all.into_iter().skip(samples).collect();
        let done = ours.iter().all(|payout| payout["status"] == "succeeded");
        (done && !ours.is_empty()).then_some(ours)
    });
    for payout in ours {
        assert!(payout["receipt"].is_string(), "{payout}");
    }
    money_came_in_and_was_asked_about(&api);
    demo.stop();
}

/// What the README says of its own lines about money in.
fn money_came_in_and_was_asked_about(api: &Api) {
    let read = |path: &str| api.get(path).expect("an answer").json();
    // Reference, and whether it was claimed.
    for (reference, is_claimed) in
        [("ORDER001", false), ("ORDER002", false), ("INV-300", false), ("INV-301", true)]
    {
        let told = read(&format!("/v1/payments/verify?reference={reference}"));
        assert_eq!(told["paid"], true, "{reference}: {told}");
        assert_eq!(told["payment"]["claimed"], is_claimed, "{reference}: {told}");
    }
    let count = |path: &str| read(path)["data"].as_array().map_or(0, Vec::len);
    assert_eq!(count("/v1/payments?account=INV-300"), 1, "the second was turned down");
    let asked = eventually("every inquiry is answered", || {
        let all = read("/v1/inquiries?limit=500")["data"].as_array().expect("a list").clone();
        all.iter().all(|inquiry| inquiry["status"] == "succeeded").then_some(all)
    });
    for kind in ["balance", "transaction_status", "reversal", "business_payment", "tax"] {
        let answered = asked.iter().filter(|it| it["type"] == kind && it["answer"].is_object());
        assert!(answered.count() > 0, "{kind}: {asked:?}");
    }
}

#[test]
fn marked_blocks_are_found_and_no_others() {
    let text = format!(
        "# A\n```sh\nnot this\n```\n{MARK}\n\n```sh\nthis \\\n  one\n```\ntext\n{MARK}\n```\nand this\n```\n"
    );
    assert_eq!(blocks(&text), ["this \\\n  one\n", "and this\n"]);
}
