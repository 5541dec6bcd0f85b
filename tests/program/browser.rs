//! The simulator's page, in a real browser (`tests/browser`).
//!
//! Where there is no browser it says so and is skipped, unless `MLANGO_BROWSER=require`;
//! `scripts/setup.sh test` installs what it takes. Screenshots go to `target/browser`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::house::House;

const SCOPES: [&str; 4] = ["payouts:write", "payouts:read", "payments:write", "payments:read"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Where the browser is, as the shell would find it.
fn chromium() -> Option<PathBuf> {
    let places = std::env::var_os("PATH")?;
    std::env::split_paths(&places).map(|place| place.join("chromium")).find(|file| file.is_file())
}

/// What is missing, if anything is.
fn missing(modules: &Path) -> Option<&'static str> {
    let node = Command::new("node").arg("--version").output();
    if !node.is_ok_and(|done| done.status.success()) {
        return Some("node");
    }
    if chromium().is_none() {
        return Some("chromium");
    }
    (!modules.join("playwright-core").exists()).then_some("playwright-core")
}

#[test]
#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn a_tester_sees_and_steers_the_simulator_in_a_browser() {
    let shots: PathBuf = root().join("target/browser");
    let modules = shots.join("node_modules");
    if let Some(what) = missing(&modules) {
        let says = format!("{what} is missing: scripts/setup.sh test installs it");
        assert!(std::env::var_os("MLANGO_BROWSER").is_none_or(|it| it != "require"), "{says}");
        eprintln!("skipped: {says}");
        return;
    }
    let house = House::new();
    let daraja = format!("http://127.0.0.1:{}", house.broker);
    let house = house.with("DARAJA__URL", &daraja);
    let (_simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("browser", &SCOPES);
    let done = Command::new("node")
        .arg(root().join("tests/browser/page.cjs"))
        .env("NODE_PATH", &modules)
        .env("MLANGO_SIM", &daraja)
        .env("MLANGO_API", format!("http://127.0.0.1:{}", house.api))
        .env("MLANGO_API_KEY", &api.key)
        .env("MLANGO_CHROMIUM", chromium().expect("a browser"))
        .env("MLANGO_SHOTS", &shots)
        .output()
        .expect("node");
    let (out, err) = (String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success(), "{out}{err}");
    assert!(out.contains("steps are well"), "{out}");
    gateway.stop();
}
