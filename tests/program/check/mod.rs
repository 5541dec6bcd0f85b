//! `mlango check`: each planted fault is found by the real command, on the line that names it.

mod peer;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::certificates::file;
use crate::house::{Done, House, free_port};

/// Something that is wrong, and what the command says of it.
struct Planted {
    what: &'static str,
    plant: fn(&mut House),
    check: &'static str,
    status: &'static str,
    words: &'static str,
}

/// One row.
const fn row(
    what: &'static str,
    plant: fn(&mut House),
    (check, status, words): (&'static str, &'static str, &'static str),
) -> Planted {
    Planted { what, plant, check, status, words }
}

/// The command's report, whatever it came to; its exit code must agree with it.
#[track_caller]
fn report(house: &House, args: &[&str]) -> Value {
    let all: Vec<&str> = ["--json", "check"].iter().chain(args).copied().collect();
    read(&house.run(&all))
}

#[track_caller]
fn read(done: &Done) -> Value {
    let report: Value = serde_json::from_str(&done.out).expect(&done.err);
    let fails = lines(&report).iter().any(|line| line["status"] == "fails");
    assert_eq!(report["ok"], Value::Bool(!fails), "{report}");
    assert_eq!(done.code, i32::from(fails), "{done:?}");
    assert!(!done.err.contains("panicked"), "{done:?}");
    for line in lines(&report) {
        let is_mended = line["status"] == "ok" || line["status"] == "skipped";
        assert_eq!(line["do"].is_null(), is_mended, "what is wrong says what to do: {line}");
    }
    report
}

fn lines(report: &Value) -> &Vec<Value> {
    report["lines"].as_array().expect("lines")
}

/// One line of this name and status says these words.
#[track_caller]
fn assert_said(what: &str, report: &Value, (check, status, words): (&str, &str, &str)) {
    let of_it: Vec<&Value> = lines(report).iter().filter(|line| line["check"] == check).collect();
    let said = |line: &&&Value| {
        let text = format!("{} {}", line["seen"], line["do"]);
        line["status"] == status && text.contains(words)
    };
    assert!(of_it.iter().find(said).is_some(), "{what}: {check} {status} \"{words}\": {of_it:#?}");
}

/// Each fault in a house of its own; nothing else fails there than what is named, and what `excused`
/// names for the whole table.
#[track_caller]
fn find_all(table: &[Planted], excused: &[&str]) {
    for Planted { what, plant, check, status, words } in table {
        let mut house = House::new();
        plant(&mut house);
        let report = report(&house, &[]);
        assert_said(what, &report, (check, status, words));
        let others: Vec<&Value> = lines(&report)
            .iter()
            .filter(|line| line["status"] == "fails" && line["check"] != *check)
            .filter(|line| {
                !excused.iter().any(|head| line["check"].as_str().unwrap().starts_with(head))
            })
            .collect();
        assert!(others.is_empty(), "{what}: only {check} is wrong, and also: {others:#?}");
    }
}

fn edit(house: &House, from: &str, to: &str) {
    let path = house.path("mlango.toml");
    let text = fs::read_to_string(&path).expect("a configuration");
    assert!(text.contains(from), "{from}");
    fs::write(path, text.replacen(from, to, 1)).expect("written");
}

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("its mode");
}

/// A copy of a certificate's file in the house, for its owner only.
fn copied(house: &House, name: &str) -> String {
    let path = house.path(name);
    fs::copy(file(name), &path).expect("copied");
    mode(&path, 0o600);
    path.display().to_string()
}

/// A broker that speaks TLS, shows `name` and wants to know who we are.
fn tls(house: &mut House, name: &str) {
    tls_on(house, peer::encrypted(name, true));
}

/// The same on a port.
fn tls_on(house: &mut House, port: u16) {
    house.set("BROKER__URL", &format!("https://127.0.0.1:{port}"));
    house.set("BROKER__CA", &file("ca.pem").display().to_string());
    shows(house, "client");
}

/// The certificate that we show.
fn shows(house: &mut House, name: &str) {
    house.set("BROKER__CLIENT_CERTIFICATE", &file(&format!("{name}.pem")).display().to_string());
    house.set("BROKER__CLIENT_KEY", &file(&format!("{name}-key.pem")).display().to_string());
}

