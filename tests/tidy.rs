//! The house rules that no compiler knows: which room may name which, who owns a foreign crate or
//! a power over the world, and how long a file may be. `docs/architecture.md` is their map.

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "a test that panics has failed, as it should; a table may be long"
)]

mod lexer;

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use lexer::{Code, Import};

/// A file holds one room; beyond this many lines (its tests not counted) it holds two.
const LINES_MAX: usize = 600;
/// Files that are longer, how long they may be, and why.
const LONGER: &[(&str, usize, &str)] = &[];
/// As rustfmt breaks lines; it can't break a long text, so that texts are not counted.
const WIDTH_MAX: usize = 100;

/// Which layers a layer may name, besides itself. Arrows point down.
const LAYERS: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &["domain"]),
    ("config", &["domain", "tls"]),
    ("credential", &["domain"]),
    ("schema", &["domain", "soap"]),
    ("soap", &["domain"]),
    ("daraja", &["domain"]),
    ("fixture", &["daraja", "domain", "schema", "soap"]),
    ("telemetry", &["config"]),
    ("tls", &["credential", "domain"]),
    ("store", &["clock", "domain", "telemetry"]),
    ("engine", &["clock", "domain", "store", "telemetry"]),
    ("ids", &["domain", "engine"]),
    (
        "rail",
        &[
            "clock",
            "credential",
            "daraja",
            "domain",
            "engine",
            "schema",
            "soap",
            "telemetry",
            "tls",
        ],
    ),
    ("notify", &["clock", "domain", "engine", "rail", "telemetry", "tls"]),
    (
        "http",
        &[
            "clock",
            "daraja",
            "domain",
            "engine",
            "fixture",
            "ids",
            "soap",
            "store",
            "telemetry",
            "tls",
        ],
    ),
    ("sim", &["clock", "credential", "domain", "fixture", "soap", "tls"]),
    // What was paid is the simulator's word, and what is done to a payment its vocabulary.
    ("certify", &["domain", "sim"]),
    (
        "cli",
        &[
            "app",
            "certify",
            "clock",
            "config",
            "credential",
            "daraja",
            "domain",
            "fixture",
            "http",
            "ids",
            "schema",
            "sim",
            "soap",
            "store",
            "telemetry",
            "tls",
        ],
    ),
    (
        "app",
        &[
            "cli",
            "clock",
            "config",
            "credential",
            "daraja",
            "domain",
            "engine",
            "fixture",
            "http",
            "ids",
            "notify",
            "rail",
            "schema",
            "sim",
            "soap",
            "store",
            "telemetry",
            "tls",
        ],
    ),
    ("main", &["cli"]),
    ("lib", &[]),
];

/// Where a layer may name only some rooms of another, those rooms.
const DOORS: &[(&str, &str, &[&str])] = &[
    // `api`: a row of a file is checked by what checks a request.
    ("certify", "sim", &["daraja", "exchange", "plan", "script"]),
    ("cli", "http", &["admin", "api", "apps"]),
    ("cli", "store", &["Counts", "Scope"]),
    ("config", "tls", &["Fingerprint", "IdentityFiles", "ServerSettings"]),
    ("notify", "engine", &["port"]),
    // What counts the bytes that left is written once.
    ("notify", "rail", &["pace", "renewable", "transport"]),
    ("rail", "engine", &["port"]),
];

