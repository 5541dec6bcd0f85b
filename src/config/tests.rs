//! What a person meets who writes a configuration: every kind of fault, as it reads.

mod everything;
mod simulate;
mod test_mode;

use everything::everything;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::example::{example, with};
use super::key;
use super::section::{HeaderNamespace, LogFormat, PasswordCase};
use super::source::{Raw, literal};
use super::{Environment, Faults, Loaded, Serve, Source, StoreUrl, read, reader::Reader};
use crate::domain::money::Amount;

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A directory that is gone when this is dropped, with a certificate and a key in it.
fn place() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(dir.path().join("certs")).expect("certs");
    for name in ["certs/credential.cer", "certs/credential.key"] {
        std::fs::write(dir.path().join(name), "not looked into here").expect(name);
    }
    dir
}

/// The example with its placeholders filled in.
fn complete() -> String {
    with(&[
        ("callbacks.allow", "[\"196.201.212.0/22\"]"),
        ("callbacks.token", &format!("\"{TOKEN}\"")),
        ("organisation.initiator_password", "\"operator's\""),
        ("broker.sp_password", "\"provider's\""),
    ])
}

fn serve(text: &str, variables: &[(&str, &str)]) -> Result<Loaded<Serve>, Faults> {
    let dir = place();
    Source::text(text, dir.path())
        .with_environment(Environment::of(variables.iter().copied()))
        .serve()
}

/// The faults of a configuration from which nothing is demanded, without the file's name.
fn faults(text: &str, variables: &[(&str, &str)]) -> String {
    let source =
        Source::text(text, "").with_environment(Environment::of(variables.iter().copied()));
    match source.config() {
        Ok(_) => "none".to_owned(),
        Err(faults) => faults.to_string().replace("mlango.toml, ", ""),
    }
}

#[test]
fn every_wrong_value_is_named_with_its_line_and_what_is_expected() {
    let table = include_str!("wrong_values.txt");
    let (head, cases) = table.split_once("\n\n").expect("a head and cases");
    let words = head.lines().filter_map(|line| {
        let (word, meaning) = line.strip_prefix("# {")?.split_once('}')?;
        Some((format!("{{{word}}}"), meaning.trim_start()))
    });
    let words: Vec<(String, &str)> = words.collect();
    let mut tried = 0;
    for case in cases.lines().collect::<Vec<_>>().chunks(2) {
        let (section, line) = case[0].split_once(' ').expect(case[0]);
        let fault = words.iter().fold(case[1].trim_start().to_owned(), |text, (word, meaning)| {
            text.replace(word, meaning)
        });
        let name = line.split(' ').next().expect("a name");
        let text = format!("# a comment\n{section}\n\n{line}\n");
        let section = section.trim_matches(['[', ']']);
        assert_eq!(faults(&text, &[]), format!("line 4: {section}.{name}: {fault}"), "{line}");
        tried += 1;
    }
    assert!(tried > 50, "the table was not read: {tried}");
}

#[test]
fn a_wrong_variable_is_named_and_not_shown_when_secret() {
    let table = [
        (
            "MLANGO__BROKER__MAX_IN_FLIGHT",
            "many",
            "broker.max_in_flight: found \"many\"; expected a whole number from 1 to 10000",
        ),
        (
            "MLANGO__CALLBACKS__TOKEN",
            "hunter2",
            "callbacks.token: found 7 characters; expected 16 to 128 hexadecimal digits, such as `openssl rand -hex 24` gives",
        ),
        (
            "MLANGO__BROKER__TIMEOUTS",
            "5s",
            "broker.timeouts: is unknown; did you mean \"broker.timeout\"?",
        ),
        ("MLANGO__BROKER", "x", "broker: is unknown"),
        ("MLANGO__DASHBOARD__URL", "x", "dashboard.url: is not in this version; take it out"),
        (
            "MLANGO__C2B__ROUTES",
            "[]",
            "c2b.routes: is a list of tables, which can stand in the file only",
        ),
        (
            "MLANGO__SMS__TEMPLATES__PAYMENT_RECEIVED",
            "{",
            "sms.templates.payment_received: has a \"{\" that no \"}\" closes",
        ),
        (
            "MLANGO__CALLBACKS__ALLOW",
            "[oops",
            "callbacks.allow: found a list that is not TOML; expected a list of networks, such as [\"196.201.212.0/22\", \"192.0.2.7\"]",
        ),
    ];
    for (variable, value, fault) in table {
        assert_eq!(faults("", &[(variable, value)]), format!("{variable}: {fault}"));
    }
}