fn ca(house: &mut House, name: &str) {
    house.set("BROKER__CA", &file(name).display().to_string());
}

/// A port that answers, in the broker's place and Daraja's: everything else is as it should be.
fn answered(house: &mut House) {
    let url = format!("http://127.0.0.1:{}", peer::plain(""));
    house.set("BROKER__URL", &url);
    house.set("DARAJA__URL", &url);
}

/// Where nothing answers in these tests, as nobody plays M-Pesa.
const NOBODY: &[&str] = &["broker.tcp", "daraja.tcp"];

#[test]
fn what_is_as_it_should_be_is_said_to_be() {
    let mut house = House::new();
    answered(&mut house);
    let report = report(&house, &[]);
    assert_eq!(report["ok"], true, "{report:#}");
    for check in ["config", "files.config", "credential.encrypts", "broker.tcp", "store"] {
        assert_said(check, &report, (check, "ok", ""));
    }
    assert_said("live", &report, ("broker.credentials", "skipped", "--live"));
    assert_said("live", &report, ("daraja.token", "skipped", "--live"));
    let told = house.run(&["check"]);
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(told.out.lines().count(), lines(&report).len(), "one line each: {}", told.out);
    assert!(!house.path("data").exists(), "a check makes no store");
    house.run(&["check", "--lively"]).failed(2, &["--lively"]);
}

#[test]
fn faults_of_the_configuration_are_found() {
    let fails = |check, words| (check, "fails", words);
    let table = [
        row(
            "an unknown key",
            |house| edit(house, "sp_id = ", "sp_idd = "),
            fails("config", "sp_idd: is unknown; did you mean"),
        ),
        row(
            "a key that is not set",
            |house| edit(house, "sp_id = ", "# sp_id = "),
            fails("config", "broker.sp_id: is not set"),
        ),
        row("no TOML", |house| edit(house, "sp_id = ", "sp_id "), fails("config", "is not TOML")),
        row(
            "a listener's address",
            |house| house.set("API__LISTEN", "nowhere"),
            fails("config", "api.listen"),
        ),
        row(
            "a word in the path of the callback address",
            |house| house.set("CALLBACKS__PUBLIC_URL", "http://127.0.0.1/mpesa"),
            fails("config", "\\\"mpesa\\\" in its path"),
        ),
        row(
            "everybody may call",
            |house| house.set("CALLBACKS__LISTEN", "0.0.0.0:0"),
            ("config", "warning", "callbacks.allow: is empty"),
        ),
    ];
    find_all(&table, NOBODY);
    let house = House::new();
    let done = house.run(&["--json", "--config", "nowhere.toml", "check"]);
    assert_said("no file", &read(&done), fails("config", "nowhere.toml: can't be read"));
    // One fault does not hide what else can be seen.
    edit(&house, "sp_id = ", "sp_idd = ");
    mode(&house.path("certs/credential.cer"), 0o666);
    let both = report(&house, &[]);
    assert_said("the first", &both, fails("config", "did you mean"));
    let check = "files.organisation.credential_certificate";
    assert_said("the other", &both, fails(check, "changed by others"));
    assert_said("and Daraja", &both, fails("daraja.tcp", "refused"));
}

