//! `mlango apps`, with and without a running gateway.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};

use crate::api::{Api, id_of, payout};
use crate::house::House;

fn status(api: &Api) -> u16 {
    api.get("/v1/payouts").expect("an answer").status
}

/// The id of the application of this name, from the list.
fn app_id(house: &House, name: &str) -> String {
    let list = house.run(&["--json", "apps", "list"]).json();
    let apps = list["data"].as_array().expect("a list");
    let app = apps.iter().find(|app| app["name"] == name).expect(name);
    id_of(app).to_owned()
}

/// Everything that is done to applications; it must be the same with and without a gateway.
fn tour(house: &House, check: &dyn Fn(&Api, u16)) {
    let api = house.client("erp", &[]);
    assert!(
        api.key.starts_with("mk_") && api.key.len() == 55,
        "only the key is on standard output"
    );
    check(&api, 200);
    house.run(&["apps", "create", "erp"]).failed(1, &["another application is called \"erp\""]);
    house.run(&["apps", "create", ""]).failed(1, &["a name has 1 to 64 characters"]);

    let id = app_id(house, "erp");
    let table = house.run(&["apps", "list"]);
    assert!(table.out.contains(&id) && table.out.contains("payouts:write"), "{}", table.out);
    assert!(!table.out.contains("mk_"), "a key is never shown again");

    let rotated = house.run(&["apps", "rotate", &id]);
    let second = Api { key: rotated.out.trim().to_owned(), port: api.port };
    check(&api, 200);
    check(&second, 200);
    let rotated = house.run(&["--json", "apps", "rotate", &id, "--old-key-ends-in", "0"]).json();
    assert_eq!(rotated["app"]["id"].as_str(), Some(id.as_str()));
    let third = Api { key: rotated["key"].as_str().expect("a key").to_owned(), port: api.port };
    check(&api, 401);
    check(&second, 401);
    check(&third, 200);

    let revoked = house.run(&["--json", "apps", "revoke", &id]).json();
    assert!(revoked["revoked_at"].is_string());
    check(&third, 401);
    house.run(&["apps", "revoke", &id]).failed(1, &["is revoked"]);
    house.run(&["apps", "rotate", &id]).failed(1, &["is revoked"]);
    let nobody = "app_01hn4y7z2c8e0vq3m5x7r9t1wb";
    house.run(&["apps", "revoke", nobody]).failed(1, &["no application has", nobody]);

    let again = house.client("erp", &["payouts:read", "read:all"]);
    check(&again, 200);
}

#[test]
fn beside_a_running_gateway_every_change_counts_at_once() {
    // Longer than the shell waits: no command waits for the end of an idle connection.
    let house = House::new().with("API__HEADER_TIMEOUT", "5m");
    let mut gateway = house.serve();
    let socket = fs::metadata(house.path("data.sock")).expect("a socket");
    assert!(socket.file_type().is_socket());
    assert_eq!(socket.permissions().mode() & 0o777, 0o600, "only its owner can open it");

    tour(&house, &|api, expected| assert_eq!(status(api), expected));

    let reader = house.client("reader", &["payouts:read"]);
    let refused = reader.post("/v1/payouts", "k", &payout("0722000111", "10")).expect("an answer");
    assert_eq!((refused.status, &refused.json()["code"]), (403, &"scope_missing".into()));
    gateway.stop();
    assert!(!house.path("data.sock").exists(), "it leaves no socket behind");
}

#[test]
fn without_a_gateway_the_store_itself_is_changed() {
    let house = House::new();
    tour(&house, &|_api, _expected| ());
    let kept = house.client("kept", &[]);
    let ended = house.client("ended", &[]);
    house.run(&["apps", "revoke", &app_id(&house, "ended")]);

    let mut gateway = house.serve();
    assert_eq!((status(&kept), status(&ended)), (200, 401));
    // A gateway that was killed leaves its socket; it stands in nobody's way.
    gateway.kill();
    assert!(house.path("data.sock").exists());
    let late = house.client("late", &[]);
    let mut gateway = house.serve();
    assert_eq!((status(&kept), status(&late)), (200, 200));
    gateway.stop();
}

#[test]
fn a_store_in_memory_is_only_its_gateways() {
    let house = House::new().with("STORE__URL", "memory:");
    house.run(&["apps", "list"]).failed(1, &["memory:"]);
}
