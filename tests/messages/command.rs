//! `mlango xml` as it is typed: what it prints, and how it ends.

use std::fs;
use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use super::corpus::{C2B, place};

fn mlango(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mlango"));
    command.arg("xml").args(arguments).output().expect("it runs")
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn files_are_all_looked_at_and_the_exit_code_says_whether_one_is_wrong() {
    let dir = tempfile::tempdir().expect("a directory");
    let write = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).expect("writes");
        path.display().to_string()
    };
    let good = write("good.xml", C2B[0].1);
    let known = write("known.xml", &C2B[0].1.replace("TransType", "TransactionType"));
    let bad = write("bad.xml", &C2B[0].1.replace("<TransID>SAB1EXAMPLE</TransID>\n", ""));
    let gone = dir.path().join("gone.xml").display().to_string();

    let output = mlango(&["validate", &good, &known]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let wanted = format!(
        "{good}: C2BPaymentValidationRequest: to the schema\n\
         {known}: C2BPaymentValidationRequest: accepted, but not to the schema\n\
         {known}:4: C2BPaymentValidationRequest/TransactionType: found TransactionType; expected \
         TransType [transaction-type, spec/soap.md §9]\n"
    );
    assert_eq!(out(&output), wanted);
    assert_eq!(mlango(&["validate", "--strict", &good]).status.code(), Some(0));
    assert_eq!(mlango(&["validate", "--strict", &good, &known]).status.code(), Some(1));

    let output = mlango(&["validate", &bad, &gone, &good]);
    assert_eq!(output.status.code(), Some(1));
    let said = out(&output);
    for part in [
        &format!("{bad}: C2BPaymentValidationRequest: not understood: "),
        &format!("{bad}:5: C2BPaymentValidationRequest/TransTime: found TransTime"),
        &format!("{gone}: {gone} cannot be read"),
        &format!("{good}: C2BPaymentValidationRequest: to the schema"),
    ] {
        assert!(said.contains(part.as_str()), "{part} in {said}");
    }
    let last = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(last.contains("2 of 3 messages"), "{last}");

    let output = mlango(&["validate", "--json", &known, &gone]);
    let rows: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(rows[0]["verdict"], "deviates");
    assert_eq!((&rows[0]["ok"], &rows[1]["ok"]), (&true.into(), &false.into()));
    let finding = &rows[0]["findings"][0];
    assert_eq!(
        (&finding["line"], &finding["deviation"]["name"]),
        (&4.into(), &"transaction-type".into())
    );
}

#[test]
fn the_partners_own_files_take_the_place_of_ours() {
    let golden = place("tests/golden/result-paid.xml").display().to_string();
    let ours = place("wsdl").display().to_string();
    assert_eq!(mlango(&["validate", "--wsdl", &ours, &golden]).status.code(), Some(0));
    let dir = tempfile::tempdir().expect("a directory");
    fs::write(dir.path().join("a.xsd"), "<a/>").expect("writes");
    let theirs = dir.path().display().to_string();
    let output = mlango(&["validate", "--wsdl", &theirs, &golden]);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("a.xsd:1: "), "{said}");
}

#[test]
fn standard_input_is_a_file_too_and_json_is_shown() {
    let pass = |arguments: &[&str], text: &str| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_mlango"))
            .arg("xml")
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("it runs");
        let mut stdin = child.stdin.take().expect("its input");
        stdin.write_all(text.as_bytes()).expect("writes");
        drop(stdin);
        child.wait_with_output().expect("it ends")
    };
    let output = pass(&["validate", "-"], C2B[1].1);
    assert_eq!(out(&output), "-: C2BPaymentConfirmationRequest: to the schema\n");
    let json = fs::read_to_string(place("tests/golden/daraja/result-b2c.json")).expect("a message");
    let shown = out(&pass(&["show", "-"], &json));
    assert!(shown.contains("\"ResultCode\": 0  ("), "{shown}");
    assert!(!shown.contains("OTIENO") && !shown.contains("700000001"), "{shown}");
}

/// A place with a configuration as `mlango init` writes it.
fn initialised() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let init = Command::new(env!("CARGO_BIN_EXE_mlango"))
        .args(["init", "--dir"])
        .arg(dir.path())
        .output()
        .expect("it runs");
    assert!(init.status.success(), "{init:?}");
    dir
}

/// Runs a command with that configuration and this directory of schemas.
fn with_schemas(dir: &tempfile::TempDir, command: &str, schemas: &std::path::Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mlango"))
        .arg("--config")
        .arg(dir.path().join("mlango.toml"))
        .arg(command)
        .env("MLANGO__BROKER__WSDL_DIR", schemas)
        .env("MLANGO__API__LISTEN", "127.0.0.1:0")
        .env("MLANGO__CALLBACKS__LISTEN", "127.0.0.1:0")
        .current_dir(dir.path())
        .output()
        .expect("it runs")
}

#[test]
fn a_gateway_does_not_start_on_schemas_that_no_request_could_pass() {
    let dir = initialised();
    let schemas = tempfile::tempdir().expect("a directory");
    let output = with_schemas(&dir, "serve", schemas.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("broker.wsdl_dir, ") && said.contains("holds no .xsd"), "{said}");
    // The requests of another market: none of ours is declared.
    let foreign = "<xs:schema xmlns:xs=\"http://www.w3.org/2001/XMLSchema\"><xs:element name=\"a\"/></xs:schema>";
    fs::write(schemas.path().join("a.xsd"), foreign).expect("writes");
    let output = with_schemas(&dir, "serve", schemas.path());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("a payout's request as this configuration writes it"), "{said}");
}

#[test]
fn the_check_of_a_configuration_has_a_line_for_the_schemas() {
    let dir = initialised();
    let line = |schemas: &std::path::Path| {
        let output = out(&with_schemas(&dir, "check", schemas));
        let line = output.lines().find(|line| line.contains("broker.wsdl_dir"));
        line.unwrap_or_else(|| panic!("{output}")).to_owned()
    };
    assert!(line(&place("wsdl")).starts_with("ok "), "{}", line(&place("wsdl")));
    let empty = tempfile::tempdir().expect("a directory");
    assert!(line(empty.path()).starts_with("fails "), "{}", line(empty.path()));
}