#[test]
fn names_that_are_not_known_or_not_yet_known_are_faults() {
    let table = [
        (
            "[broker]\ntimeuot = \"5s\"",
            "line 2: broker.timeuot: is unknown; did you mean \"broker.timeout\"?",
        ),
        ("[brokr]\ntimeout = \"5s\"", "line 1: brokr: is unknown; did you mean \"broker\"?"),
        (
            "[api]\ntoken = \"ab\"",
            "line 2: api.token: is unknown; did you mean \"callbacks.token\"?",
        ),
        ("[api]\nxyzzy = 1", "line 2: api.xyzzy: is unknown"),
        ("[nonsense]", "line 1: nonsense: is unknown"),
        ("sp_id = \"1\"", "line 1: sp_id: is unknown; did you mean \"broker.sp_id\"?"),
        ("api = 5", "line 1: api: must be a section, written [api]"),
        (
            "[broker]\nsp_id_file = \"x\"",
            "line 2: broker.sp_id_file: is unknown; did you mean \"broker.sp_id\"?",
        ),
        (
            "[webhooks]\nanything = 1",
            "line 2: webhooks.anything: is not in this version; take it out",
        ),
        (
            "[sms]\ntemplates = 5",
            "line 2: sms.templates: must be a section, written [sms.templates]",
        ),
        (
            "[c2b.routes]\napp = \"x\"",
            "line 1: c2b.routes: must be a list of tables, each written [[c2b.routes]]",
        ),
        ("[c2b]\nroutes = [1]", "line 2: c2b.routes: must be written [[c2b.routes]]"),
        (
            "[[c2b.routes]]\naccounts = [\"A\"]\napp = \"x\"\n\n[[c2b.routes]]\naccounts = [\"\"]\nap = \"x\"",
            "line 5: c2b.routes.app: is not set. Whose they are: the name of an application \
             (`mlango apps create NAME`).\n\
             line 6: c2b.routes.accounts: found [\"\"]; expected text of 1 to 200 printable characters\n\
             line 7: c2b.routes.ap: is unknown; did you mean \"c2b.routes.app\"?",
        ),
        ("[sms]\n[webhooks]\n[dashboard]\n[telemetry]", "none"),
        (
            "[api]\nlisten = {a = 1}",
            "line 2: api.listen: found a table; expected an IP address and a port, such as \"127.0.0.1:8080\"",
        ),
        ("[payouts]\napproval_above = \"0\"", "none"),
    ];
    for (text, fault) in table {
        assert_eq!(faults(text, &[]), fault, "{text}");
    }
}

#[test]
fn a_file_that_is_not_toml_is_named_with_its_line() {
    for text in ["[api]\nlisten = ", "[api]\nlisten 5", "[api]\n\n[api]\n", "[api]\na=1\na=2"] {
        let found = faults(text, &[]);
        assert!(found.starts_with("line "), "{text}: {found}");
        assert!(found.contains("is not TOML: "), "{text}: {found}");
        assert_eq!(found.lines().count(), 1, "{text}: {found}");
        // What the file would have set is not said to be missing, nor is anything else.
        let all = serve(text, &[("MLANGO__BROKR__URL", "x")]).expect_err("faults").to_string();
        assert!(all.lines().count() == 1 && all.contains("is not TOML: "), "{text}: {all}");
    }
    let leak = faults("[broker]\nsp_password = \"hunter2\" hunter3", &[]);
    assert!(!leak.contains("hunter"), "{leak}");
}