#[test]
fn faults_of_files_are_found() {
    let fails = |check, words| (check, "fails", words);
    let table = [
        row(
            "a missing file",
            |house| fs::remove_file(house.path("certs/credential.cer")).expect("gone"),
            fails("files.organisation.credential_certificate", "No such file"),
        ),
        row(
            "a configuration that everybody can read",
            |house| mode(&house.path("mlango.toml"), 0o644),
            fails("files.config", "every user of this machine"),
        ),
        row(
            "a key that everybody can read",
            |house| {
                tls(house, "broker");
                let key = copied(house, "client-key.pem");
                mode(Path::new(&key), 0o644);
                house.set("BROKER__CLIENT_KEY", &key);
            },
            fails("files.broker.client_key", "chmod 600"),
        ),
        row(
            "a secret that the group can read",
            |house| {
                let path = house.write("password", "Example-SP-1\n");
                mode(&path, 0o640);
                house.set("BROKER__SP_PASSWORD_FILE", &path.display().to_string());
            },
            ("files.secret", "warning", "its group can read it"),
        ),
        row(
            "a secret that everybody can change",
            |house| {
                let path = house.write("password", "Example-SP-1\n");
                mode(&path, 0o602);
                house.set("BROKER__SP_PASSWORD_FILE", &path.display().to_string());
            },
            fails("files.secret", "changed by others"),
        ),
        row(
            "a store that others may look into",
            |house| {
                fs::create_dir(house.path("data")).expect("a directory");
                mode(&house.path("data"), 0o755);
            },
            fails("store.permissions", "chmod 700"),
        ),
        row(
            "a store where nothing can be written",
            |house| house.set("STORE__URL", "sled:/proc/mlango"),
            fails("store.writable", "no file can be made in /proc"),
        ),
        row(
            "a store that is none",
            |house| {
                fs::create_dir(house.path("data")).expect("a directory");
                mode(&house.path("data"), 0o700);
                fs::write(house.path("data/db"), "this is no store").expect("written");
            },
            fails("store", "cannot be opened"),
        ),
        row(
            "a store that forgets",
            |house| house.set("STORE__URL", "memory:"),
            ("store", "warning", "forgotten"),
        ),
        row(
            "no back-up",
            |house| {
                fs::create_dir(house.path("data")).expect("a directory");
                mode(&house.path("data"), 0o700);
                let last = r#"{"at":"2024-01-02T03:04:05.000Z","dir":"/b/1"}"#;
                fs::write(house.path("data/last-backup"), last).expect("written");
            },
            ("backup", "warning", "hours old"),
        ),
        row(
            "a route to nobody",
            |house| {
                let path = house.path("mlango.toml");
                let text = fs::read_to_string(&path).expect("a configuration");
                let route = "\n[[c2b.routes]]\naccounts = [\"INV-*\"]\napp = \"shop\"\n";
                fs::write(path, format!("{text}{route}")).expect("written");
            },
            fails("c2b.routes", "shop"),
        ),
    ];
    // /proc has no room either.
    let nobody: Vec<&str> = NOBODY.iter().copied().chain(["store.disk"]).collect();
    find_all(&table, &nobody);
}

#[test]
fn faults_of_our_own_certificates_are_found() {
    let fails = |check, words| (check, "fails", words);
    let table = [
        row(
            "another certificate's key",
            |house| {
                tls(house, "broker");
                house.set("BROKER__CLIENT_KEY", &file("server-key.pem").display().to_string());
            },
            fails("broker.client_certificate.pair", "do not belong together"),
        ),
        row(
            "a key with a passphrase",
            |house| {
                tls(house, "broker");
                let (from, to) = (file("client-key.pem"), house.path("locked.pem"));
                let made = Command::new("openssl")
                    .args(["pkey", "-aes256", "-passout", "pass:example", "-in"])
                    .arg(from)
                    .arg("-out")
                    .arg(&to)
                    .status();
                assert!(made.expect("openssl").success());
                mode(&to, 0o600);
                house.set("BROKER__CLIENT_KEY", &to.display().to_string());
            },
            fails("broker.client_certificate.pair", "has a passphrase"),
        ),
        row(
            "a page where a certificate should be",
            |house| {
                tls(house, "broker");
                let page = house.write("page.pem", "<!DOCTYPE html><html>Sign in</html>");
                house.set("BROKER__CLIENT_CERTIFICATE", &page.display().to_string());
            },
            fails("broker.client_certificate.pair", "an HTML page"),
        ),
        row(
            "a small key",
            |house| {
                tls(house, "broker");
                shows(house, "small");
            },
            fails("broker.client_certificate.key_size", "1024 bits"),
        ),
        row(
            "a certificate of 2016",
            |house| {
                tls(house, "broker");
                shows(house, "expired");
            },
            fails("broker.client_certificate.dates", "has expired on 2016-01-01"),
        ),
        row(
            "a certificate of 2053",
            |house| {
                tls(house, "broker");
                shows(house, "future");
            },
            fails("broker.client_certificate.dates", "not good before 2053-01-01"),
        ),
        row(
            "a certificate for listeners only",
            |house| {
                tls(house, "broker");
                shows(house, "listener-only");
            },
            fails("broker.client_certificate.use", "clientAuth"),
        ),
        row(
            "a chain with something else in it",
            |house| {
                tls(house, "broker");
                let all =
                    ["stranger.pem", "server.pem"].map(|name| fs::read(file(name)).expect(name));
                let path = house.path("chain.pem");
                fs::write(&path, all.concat()).expect("written");
                house.set("BROKER__CLIENT_CERTIFICATE", &path.display().to_string());
                let key = file("stranger-key.pem").display().to_string();
                house.set("BROKER__CLIENT_KEY", &key);
            },
            fails("broker.client_certificate.chain", "breaks off"),
        ),
        row(
            "a host in an authority's place",
            |house| {
                tls(house, "broker");
                ca(house, "server.pem");
            },
            fails("broker.ca.authority", "it is no authority"),
        ),
        row(
            "a listener's certificate for another host",
            |house| {
                let port = house.callbacks;
                house.set("CALLBACKS__PUBLIC_URL", &format!("https://127.0.0.1:{port}"));
                let path = |name: &str| file(name).display().to_string();
                house.set("CALLBACKS__TLS_CERTIFICATE", &path("named.pem"));
                house.set("CALLBACKS__TLS_KEY", &path("named-key.pem"));
            },
            fails("callbacks.tls_certificate.name", "broker.example.test"),
        ),
    ];
    // A certificate that is no good is turned away by the broker as well.
    find_all(&table, &["daraja.tcp", "broker.tcp", "broker.tls", "broker.http"]);
}