/// The owners of each foreign crate, as beginnings of paths under `src/`. A crate that is not in
/// this table is for everyone.
const CRATES: &[(&str, &[&str])] = &[
    ("axum", &["http/", "sim/"]),
    ("base64", &["cli/", "credential.rs", "daraja/", "fixture/", "http/", "sim/", "soap/"]),
    ("chrono", &["domain/time.rs"]),
    ("clap", &["cli/", "main.rs"]),
    ("crc32fast", &["store/"]),
    ("csv", &["certify/", "cli/", "http/"]),
    ("getrandom", &["ids.rs"]),
    ("http_body_util", &["cli/", "http/", "rail/", "sim/"]),
    ("hyper", &["cli/", "http/", "rail/transport", "sim/"]),
    ("hyper_util", &["cli/", "http/", "rail/transport", "sim/"]),
    ("ipnet", &["config/", "http/"]),
    ("lz4_flex", &["store/"]),
    ("mimalloc", &["main.rs"]),
    ("openssl", &["credential.rs", "tls/"]),
    ("postcard", &["store/"]),
    ("quick_xml", &["soap/xml.rs"]),
    ("reqwest", &["cli/"]),
    ("rpassword", &["cli/"]),
    // What this process may do, and what is left of a disk.
    ("rustix", &["app/", "cli/"]),
    ("rustls", &["tls/"]),
    ("rustls_native_certs", &["tls/"]),
    (
        "sha2",
        &[
            "cli/",
            "domain/payment/notice.rs",
            "engine/",
            "fixture/",
            "http/",
            "sim/",
            "soap/",
            "store/",
            "telemetry/trace.rs",
        ],
    ),
    ("sled", &["store/sled.rs", "store/sled/"]),
    ("strsim", &["cli/near.rs", "config/", "fixture/toml.rs", "sim/scenario/"]),
    ("subtle", &["http/"]),
    ("tempfile", &["cli/", "fixture/folder.rs"]),
    (
        "tokio",
        &[
            "app.rs", "app/", "cli/", "clock.rs", "clock/", "engine/", "http/", "notify/", "rail/",
            "sim/", "store/", "tls/",
        ],
    ),
    ("tokio_openssl", &["tls/"]),
    ("tokio_rustls", &["tls/"]),
    (
        "tokio_util",
        &["app.rs", "app/", "cli/", "engine/", "http/", "notify/", "rail/", "sim/", "store/"],
    ),
    ("toml_edit", &["config/", "fixture/toml.rs", "sim/scenario/"]),
    ("tower", &["http/", "sim/"]),
    ("tracing_appender", &["telemetry/"]),
    ("tracing_subscriber", &["telemetry/"]),
    ("utoipa", &["http/"]),
    ("uuid", &["ids.rs"]),
    ("xsd_schema", &["schema/validator.rs"]),
    (
        "zeroize",
        &["cli/", "config/secret.rs", "credential.rs", "daraja/oauth.rs", "rail/", "soap/", "tls/"],
    ),
];

/// Crates that every room may name.
const FOR_ALL: &[&str] = &["bytes", "http", "serde", "serde_json", "thiserror", "tracing"];

/// Powers over the world, as they are written, and their owners.
const POWERS: &[(&str, &[&str])] = &[
    ("SystemTime", &["clock.rs"]),
    ("Utc::now", &[]),
    ("Local::now", &[]),
    (
        "Instant::now",
        &["cli/", "clock/", "clock.rs", "engine/", "http/", "rail/", "sim/", "store/"],
    ),
    ("spawn(", &["app.rs", "cli/", "engine/", "http/server", "sim/", "store/"]),
    ("spawn_blocking(", &["app.rs", "cli/", "engine/", "http/server", "sim/", "store/"]),
    ("env::", &["cli/", "config/"]),
    ("println!", &["cli/", "main.rs"]),
    ("print!", &["cli/", "main.rs"]),
    ("eprintln!", &["cli/", "main.rs"]),
    ("eprint!", &["cli/", "main.rs"]),
    ("process::exit", &["cli/", "main.rs"]),
];

/// What is to be done is an issue, not a comment.
const LEFTOVERS: &[&str] = &["FIXME", "TODO", "XXX"];
/// Places of somebody's machine.
const PLACES: &[&str] = &["/home/", "/root/", "/work/"];

/// A broken rule.
struct Breach {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.what)
    }
}

