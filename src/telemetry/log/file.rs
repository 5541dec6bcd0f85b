//! The log in a file of ours: it is exchanged for a new one when it is long, and what cannot be
//! written is counted and left out. Nothing that goes wrong here holds anybody up.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::config::section::LogFile;
use crate::telemetry::metric::{self, Counter};

/// Who may read it: nobody but the user that the gateway runs as.
const MODE: u32 = 0o600;

/// A file of lines. The latest stand in the file itself, those before in `….1`, then `….2`.
#[derive(Debug)]
pub(super) struct Rotating {
    settings: LogFile,
    open: Option<Open>,
    dropped: Counter,
    /// Lines that could not be written since one could be.
    lost: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    inode: u64,
    bytes: u64,
    /// A device or a pipe is not renamed.
    is_regular: bool,
}

impl Open {
    fn at(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).mode(MODE).open(path)?;
        let found = file.metadata()?;
        let is_regular = found.file_type().is_file();
        Ok(Self { file, inode: found.ino(), bytes: found.len(), is_regular })
    }

    /// Whether `path` is still this file: somebody else may have moved it away, as logrotate does.
    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| found.ino() == self.inode)
    }
}

impl Rotating {
    /// Opens the file, or makes it.
    ///
    /// # Errors
    /// It cannot be written to.
    pub fn open(settings: &LogFile) -> io::Result<Self> {
        let open = Some(Open::at(&settings.path)?);
        let dropped = metric::LOG_LINES_DROPPED.with([]);
        Ok(Self { settings: settings.clone(), open, dropped, lost: 0 })
    }

    fn put(&mut self, line: &[u8]) -> io::Result<()> {
        let more = u64::try_from(line.len()).unwrap_or(u64::MAX);
        let most = self.settings.rotate_bytes;
        let is_long =
            |it: &Open| it.is_regular && it.bytes > 0 && it.bytes.saturating_add(more) > most;
        match self.open.take().filter(|it| it.is_at(&self.settings.path)) {
            Some(open) if is_long(&open) => self.rotate()?,
            kept => self.open = kept,
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => Open::at(&self.settings.path)?,
        };
        let put = open.file.write_all(line);
        open.bytes = open.bytes.saturating_add(more);
        self.open = Some(open);
        put
    }

    /// The oldest goes, the others move up by one.
    fn rotate(&self) -> io::Result<()> {
        let path = &self.settings.path;
        if self.settings.keep == 0 {
            return fs::remove_file(path);
        }
        for nth in (1..self.settings.keep).rev() {
            // One that is not there yet does not move.
            fs::rename(numbered(path, nth), numbered(path, nth.saturating_add(1))).ok();
        }
        fs::rename(path, numbered(path, 1))
    }

    /// Counts a line that was not written; the first of several is said, where it can be.
    fn lose(&mut self, why: &io::Error) {
        self.dropped.increment();
        if self.lost == 0 {
            let path = self.settings.path.display();
            let says = format!(
                "mlango: log.file, {path}, cannot be written: {why}; its lines are dropped and \
                 counted (mlango_log_lines_dropped_total), and the work goes on\n"
            );
            io::stderr().write_all(says.as_bytes()).ok();
        }
        self.lost = self.lost.saturating_add(1);
    }
}

fn numbered(path: &Path, nth: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{nth}"));
    PathBuf::from(name)
}

/// Takes whole lines, and never fails.
impl Write for Rotating {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match self.put(line) {
            Ok(()) => self.lost = 0,
            Err(why) => self.lose(&why),
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn settings(dir: &Path, keep: u32) -> LogFile {
        LogFile { path: dir.join("mlango.log"), rotate_bytes: 64, keep }
    }

    fn names(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).expect("a directory");
        let name = |entry: io::Result<fs::DirEntry>| entry.expect("an entry").file_name();
        let mut names: Vec<String> =
            entries.map(|entry| name(entry).into_string().expect("UTF-8")).collect();
        names.sort();
        names
    }

    fn write(log: &mut Rotating, lines: std::ops::Range<u32>) {
        for nth in lines {
            log.write_all(format!("line {nth:03} is 26 bytes long\n").as_bytes()).expect("never");
        }
    }

    #[test]
    fn a_long_file_is_exchanged_and_only_so_many_are_kept() {
        let dir = tempfile::tempdir().expect("a directory");
        let mut log = Rotating::open(&settings(dir.path(), 2)).expect("a file");
        write(&mut log, 0..100);
        assert_eq!(names(dir.path()), ["mlango.log", "mlango.log.1", "mlango.log.2"]);
        let read = |name: &str| fs::read_to_string(dir.path().join(name)).expect(name);
        let all = [read("mlango.log.2"), read("mlango.log.1"), read("mlango.log")].concat();
        let lines: Vec<&str> = all.lines().filter_map(|line| line.get(5..8)).collect();
        assert_eq!(lines, ["094", "095", "096", "097", "098", "099"], "the latest, in order");
        for name in names(dir.path()) {
            let found = fs::metadata(dir.path().join(&name)).expect("a file");
            assert!(found.len() <= 64, "{name}: {}", found.len());
            assert_eq!(found.permissions().mode() & 0o777, 0o600, "{name}");
        }
    }

    #[test]
    fn what_is_there_is_written_on_and_what_is_moved_away_is_made_anew() {
        let dir = tempfile::tempdir().expect("a directory");
        write(&mut Rotating::open(&settings(dir.path(), 1)).expect("a file"), 0..1);
        let mut log = Rotating::open(&settings(dir.path(), 0)).expect("a file");
        write(&mut log, 1..2);
        let path = dir.path().join("mlango.log");
        assert_eq!(fs::read_to_string(&path).expect("a file").lines().count(), 2);
        fs::rename(&path, dir.path().join("moved")).expect("moved");
        write(&mut log, 2..3);
        assert_eq!(names(dir.path()), ["mlango.log", "moved"]);
        write(&mut log, 3..50);
        assert_eq!(names(dir.path()), ["mlango.log", "moved"], "none of the old is kept");
    }

    #[test]
    fn a_full_disk_is_counted_and_holds_nobody_up() {
        let path = PathBuf::from("/dev/full");
        let full = LogFile { path, rotate_bytes: 64, keep: 1 };
        let mut log = Rotating::open(&full).expect("it opens");
        write(&mut log, 0..3);
        assert_eq!(log.lost, 3);
    }

    #[test]
    fn a_directory_that_goes_and_comes_back_costs_the_lines_between() {
        let dir = tempfile::tempdir().expect("a directory");
        let (here, away) = (dir.path().join("logs"), dir.path().join("away"));
        fs::create_dir(&here).expect("made");
        let mut log = Rotating::open(&settings(&here, 1)).expect("a file");
        fs::rename(&here, &away).expect("moved");
        write(&mut log, 0..2);
        assert_eq!(log.lost, 2);
        fs::rename(&away, &here).expect("moved back");
        write(&mut log, 2..3);
        assert_eq!(log.lost, 0);
        let text = fs::read_to_string(here.join("mlango.log")).expect("a file");
        assert_eq!(text, "line 002 is 26 bytes long\n");
    }
}