#[test]
fn all_faults_come_at_once_in_the_order_of_the_file() {
    let text = "[log]\nlevel = \"loud\"\n[api]\nlisten = 1\nport = 2\n[broker]\nurl = \"x\"\n";
    let found = serve(text, &[("MLANGO__API__MAX_CONNECTIONS", "0")]).expect_err("faults");
    let keys: Vec<&str> = found.0.iter().map(|fault| fault.key.as_str()).collect();
    let expected = [
        "log.level",
        "api.listen",
        "api.port",
        "broker.url",
        "api.max_connections",
        "callbacks.public_url",
        "callbacks.token",
        "organisation.shortcode",
        "organisation.initiator",
        "organisation.initiator_password",
        "organisation.name",
        "organisation.credential_certificate",
        "broker.sp_id",
        "broker.sp_password",
        "broker.service_id",
    ];
    assert_eq!(keys, expected);
    assert_eq!(found.to_string().lines().count(), expected.len());
}

#[test]
fn each_command_asks_only_for_what_it_needs() {
    let dir = place();
    let empty = || Source::text("", dir.path());
    assert!(empty().config().is_ok());
    let missing = empty().simulate().expect_err("faults").to_string();
    assert!(!missing.contains("callbacks.token"), "{missing}");
    assert!(missing.contains(
        "simulator.credential_key: is not set, and `mlango simulate` needs it \
         (MLANGO__SIMULATOR__CREDENTIAL_KEY sets it too)."
    ));
    let text = complete()
        .replace("[simulator]", "[simulator]\n#")
        .replace("credential_key = \"certs/credential.key\"", "");
    assert!(Source::text(&text, dir.path()).serve().is_ok());
    assert!(Source::text(&text, dir.path()).simulate().is_err());
}

#[test]
fn a_whole_configuration_is_read_as_it_says() {
    let dir = place();
    let source = Source::text(complete(), dir.path());
    let Loaded { config, warnings, files } = source.serve().expect("no faults");
    assert_eq!(warnings, []);
    assert!(files.contains(&dir.path().join("certs/credential.cer")), "{files:?}");
    assert_eq!(config.api.listen.to_string(), "127.0.0.1:8080");
    assert_eq!(config.api.max_body_bytes, 65_536);
    assert_eq!(config.callbacks.token.reveal(), TOKEN);
    assert_eq!(config.callbacks.public_url, "https://gw.example.org");
    assert_eq!(config.store.url, StoreUrl::Sled(dir.path().join("./data")));
    assert_eq!(config.store.cache_bytes, 96 << 20);
    assert_eq!(config.organisation.operator.shortcode.as_str(), "600999");
    assert_eq!(config.organisation.credential_certificate, dir.path().join("certs/credential.cer"));
    assert_eq!(config.payouts.policy.result_overdue, Duration::from_secs(120));
    let intervals = [5, 30, 120, 600, 3_600].map(Duration::from_secs);
    assert_eq!(config.payouts.policy.inquiry_intervals, intervals);
    assert_eq!(config.payouts.amounts, crate::domain::limit::AmountLimits::default());
    assert_eq!(
        config.broker.as_ref().expect("a broker").url.to_string(),
        "https://192.0.2.49:18423"
    );
    assert_eq!(config.broker.as_ref().expect("a broker").provider.sp_id, "100001");
    assert_eq!(config.broker.as_ref().expect("a broker").link.timeout, Duration::from_secs(30));
    assert_eq!(config.broker.as_ref().expect("a broker").link.max_in_flight, 64);
    assert_eq!(config.broker.as_ref().expect("a broker").link.header_namespace, HeaderNamespace::A);
    assert_eq!(config.broker.as_ref().expect("a broker").link.password_case, PasswordCase::Upper);
    assert_eq!(config.log.format, LogFormat::Text);
    let simulate = Source::text(complete(), dir.path()).simulate().expect("no faults").config;
    assert_eq!(simulate.simulator.balance, Amount::from_shillings(10_000_000));
}

