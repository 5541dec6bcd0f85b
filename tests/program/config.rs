//! Bad usage, bad configuration, and a machine that does not have what is asked for.

use std::fs;
use std::net::TcpListener;

use crate::house::{House, free_port};

#[test]
fn bad_usage_is_exit_code_2() {
    let house = House::new();
    let table: [(&[&str], &[&str]); 13] = [
        (&[], &["Usage: mlango"]),
        (&["frob"], &["unrecognized subcommand 'frob'"]),
        (&["serve", "--now"], &["--now"]),
        (&["simulate", "--listen", "8310"], &["--listen", "8310"]),
        (&["simulate", "--scenario", "x.toml"], &["x.toml cannot be read"]),
        (
            &["simulate", "--scenario", "bad-firday"],
            &["there is no scenario \"bad-firday\"", "did you mean \"bad-friday\"?", "vpn-flaps"],
        ),
        (&["demo", "--config", "mlango.toml"], &["demo makes its own configuration", "--dir"]),
        (&["apps", "rotate", "42"], &["42", "app_"]),
        (&["apps", "create", "x", "--scope", "all"], &["all", "payouts:write", "admin"]),
        (&["payouts", "list"], &["an API key is needed", "MLANGO_API_KEY", "--key-file"]),
        (&["payouts", "submit"], &["<FILE>"]),
        (&["credential", "encrypt"], &["--cert"]),
        (&["--config", "none.toml", "serve"], &["none.toml: can't be read"]),
    ];
    for (args, words) in table {
        house.run(args).failed(2, words);
    }
    for args in [["--help"], ["--version"]] {
        assert_eq!(house.run(&args).code, 0);
    }
}

#[test]
fn every_fault_of_a_configuration_is_said_at_once_with_its_line() {
    let house = House::new();
    house.write(
        "bad.toml",
        "[api]\n\
         lisen = \"127.0.0.1:8080\"\n\
         max_connections = 0\n\
         [callbacks]\n\
         public_url = \"gw.example.org\"\n\
         [brokr]\n\
         url = \"http://192.0.2.49:18423\"\n\
         [payouts]\n\
         amount_min = 10.5\n\
         [organisation]\n\
         initiator_password = \" Example-Secret-1\"\n\
         initiator_password_file = \"none\"\n",
    );
    let mut command = house.command(&["--config", "bad.toml", "serve"]);
    command.env_clear().env("MLANGO__BROKER__MAX_PER_SECOND", "many");
    let output = command.output().expect("a process");
    let err = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2), "{err}");
    let faults = [
        "bad.toml, line 2: api.lisen: is unknown; did you mean \"api.listen\"?",
        "bad.toml, line 3: api.max_connections: found 0; expected a whole number from 1 to 100000",
        "bad.toml, line 5: callbacks.public_url: found \"gw.example.org\"",
        "bad.toml, line 6: brokr: is unknown; did you mean \"broker\"?",
        "bad.toml, line 9: payouts.amount_min: found a number with a point",
        "bad.toml, line 11: organisation.initiator_password: is set twice",
        "MLANGO__BROKER__MAX_PER_SECOND: broker.max_per_second: found \"many\"",
        "callbacks.token: is not set",
        "organisation.credential_certificate: is not set",
    ];
    for fault in faults {
        assert!(err.contains(fault), "no \"{fault}\" in:\n{err}");
    }
    assert!(!err.contains("Example-Secret-1"), "a secret is shown:\n{err}");
    assert!(!house.path("data").exists(), "nothing was begun");
}

#[test]
fn a_certificate_that_will_not_do_is_bad_configuration() {
    let house = House::new();
    let (certificate, aside) = (house.path("certs/credential.cer"), house.path("aside"));
    fs::rename(&certificate, &aside).expect("moved");
    house.run(&["serve"]).failed(
        2,
        &["line ", "organisation.credential_certificate", "credential.cer can't be read: No such"],
    );
    fs::create_dir(&certificate).expect("a directory");
    house.run(&["serve"]).failed(2, &["credential.cer can't be read", "directory"]);
    fs::remove_dir(&certificate).expect("removed");
    let key = fs::read(house.path("certs/credential.key")).expect("a key");
    for wrong in [&b"garbage"[..], b"", &[0x30, 0x82, 0xff, 0xff], &key] {
        fs::write(&certificate, wrong).expect("a file");
        let words = ["organisation.credential_certificate", "credential.cer", "certificate"];
        house.run(&["serve"]).failed(2, &words);
    }
    fs::rename(&aside, &certificate).expect("moved back");
    fs::write(house.path("certs/credential.key"), b"garbage").expect("a file");
    house.run(&["simulate"]).failed(2, &["simulator.credential_key", "private key"]);
    assert!(!house.path("data").exists(), "nothing was begun");
}

#[test]
fn a_port_in_use_is_named() {
    let mut house = House::new();
    for port in [house.api, house.callbacks] {
        let _taken = TcpListener::bind(("127.0.0.1", port)).expect("the port");
        let address = format!("127.0.0.1:{port} is in use");
        house.run(&["serve"]).failed(1, &[&address]);
    }
    let _taken = TcpListener::bind(("127.0.0.1", house.broker)).expect("the port");
    let address = format!("127.0.0.1:{}", house.broker);
    house.run(&["simulate"]).failed(1, &[&address, "in use"]);
    house.set("API__LISTEN", "192.0.2.1:8080");
    house.run(&["serve"]).failed(1, &["192.0.2.1:8080 is not an address of this machine"]);
}

#[test]
fn a_store_in_use_by_another_process_is_said_plainly() {
    let mut house = House::new();
    let mut first = house.serve();
    house.set("API__LISTEN", &format!("127.0.0.1:{}", free_port()));
    house.set("CALLBACKS__LISTEN", &format!("127.0.0.1:{}", free_port()));
    house.run(&["serve"]).failed(1, &["store.url", "another process", "data"]);
    assert_eq!(house.run(&["apps", "list"]).code, 0, "the first one is as it was");
    first.stop();
}