/// Everything wrong with the text of one file; `path` begins at the project's root.
fn check(path: &str, text: &str) -> Vec<Breach> {
    let mut found: Vec<(usize, String)> = places_and_leftovers(text);
    if path.ends_with(".rs") {
        let code = Code::of(text);
        found.extend(form(path, &code));
        if let Some(room) = path.strip_prefix("src/") {
            found.extend(arrows(room, &code));
            if !is_test(room) {
                found.extend(crates(room, &code));
                found.extend(powers(room, &code));
            }
        }
    }
    found.sort();
    found.dedup();
    let breach = |(line, what)| Breach { path: path.to_owned(), line, what };
    found.into_iter().map(breach).collect()
}

fn is_test(room: &str) -> bool {
    room.ends_with("/tests.rs") || room.contains("/tests/")
}

fn places_and_leftovers(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (nth, line) in text.lines().enumerate() {
        for place in PLACES.iter().filter(|place| line.contains(**place)) {
            found.push((nth + 1, format!("{place} is a place of somebody's machine")));
        }
        let mut words = line.split(|c: char| !c.is_ascii_alphanumeric());
        if let Some(word) = words.find(|word| LEFTOVERS.contains(word)) {
            found.push((nth + 1, format!("{word}: do it, or open an issue")));
        }
    }
    found
}

fn form(path: &str, code: &Code) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let longer = LONGER.iter().find(|(long, _, _)| *long == path);
    let most = longer.map_or(LINES_MAX, |(_, most, _)| *most);
    let lines = code.lines_without_tests();
    if lines > most {
        let what = format!("has {lines} lines without its tests; {most} is the most");
        found.push((most + 1, what));
    }
    for (nth, width) in code.widths() {
        if width > WIDTH_MAX {
            found.push((nth, format!("is {width} wide without its texts, beyond {WIDTH_MAX}")));
        }
    }
    for allow in ["#[allow(", "#![allow("] {
        for line in code.find(allow) {
            found.push((line, format!("{allow}…)]: write expect, with its reason")));
        }
    }
    found
}

fn arrows(room: &str, code: &Code) -> Vec<(usize, String)> {
    let layer = room.split('/').next().unwrap_or(room).trim_end_matches(".rs");
    let Some((_, below)) = LAYERS.iter().find(|(name, _)| *name == layer) else {
        return vec![(1, format!("{layer} is no layer that the table in tests/tidy.rs knows"))];
    };
    let mut found = Vec::new();
    let known = |name: &str| LAYERS.iter().any(|(known, _)| *known == name);
    let depth = Path::new(room).components().count();
    for Import { line, path } in code.crate_paths(depth, room.ends_with("/mod.rs")) {
        let (to, rest) = path.split_first().expect("a path has a first word");
        if to == layer || !known(to) {
            continue;
        }
        if !below.contains(&to.as_str()) {
            found.push((line, format!("{layer} may not name {to}")));
        }
        for (_, _, rooms) in DOORS.iter().filter(|(from, at, _)| *from == layer && at == to) {
            if !rest.first().is_some_and(|room| rooms.contains(&room.as_str())) {
                let rooms = rooms.join(", ");
                found.push((line, format!("{layer} may name only {rooms} of {to}")));
            }
        }
    }
    found
}

fn crates(room: &str, code: &Code) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (name, owners) in CRATES {
        if owners.iter().any(|owner| room.starts_with(owner)) {
            continue;
        }
        for line in code.find_crate(name) {
            let what = format!("{name} belongs to {}", owners.join(", "));
            found.push((line, what));
        }
    }
    found
}

fn powers(room: &str, code: &Code) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for (power, owners) in POWERS {
        if owners.iter().any(|owner| room.starts_with(owner)) {
            continue;
        }
        for line in code.find_outside_tests(power) {
            let owners = if owners.is_empty() { "nobody".to_owned() } else { owners.join(", ") };
            found.push((line, format!("{power} belongs to {owners}")));
        }
    }
    found
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files under `folder`, as paths from the root.
fn files(folder: &str, into: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(root().join(folder)) else {
        return;
    };
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name in UTF-8");
        let path = format!("{folder}/{name}");
        if entry.file_type().expect("a type").is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}