#[test]
fn every_way_to_write_a_value_means_the_same() {
    let dir = place();
    let text = "[api]\nmax_body_bytes = \"64 KiB\"\n\
                [payouts]\namount_min = 20\nresult_overdue = \"2m\"\n\
                [callbacks]\nallow = [\"192.0.2.7\", \"2001:db8::/32\"]\n";
    let config = Source::text(text, dir.path()).config().expect("no faults").config;
    assert_eq!(config.api.max_body_bytes, 65_536);
    assert_eq!(config.payouts.amounts.least, Amount::from_shillings(20));
    assert_eq!(config.payouts.policy.result_overdue, Duration::from_secs(120));
    let table = [
        ("192.0.2.7,2001:db8::/32", "[192.0.2.7/32, 2001:db8::/32]"),
        ("[\"192.0.2.7\"]", "[192.0.2.7/32]"),
        ("", "[]"),
    ];
    for (written, meant) in table {
        let loaded = serve(&complete(), &[("MLANGO__CALLBACKS__ALLOW", written)]);
        let allow = loaded.expect("no faults").config.callbacks.allow;
        assert_eq!(format!("{allow:?}"), meant, "{written}");
    }
}

#[test]
fn variables_win_over_the_file() {
    let variables = [
        ("MLANGO__BROKER__URL", "http://[2001:db8::1]:9"),
        ("MLANGO__ORGANISATION__SHORTCODE", "600998"),
        ("MLANGO__PAYOUTS__INQUIRY_INTERVALS", "1s, 2s"),
        ("MLANGO__STORE__URL", "sled:elsewhere"),
        ("PATH", "is none of ours"),
    ];
    let config = serve(&complete(), &variables).expect("no faults").config;
    assert_eq!(config.broker.as_ref().expect("a broker").url.host, "2001:db8::1");
    assert_eq!(config.broker.as_ref().expect("a broker").url.to_string(), "http://[2001:db8::1]:9");
    assert_eq!(config.organisation.operator.shortcode.as_str(), "600998");
    assert_eq!(config.payouts.policy.inquiry_intervals.len(), 2);
    // What a variable names is looked for from where the program was started.
    assert_eq!(config.store.url, StoreUrl::Sled(PathBuf::from("elsewhere")));
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let dir = place();
    std::fs::write(dir.path().join("pw"), "from a file\r\nsecond line\n").expect("pw");
    std::fs::write(dir.path().join("empty"), "\n").expect("empty");
    let load = |line: &str, variables: &[(&str, &str)]| {
        let text = complete().replace("initiator_password = \"operator's\"", line);
        Source::text(text, dir.path())
            .with_environment(Environment::of(variables.iter().copied()))
            .serve()
    };
    let password = |loaded: Loaded<Serve>| {
        let secret = loaded.config.organisation.operator.initiator_password;
        secret.reveal().to_owned()
    };
    let from_file = load("initiator_password_file = \"pw\"", &[]).expect("no faults");
    assert_eq!(password(from_file), "from a file");
    let plain = [("MLANGO__ORGANISATION__INITIATOR_PASSWORD", "plain")];
    let won = load("initiator_password_file = \"pw\"", &plain).expect("no faults");
    assert_eq!(password(won), "plain");
    let path = dir.path().join("pw");
    let file = [("MLANGO__ORGANISATION__INITIATOR_PASSWORD_FILE", path.to_str().expect("UTF-8"))];
    let won = load("initiator_password = \"x\"", &file).expect("no faults");
    assert_eq!(password(won), "from a file");

    let table = [
        ("initiator_password_file = \"none\"", "can't be read: No such file"),
        ("initiator_password_file = \"empty\"", "is empty"),
        ("initiator_password_file = 5", "expected the path of a file"),
        (
            "initiator_password = \"a\"\ninitiator_password_file = \"pw\"",
            "is set twice, here and as organisation.initiator_password_file",
        ),
    ];
    for (line, fault) in table {
        let found = load(line, &[]).expect_err(line).to_string();
        assert!(found.contains(fault), "{line}: {found}");
        assert!(found.contains("organisation.initiator_password"), "{line}: {found}");
        assert!(found.contains(", line "), "{line}: {found}");
        assert_eq!(found.lines().count(), 1, "{line}: {found}");
    }
}

