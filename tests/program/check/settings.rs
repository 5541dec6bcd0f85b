//! The configuration, files and the store.

use std::fs;
use std::path::Path;

use super::{NOBODY, assert_said, copied, edit, find_all, mode, read, report, row, tls};
use crate::house::House;

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
#[expect(clippy::too_many_lines, reason = "a table")]
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
            "a store where there is no room",
            |house| house.set("STORE__URL", "sled:/proc/mlango"),
            fails("store.disk", "0 MiB free"),
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
    // In /proc nothing can be written, and there is no room either.
    let nobody: Vec<&str> =
        NOBODY.iter().copied().chain(["store.disk", "store.writable"]).collect();
    find_all(&table, &nobody);
}
