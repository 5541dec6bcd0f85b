//! The only place that writes to standard output and standard error.

/// Data, to standard output. A reader that went away (`| head`) is no fault of ours.
pub(super) fn data(line: &str) {
    write_or_leave(&mut std::io::stdout().lock(), line);
}

/// Anything else, to standard error.
pub(super) fn say(line: &str) {
    write_or_leave(&mut std::io::stderr().lock(), line);
}

/// Lines of data as they are; whether anybody still reads them.
///
/// # Errors
/// They could not be written, such as to a full disk.
pub(super) fn raw(text: &str) -> std::io::Result<bool> {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(error),
    }
}

/// Somebody else's words as text that a terminal takes as text.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// So many of something: `1 case`, `2 cases`.
pub(super) fn count(number: usize, one: &str) -> String {
    format!("{number} {one}{}", if number == 1 { "" } else { "s" })
}

/// How far something has come, on a terminal only: each time in place of the time before; nothing
/// at the end.
pub(super) fn progress(text: &str) {
    use std::io::{IsTerminal as _, Write as _};
    let mut err = std::io::stderr().lock();
    if err.is_terminal() && write!(err, "\r\x1b[K{text}").and_then(|()| err.flush()).is_err() {
        // There is nobody left to tell.
    }
}

fn write_or_leave(to: &mut impl std::io::Write, line: &str) {
    if writeln!(to, "{line}").and_then(|()| to.flush()).is_err() {
        // There is nobody left to tell.
    }
}

/// Rows under a head, each column as wide as its widest cell.
pub(super) fn table(head: &[&str], rows: &[Vec<String>]) -> String {
    let mut widths: Vec<usize> = head.iter().map(|cell| cell.chars().count()).collect();
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let head: Vec<String> = head.iter().map(|cell| (*cell).to_owned()).collect();
    let rule: Vec<String> = widths.iter().map(|width| "-".repeat(*width)).collect();
    let mut lines = vec![line(&widths, &head), line(&widths, &rule)];
    lines.extend(rows.iter().map(|row| line(&widths, row)));
    lines.join("\n")
}

fn line(widths: &[usize], cells: &[String]) -> String {
    let cells: Vec<String> = widths
        .iter()
        .zip(cells)
        .map(|(width, cell)| format!("{cell:<width$}", width = *width))
        .collect();
    cells.join("  ").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell() {
        let rows = [vec!["1".to_owned(), "two".to_owned()], vec!["333".to_owned(), "4".to_owned()]];
        let shown = table(&["a", "b"], &rows);
        assert_eq!(shown, "a    b\n---  ---\n1    two\n333  4");
    }
}