#[test]
fn a_file_that_is_named_and_not_there_is_a_fault_of_its_line() {
    let dir = tempfile::tempdir().expect("a directory");
    let found = Source::text(complete(), dir.path()).serve().expect_err("a fault");
    let found = found.to_string();
    assert_eq!(found.lines().count(), 1, "{found}");
    assert!(found.contains("organisation.credential_certificate: the file "), "{found}");
    assert!(found.contains("can't be read: No such file"), "{found}");
    std::fs::create_dir_all(dir.path().join("certs/credential.cer")).expect("a directory");
    let found = Source::text(complete(), dir.path()).serve().expect_err("a fault");
    assert!(found.to_string().contains("directory"), "{found}");
}

#[test]
fn a_configuration_file_that_is_named_must_be_there() {
    let dir = place();
    let open = |path: &Path| Source::open(Some(path), Environment::default());
    let found = open(&dir.path().join("other.toml")).expect_err("a fault").to_string();
    assert!(found.contains("other.toml: can't be read: No such file"), "{found}");
    let path = dir.path().join("mlango.toml");
    std::fs::write(&path, vec![b'#'; (1 << 20) + 1]).expect("a large file");
    let found = open(&path).expect_err("a fault").to_string();
    assert!(found.ends_with("is larger than a configuration file can be (1 MiB)"), "{found}");
    std::fs::write(&path, [0xff]).expect("no text");
    assert!(open(&path).is_err());
    std::fs::write(&path, complete()).expect("a file");
    let source = open(&path).expect("a file");
    assert_eq!(source.path(), Some(path.as_path()));
    let loaded = source.serve().expect("no faults");
    assert_eq!(loaded.config.store.url, StoreUrl::Sled(dir.path().join("./data")));
}

#[test]
fn what_is_risky_is_a_warning() {
    let open = ("MLANGO__CALLBACKS__LISTEN", "0.0.0.0:8081");
    let anybody = ("MLANGO__CALLBACKS__ALLOW", "");
    let here = ("MLANGO__CALLBACKS__PUBLIC_URL", "http://127.0.0.1:8081");
    let table: [(&[(&str, &str)], &str); 6] = [
        (
            &[("MLANGO__BROKER__TIMEOUT", "2m")],
            "broker.timeout: is not shorter than payouts.result_overdue",
        ),
        (&[open, anybody, here], "callbacks.allow: is empty, and callbacks.listen is open"),
        (
            &[anybody],
            "callbacks.allow: is empty, and callbacks.public_url is an address that other",
        ),
        (
            &[("MLANGO__CALLBACKS__TOKEN", "0123456789abcdef")],
            "callbacks.token: is shorter than 32",
        ),
        (
            &[("MLANGO__CALLBACKS__PUBLIC_URL", "https://mpesa.example.org")],
            "callbacks.public_url: has \"mpesa\" in it",
        ),
        (&[("MLANGO__API__LISTEN", "192.0.2.1:8080")], "api.listen: is open to other machines"),
    ];
    for (variables, warning) in table {
        let loaded = serve(&complete(), variables).expect("no faults");
        let warnings: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert!(warnings[0].contains(warning), "{warnings:?}");
    }
    assert_eq!(serve(&complete(), &[open]).expect("no faults").warnings, []);
    for here in ["http://127.0.0.1:8081", "http://localhost", "http://[::1]:8081/x"] {
        let alone = [anybody, ("MLANGO__CALLBACKS__PUBLIC_URL", here)];
        assert_eq!(serve(&complete(), &alone).expect("no faults").warnings, [], "{here}");
    }
}