#[test]
fn the_house_is_tidy() {
    let mut paths: Vec<String> = Vec::new();
    for folder in
        ["src", "tests", "benches", "fuzz/fuzz_targets", "docs", "scenarios", "scripts", "wsdl"]
    {
        files(folder, &mut paths);
    }
    for name in ["README.md", "CHANGELOG.md", "Makefile", "Cargo.toml", "deny.toml", ".ci/run"] {
        paths.push(name.to_owned());
    }
    paths.push("mlango.example.toml".to_owned());
    let mut breaches = Vec::new();
    let mut read = 0;
    for path in paths.iter().filter(|path| *path != "tests/tidy.rs") {
        if let Ok(text) = fs::read_to_string(root().join(path)) {
            breaches.extend(check(path, &text));
            read += 1;
        }
    }
    assert!(read > 20, "only {read} files were found");
    let breaches: Vec<String> = breaches.iter().map(ToString::to_string).collect();
    assert!(breaches.is_empty(), "{}\n", breaches.join("\n"));
}

#[test]
fn files_that_may_be_longer_are_longer() {
    for (path, _, _) in LONGER {
        let text = fs::read_to_string(root().join(path)).expect(path);
        let lines = Code::of(&text).lines_without_tests();
        assert!(lines > LINES_MAX, "{path} is short enough: take it out of LONGER");
    }
}

#[test]
fn every_dependency_has_its_place() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("Cargo.toml");
    let manifest: toml_edit::DocumentMut = manifest.parse().expect("TOML");
    let dependencies = manifest["dependencies"].as_table().expect("a table");
    let known = |name: &str| CRATES.iter().any(|(owned, _)| *owned == name);
    for (name, _) in dependencies {
        let name = name.replace('-', "_");
        assert!(
            known(&name) || FOR_ALL.contains(&name.as_str()),
            "{name}: say in tests/tidy.rs who owns it"
        );
    }
}

#[test]
fn each_planted_breach_is_found() {
    let long = format!("let x = {};\n", "1 + ".repeat(25));
    let table: &[(&str, &str, &str)] = &[
        ("src/domain/id.rs", "\nuse crate::store::Store;\n", "2: domain may not name store"),
        ("src/soap/xml.rs", "use crate::engine::Engine;", "1: soap may not name engine"),
        ("src/sim/book.rs", "fn f() { crate::store::open() }", "1: sim may not name store"),
        (
            "src/sim/book.rs",
            "use crate::{\n    clock::Clock,\n    http::Api,\n};",
            "3: sim may not name http",
        ),
        ("src/sim/book.rs", "use crate::{clock::{self, Clock}, rail};", "1: sim may not name rail"),
        ("src/store/mod.rs", "use super::engine::Engine;", "1: store may not name engine"),
        ("src/store/sled/keys.rs", "use super::super::super::http;", "1: store may not name http"),
        ("src/clock.rs", "use super::config;", "1: clock may not name config"),
        ("src/main.rs", "use mlango::store::Store;", "1: main may not name store"),
        ("src/rail/soap.rs", "use crate::engine::Engine;", "1: rail may name only port of engine"),
        ("src/bank/mod.rs", "", "1: bank is no layer that the table in tests/tidy.rs knows"),
        ("src/soap/request.rs", "use quick_xml::Writer;", "1: quick_xml belongs to soap/xml.rs"),
        (
            "src/engine/mod.rs",
            "fn f() -> sled::Db {}",
            "1: sled belongs to store/sled.rs, store/sled/",
        ),
        ("src/engine/mod.rs", "use ::openssl::rsa;", "1: openssl belongs to credential.rs, tls/"),
        ("src/engine/mod.rs", "use chrono;", "1: chrono belongs to domain/time.rs"),
        (
            "src/engine/mod.rs",
            "use {bytes::Bytes, axum::Router};",
            "1: axum belongs to http/, sim/",
        ),
        ("src/domain/time.rs", "let now = chrono::Utc::now();", "1: Utc::now belongs to nobody"),
        ("src/engine/mod.rs", "std::time::SystemTime::now()", "1: SystemTime belongs to clock.rs"),
        (
            "src/rail/soap.rs",
            "tokio::spawn(f)",
            "1: spawn( belongs to app.rs, cli/, engine/, http/server, sim/, store/",
        ),
        (
            "src/http/api/mod.rs",
            "tasks.spawn(f)",
            "1: spawn( belongs to app.rs, cli/, engine/, http/server, sim/, store/",
        ),
        ("src/rail/soap.rs", "std::env::var(\"X\")", "1: env:: belongs to cli/, config/"),
        ("src/engine/mod.rs", "println!(\"x\")", "1: println! belongs to cli/, main.rs"),
        (
            "src/engine/mod.rs",
            "// a\n#[allow(dead_code)]",
            "2: #[allow(…)]: write expect, with its reason",
        ),
        ("tests/other.rs", "#![allow(unused)]", "1: #![allow(…)]: write expect, with its reason"),
        ("src/engine/mod.rs", "// TODO: later", "1: TODO: do it, or open an issue"),
        ("docs/operations.md", "see /root/notes", "1: /root/ is a place of somebody's machine"),
        ("src/engine/mod.rs", &long, "1: is 109 wide without its texts, beyond 100"),
    ];
    for (path, text, breach) in table {
        let found: Vec<String> = check(path, text).iter().map(ToString::to_string).collect();
        assert_eq!(found, [format!("{path}:{breach}")], "{text}");
    }
    let many = "\n".repeat(LINES_MAX + 1);
    let found = check("src/engine/mod.rs", &many);
    assert_eq!(found.len(), 1, "too many lines");
}