#[test]
fn faults_of_the_credential_are_found() {
    let table = [
        row(
            "a page where the certificate should be",
            |house| {
                fs::write(house.path("certs/credential.cer"), "<html>Sign in</html>")
                    .expect("written");
            },
            ("credential.encrypts", "fails", "an HTML page"),
        ),
        row(
            "a certificate that has expired",
            |house| {
                let path = file("credential-expired.pem").display().to_string();
                house.set("ORGANISATION__CREDENTIAL_CERTIFICATE", &path);
            },
            ("credential.dates", "warning", "has expired on 2016-01-01"),
        ),
        row(
            "a certificate whose key the simulator has not got",
            |house| {
                let path = file("credential.pem").display().to_string();
                house.set("ORGANISATION__CREDENTIAL_CERTIFICATE", &path);
            },
            ("credential.round_trip", "warning", "does not open"),
        ),
        row(
            "a small key",
            |house| {
                let path = file("small.pem").display().to_string();
                house.set("ORGANISATION__CREDENTIAL_CERTIFICATE", &path);
            },
            ("credential.encrypts", "warning", "172 characters"),
        ),
        row(
            "an old password",
            |house| house.set("ORGANISATION__INITIATOR_PASSWORD_SET_ON", "2024-01-02"),
            ("credential.password_age", "fails", "ninety days"),
        ),
        row(
            "a password with characters to avoid",
            |house| house.set("ORGANISATION__INITIATOR_PASSWORD", "Example@1.Password"),
            ("credential.characters", "warning", "has \\\"@\\\" and \\\".\\\""),
        ),
    ];
    find_all(&table, NOBODY);
}