#[cfg(unix)]
#[test]
fn secrets_in_a_file_that_everybody_reads_are_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = place();
    let path = dir.path().join("mlango.toml");
    std::fs::write(&path, complete()).expect("a file");
    for (mode, warnings) in [(0o644, 1), (0o600, 0)] {
        let mode = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&path, mode).expect("a mode");
        let source = Source::open(Some(&path), Environment::default()).expect("a file");
        assert_eq!(source.serve().expect("no faults").warnings.len(), warnings);
    }
}

#[test]
fn no_secret_shows_in_debug_output() {
    let variables = Environment::of([("MLANGO__BROKER__SP_PASSWORD", "hunter2")]);
    let source = Source::text(complete(), place().path()).with_environment(variables.clone());
    let loaded = serve(&complete(), &[]).expect("no faults");
    let shown = format!("{source:?} {variables:?} {loaded:?}");
    for secret in ["hunter2", TOKEN, "operator's", "provider's"] {
        assert!(!shown.contains(secret), "{secret}");
    }
}

#[test]
fn the_committed_example_is_the_generated_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("mlango.example.toml");
    if std::env::var_os("MLANGO_WRITE_EXAMPLE").is_some() {
        std::fs::write(&path, example()).expect("written");
    }
    let committed = std::fs::read_to_string(path).expect("mlango.example.toml");
    assert!(
        committed == example(),
        "mlango.example.toml is not what the table of keys says; \
         MLANGO_WRITE_EXAMPLE=1 cargo test committed_example writes it anew"
    );
}

fn is_always(key: &key::Key) -> bool {
    key::section_of(key.section).is_some_and(|section| section.shape == key::Shape::Always)
}

#[test]
fn the_example_is_right_but_for_its_placeholders() {
    let found = serve(&example(), &[]).expect_err("placeholders");
    let keys: Vec<&str> = found.0.iter().map(|fault| fault.key.as_str()).collect();
    let secrets: Vec<String> = key::all()
        .filter(|key| key.kind.is_secret() && is_always(key))
        .filter(|key| matches!(key.given, key::Given::Needed(..)))
        .map(key::Key::full_name)
        .collect();
    assert_eq!(keys, secrets);
    // With every default written out it says the same.
    let names: BTreeSet<&str> = key::all().map(|key| key.name).collect();
    let open = |line: &str| match line.strip_prefix("# ") {
        Some(set) if set.split_once(" = ").is_some_and(|(name, _)| names.contains(name)) => {
            set.to_owned()
        }
        _ => line.to_owned(),
    };
    let explicit: Vec<String> = complete().lines().map(open).collect();
    let explicit = serve(&explicit.join("\n"), &[]).expect("no faults").config;
    let implicit = serve(&complete(), &[]).expect("no faults").config;
    let shape = |config: Serve| {
        let shown = format!("{:?} {:?} {:?}", config.api, config.payouts, config.broker);
        format!("{shown} {:?} {:?}", config.log, config.store.cache_bytes)
    };
    assert_eq!(shape(explicit), shape(implicit));
}

#[test]
fn every_key_of_the_table_is_read_and_its_default_is_right() {
    let mut reader = Reader::new(Source::text("", "").gather().expect("TOML"));
    assert!(read::parts(&mut reader).whole().is_some(), "{:?}", reader.faults);
    let open = key::all();
    let table: BTreeSet<String> = open.map(key::Key::full_name).collect();
    assert_eq!(reader.asked, table);
    for key in key::all() {
        let section = key::SECTIONS.iter().find(|known| known.name == key.section);
        assert!(section.is_some(), "{}", key.full_name());
        if let key::Given::Default(toml) = key.given {
            assert!(!matches!(literal(toml), Raw::Other(_)), "{}", key.full_name());
        }
        assert!(!key.doc.is_empty(), "{}", key.full_name());
    }
}