#[test]
fn what_is_within_the_rules_is_let_be() {
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(LINES_MAX));
    let table: &[(&str, &str)] = &[
        ("src/soap/mod.rs", "//! Like crate::store, unlike quick_xml::Reader.\n"),
        (
            "src/soap/mod.rs",
            "/* crate::store /* and */ sled::Db */ const A: &str = \"crate::http::x\";",
        ),
        ("src/soap/mod.rs", "const A: &str = r#\"\"sled::Db\" env::var\"#; const B: char = '\"';"),
        ("src/soap/mod.rs", "use super::domain::money::Amount;\nuse crate::domain::{id, party};"),
        ("src/store/sled.rs", "use sled::Db;\nuse super::record;\nuse super::super::domain::id;"),
        (
            "src/engine/worker.rs",
            "use crate::store::Store;\nfn f<'a>(x: &'a str) { tokio::spawn(x) }",
        ),
        ("src/rail/soap.rs", "use crate::engine::port::{Rail, Sent};\nuse crate::soap::request;"),
        ("src/http/mod.rs", "use http::StatusCode;\nuse crate::http::problem;"),
        ("src/clock.rs", "use std::time::SystemTime;"),
        ("src/soap/mod.rs", "const V: &str = env!(\"CARGO_PKG_VERSION\");"),
        (
            "src/rail/pace.rs",
            "fn f() {}\n#[cfg(test)]\nmod tests {\n fn g() { tokio::spawn(f) }\n}",
        ),
        ("src/engine/mod.rs", &tests),
        ("src/soap/mod.rs", "let msisdn = \"2547XXXXXXXX\"; // any 2547XXXXXXXX\n"),
        ("src/domain/outcome.rs", "let sled = 1; let env = sled;"),
    ];
    for (path, text) in table {
        let found: Vec<String> = check(path, text).iter().map(ToString::to_string).collect();
        assert!(found.is_empty(), "{text}: {found:?}");
    }
    let wide = format!("let text = \"{}\";", "long ".repeat(30));
    assert!(check("src/engine/mod.rs", &wide).is_empty());
}