#[test]
fn faults_on_the_way_are_found() {
    let fails = |check, words| (check, "fails", words);
    let table = [
        row(
            "a host that there is not",
            |house| house.set("BROKER__URL", "http://broker.invalid:8310"),
            fails("broker.dns", "leads nowhere"),
        ),
        row(
            "an address that is not this machine's",
            |house| house.set("BROKER__LOCAL_ADDRESS", "192.0.2.77"),
            fails("broker.route", "192.0.2.77"),
        ),
        row("a closed port", |_house| {}, fails("broker.tcp", "refused")),
        row(
            "an authority that nobody named",
            |house| tls(house, "stranger"),
            fails("broker.tls", "an authority that is not trusted"),
        ),
        row(
            "another authority",
            |house| {
                tls(house, "broker");
                ca(house, "other-ca.pem");
            },
            fails("broker.tls", "an authority that is not trusted"),
        ),
        row("another name", |house| tls(house, "named"), fails("broker.tls", "set server_name")),
        row(
            "a certificate of 2016",
            |house| tls(house, "expired"),
            fails("broker.tls", "certificate has expired"),
        ),
        row(
            "another certificate than the pinned one",
            |house| {
                tls(house, "broker");
                house.set("BROKER__PINS", &"00".repeat(32));
            },
            fails("broker.tls", "pinned"),
        ),
        row(
            "no certificate of ours",
            |house| {
                let port = peer::encrypted("broker", true);
                house.set("BROKER__URL", &format!("https://127.0.0.1:{port}"));
                ca(house, "ca.pem");
            },
            fails("broker.tls", "it wants a certificate of ours"),
        ),
        row(
            "a certificate of ours that nobody trusts",
            |house| {
                tls(house, "broker");
                shows(house, "stranger");
            },
            fails("broker.tls", "it wants a certificate of ours that it trusts"),
        ),
        row(
            "TLS to a plain port",
            |house| tls_on(house, peer::plain("")),
            fails("broker.tls", "does not speak TLS"),
        ),
        row(
            "plain HTTP to a TLS port",
            |house| {
                let port = peer::encrypted("broker", false);
                house.set("BROKER__URL", &format!("http://127.0.0.1:{port}"));
            },
            fails("broker.http", "speaks TLS, and was spoken to in plain HTTP"),
        ),
        row(
            "TLS to what says nothing",
            |house| {
                tls_on(house, peer::mute());
                house.set("BROKER__CONNECT_TIMEOUT", "300ms");
            },
            fails("broker.tls", "took too long"),
        ),
        row(
            "a clock that is years off",
            |house| {
                let port = peer::plain("Tue, 02 Jan 2024 03:04:05 GMT");
                house.set("BROKER__URL", &format!("http://127.0.0.1:{port}"));
            },
            fails("broker.clock", "s ahead of"),
        ),
    ];
    find_all(&table, NOBODY);
}

#[test]
fn an_interface_that_is_not_there_is_found() {
    let mut house = House::new();
    house.set("BROKER__INTERFACE", "mlango-none0");
    let report = report(&house, &[]);
    let said = ("broker.interface", "fails", "no network interface mlango-none0");
    assert_said("no such interface", &report, said);
    assert_said("and so", &report, ("broker.route", "fails", "by mlango-none0"));
    assert_said("and so", &report, ("broker.tcp", "skipped", "see broker.route"));
}

#[test]
fn faults_of_the_callback_address_are_found() {
    let table = [
        row(
            "a word that M-Pesa filters out",
            |house| house.set("CALLBACKS__PUBLIC_URL", "http://mpesa.localhost:1"),
            ("callbacks.words", "fails", "\\\"mpesa\\\""),
        ),
        row(
            "a short token",
            |house| house.set("CALLBACKS__TOKEN", "0123456789abcdef"),
            ("callbacks.token", "warning", "16 hexadecimal digits"),
        ),
        row(
            "this machine alone, and M-Pesa elsewhere",
            |house| {
                house.set("BROKER__URL", "http://broker.invalid:8310");
                house.set("DARAJA__URL", "http://daraja.invalid:8310");
            },
            ("callbacks.public_url", "fails", "this machine alone"),
        ),
        row(
            "a host that there is not",
            |house| house.set("CALLBACKS__PUBLIC_URL", "http://gw.invalid"),
            ("callbacks.dns", "fails", "leads nowhere"),
        ),
    ];
    let nobody: Vec<&str> =
        NOBODY.iter().copied().chain(["broker.dns", "daraja.dns", "callbacks.dns"]).collect();
    find_all(&table, &nobody);
}

