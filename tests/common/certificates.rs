//! The throw-away certificates of `certs.example/make.sh`, made once for each test program.

use std::path::PathBuf;
use std::process::Command;
use std::sync::LazyLock;

use tempfile::TempDir;

static MADE: LazyLock<TempDir> = LazyLock::new(|| {
    let dir = TempDir::new().expect("a directory");
    let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("certs.example/make.sh");
    let made = Command::new("sh").arg(script).arg("all").arg(dir.path()).output();
    let made = made.expect("sh");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    dir
});

/// One of them.
pub fn file(name: &str) -> PathBuf {
    let path = MADE.path().join(name);
    assert!(path.exists(), "make.sh makes no {name}");
    path
}
