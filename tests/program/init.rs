//! `mlango init`: what it writes works as it is, and nothing is overwritten.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use crate::api::{id_of, payout};
use crate::house::House;

const FILES: [&str; 3] = ["mlango.toml", "certs/credential.cer", "certs/credential.key"];

#[test]
fn what_init_writes_works_as_it_is() {
    let house = House::new();
    for file in FILES {
        let mode = fs::metadata(house.path(file)).expect(file).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file} holds secrets");
    }
    let token = house.written("token");
    assert!(token.len() >= 32 && token.bytes().all(|byte| byte.is_ascii_hexdigit()), "{token}");
    assert_ne!(token, House::new().written("token"), "each installation has its own");

    let (mut simulator, mut gateway) = (house.simulate(), house.serve());
    let api = house.client("erp", &[]);
    let taken = api.submit("first", &payout("0722 123 456", "1500.00"));
    let id = id_of(&taken);
    let paid = api.until(id, "succeeded");
    let ledger = house.ledger();
    assert_eq!(ledger.len(), 1);
    assert_eq!(ledger[0]["receipt"], paid["receipt"]);
    gateway.stop();
    simulator.stop();
    assert!(house.path("data").is_dir(), "the store is beside the configuration");
}

#[test]
fn init_overwrites_nothing() {
    let house = House::new();
    let read = |file: &str| fs::read(house.path(file)).expect(file);
    let before = FILES.map(read);
    house.run(&["init"]).failed(1, &["mlango.toml is there already", "--dir"]);
    fs::remove_file(house.path("mlango.toml")).expect("removed");
    house.run(&["init"]).failed(1, &["certs/credential.cer is there already"]);
    assert!(!house.path("mlango.toml").exists(), "no half of an installation is left");
    assert_eq!(read(FILES[1]), before[1]);
    assert_eq!(read(FILES[2]), before[2]);
}