/// Beside a running gateway: what it says of itself, and whether the address leads to it.
#[test]
fn a_running_gateway_is_asked_how_it_is_and_whether_its_address_leads_to_it() {
    let mut house = House::new();
    let _simulator = house.simulate();
    let _gateway = house.serve();
    let good = report(&house, &[]);
    assert_eq!(good["ok"], true, "{good:#}");
    assert_said("it runs", &good, ("store", "ok", "a gateway has it open"));
    assert_said("its address", &good, ("callbacks.reach", "ok", "leads to this gateway"));
    assert_said("no addresses", &good, ("c2b.registered", "warning", "register-urls"));
    assert_said("the clock", &good, ("broker.clock", "ok", "0 s"));

    let paused = house.run(&["rails", "pause", "soap", "--reason", "a test"]);
    assert_eq!(paused.code, 0, "{paused:?}");
    assert_said("paused", &report(&house, &[]), ("store", "warning", "paused by hand"));

    let table = [
        (free_port(), "cannot be connected to from here"),
        (house.broker, "answers 404"),
        (peer::mute(), "does not answer"),
    ];
    for (port, words) in table {
        house.set("CALLBACKS__PUBLIC_URL", &format!("http://127.0.0.1:{port}"));
        let report = report(&house, &[]);
        assert_said(words, &report, ("callbacks.reach", "fails", words));
    }
    house.set("CALLBACKS__PUBLIC_URL", &format!("https://127.0.0.1:{}", house.callbacks));
    let said = ("callbacks.reach", "fails", "no TLS");
    assert_said("https to a plain listener", &report(&house, &[]), said);

    let api = house.client("till", &["payments:write", "payments:read"]);
    let body = serde_json::json!({"response_type": "Completed"});
    let taken = api.post("/v1/c2b/register-urls", "register-1", &body).expect("an answer");
    assert_eq!(taken.status, 202, "{taken:?}");
    crate::process::eventually("the registration is known of", || {
        let report = report(&house, &[]);
        let known = lines(&report)
            .iter()
            .any(|line| line["check"] == "c2b.registered" && line["status"] == "ok");
        known.then_some(())
    });
}

/// With `--live` credentials are shown, once each; no money moves, and nothing comes of it.
#[test]
fn wrong_credentials_are_found_when_somebody_asks_for_it() {
    let mut house = House::new();
    let _simulator = house.simulate();
    let mut gateway = house.serve();
    let before = report(&house, &[]);
    assert_said("not asked", &before, ("broker.credentials", "skipped", "--live"));
    assert_eq!(house.exchanges().len(), 0, "nothing is shown without --live");

    let good = report(&house, &["--live"]);
    assert_said("good", &good, ("broker.credentials", "ok", "are right"));
    assert_said("good", &good, ("daraja.token", "ok", "gave a token"));
    crate::process::eventually("its result comes, and is not taken", || {
        let results = house.exchanges().iter().filter(|it| it["kind"] == "result").count();
        (results > 0 || house.exchanges().len() > 1).then_some(())
    });

    house.set("BROKER__SP_PASSWORD", "Example-Wrong-1");
    house.set("DARAJA__CONSUMER_SECRET", "Example-Wrong-2");
    let count = house.exchanges().len();
    let wrong = report(&house, &["--live"]);
    assert_said("wrong", &wrong, ("broker.credentials", "fails", "It was tried once"));
    assert_said("wrong", &wrong, ("daraja.token", "fails", "consumer_secret"));
    let shown = house.exchanges();
    let asked =
        shown[count..].iter().filter(|it| it.to_string().contains("AccountBalance")).count();
    assert!(asked <= 1, "it is tried once: {shown:#?}");

    assert_eq!(house.ledger(), Vec::<Value>::new(), "no money moves");
    let cases = house.run(&["--json", "cases"]).json();
    assert_eq!(cases["data"].as_array().map(Vec::len), Some(0), "nothing comes of it: {cases}");
    gateway.stop();
}

#[test]
fn a_low_limit_of_open_files_is_found() {
    let house = House::new();
    let table = [("100", "fails"), ("1000", "warning")];
    for (limit, status) in table {
        let binary = house.command(&[]).get_program().to_owned();
        let mut command = house.command(&[]);
        let variables: Vec<_> = command
            .get_envs()
            .filter_map(|(key, value)| Some((key.to_owned(), value?.to_owned())))
            .collect();
        command = Command::new("sh");
        let script = format!("ulimit -n {limit}; exec \"$0\" --json check");
        command.arg("-c").arg(script).arg(binary).env_clear().envs(variables);
        command.current_dir(house.path("."));
        let report = read(&house.finish(command, ""));
        assert_said(limit, &report, ("limits.files", status, &format!("may open {limit} files")));
    }
}
