//! What the program keeps from others: its files, its memory, and who did what to it.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::house::{BINARY, House};

/// Everything below a directory that somebody else could open, and how.
fn open_to_others(dir: &Path) -> Vec<String> {
    let mut open = Vec::new();
    for entry in fs::read_dir(dir).expect("a directory") {
        let path = entry.expect("an entry").path();
        let found = fs::symlink_metadata(&path).expect("metadata");
        let mode = found.permissions().mode() & 0o777;
        let may_be = if found.is_dir() { 0o700 } else { 0o600 };
        if mode & !may_be != 0 {
            open.push(format!("{} {mode:o}", path.display()));
        }
        if found.is_dir() {
            open.extend(open_to_others(&path));
        }
    }
    open
}

/// The program, started by somebody whose files are everybody's.
fn careless(house: &House, line: &str) -> Command {
    let own = house.command(&[]);
    let program = format!("umask 000; exec {BINARY} {line}");
    let mut careless = Command::new("/bin/sh");
    careless.args(["-c", &program]).current_dir(house.path(".")).env_clear();
    for (name, value) in own.get_envs() {
        careless.env(name, value.expect("a value"));
    }
    careless
}

#[test]
fn what_init_writes_is_its_owners_alone_whatever_the_umask() {
    let house = House::new();
    let done = house.finish(careless(&house, "init --dir fresh"), "");
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(house.path("fresh/mlango.toml").exists());
    assert_eq!(open_to_others(&house.path("fresh")), Vec::<String>::new());
    let own = fs::metadata(house.path("fresh")).expect("a directory").permissions().mode();
    assert_eq!(own & 0o077, 0, "{own:o}");
}

#[test]
fn a_running_gateway_dumps_no_core_and_its_store_and_socket_are_its_owners_alone() {
    let house = House::new();
    let files = house.path("careless");
    let mut gateway = crate::process::Process::start(careless(&house, "serve"), &files, Vec::new());
    gateway.until("the gateway answers", |_| house.answers(house.api));
    let limits = fs::read_to_string(format!("/proc/{}/limits", gateway.id())).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    let figures: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(figures, ["0", "0"], "{core}");
    let data = house.path("data");
    assert_eq!(open_to_others(&data), Vec::<String>::new());
    let own = fs::metadata(&data).expect("the store").permissions().mode();
    assert_eq!(own & 0o077, 0, "{own:o}");
    let socket = fs::symlink_metadata(house.path("data.sock")).expect("the socket");
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600);
    gateway.stop();
}

#[test]
fn who_started_stopped_and_changed_the_gateway_stands_in_the_feed() {
    let house = House::new();
    let mut gateway = house.serve();
    let admin = house.client("control", &["admin"]);
    gateway.stop();
    let made = house.run(&["apps", "create", "second", "--json"]).json();
    let id = made["app"]["id"].as_str().expect("an id").to_owned();
    let mut gateway = house.serve();
    let page = admin.get("/v1/events").expect("an answer").json();
    let events: Vec<(String, String)> = page["data"]
        .as_array()
        .expect("events")
        .iter()
        .map(|event| {
            let text = |value: &Value| value.as_str().expect("text").to_owned();
            (text(&event["type"]), text(&event["data"]["says"]))
        })
        .collect();
    let kinds: Vec<&str> = events.iter().map(|(kind, _says)| kind.as_str()).collect();
    assert_eq!(
        kinds,
        [
            "admin.gateway_started",
            "admin.app_created",
            "admin.gateway_stopped",
            "admin.app_created",
            "admin.gateway_started",
        ]
    );
    assert!(events[1].1.contains("from the shell, uid "), "{events:?}");
    assert!(events[3].1.contains(", without a gateway: application"), "{events:?}");
    assert!(events[3].1.contains(&id), "{events:?}");
    gateway.stop();
    assert_eq!(house.run(&["verify"]).code, 0);
}

#[test]
fn secrets_that_are_read_again_leave_a_record_and_bad_ones_none() {
    let house = House::new();
    let mut gateway = house.serve();
    let admin = house.client("control", &["admin"]);
    let reloads = || -> Vec<String> {
        let page = admin.get("/v1/events").expect("an answer").json();
        let all = page["data"].as_array().expect("events").iter();
        all.filter(|event| event["type"] == "admin.configuration_reloaded")
            .map(|event| event["data"]["says"].as_str().expect("text").to_owned())
            .collect()
    };
    let good = fs::read_to_string(house.path("mlango.toml")).expect("a configuration");
    house.write("mlango.toml", &format!("{good}\n[no_such_section]\n"));
    gateway.signal("HUP");
    gateway.until("it is refused", |gateway| gateway.err().contains("will not do").then_some(()));
    assert_eq!(reloads(), Vec::<String>::new());
    house.write("mlango.toml", &good);
    gateway.signal("HUP");
    let said = gateway.until("it is recorded", |_| reloads().pop());
    assert!(said.contains("secrets and certificates read again"), "{said}");
    assert!(!said.contains(&*house.path(".").to_string_lossy()), "no place is told: {said}");
    gateway.stop();
}
