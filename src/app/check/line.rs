//! What `mlango check` prints.

use serde::Serialize;

/// How one thing stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// As it should be.
    Ok,
    /// It works, and will not for ever or not safely.
    Warning,
    /// It does not work.
    Fails,
    /// It was not looked at; the line says why.
    Skipped,
}

impl Status {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Fails => "fails",
            Self::Skipped => "skipped",
        }
    }
}

/// One thing that can be wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Line {
    /// What was looked at: a name that stays, such as `broker.tls`.
    pub check: String,
    /// How it stands.
    pub status: Status,
    /// What was seen.
    pub seen: String,
    /// What to do, where there is something to do.
    #[serde(rename = "do")]
    pub advice: Option<String>,
}

impl Line {
    /// It is as it should be.
    pub fn ok(check: impl Into<String>, seen: impl Into<String>) -> Self {
        Self { check: check.into(), status: Status::Ok, seen: seen.into(), advice: None }
    }

    /// It was not looked at, and why.
    pub fn skipped(check: impl Into<String>, why: impl Into<String>) -> Self {
        Self { check: check.into(), status: Status::Skipped, seen: why.into(), advice: None }
    }

    /// It works, and is worth a word.
    pub fn warning(
        check: impl Into<String>,
        seen: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        Self { check: check.into(), status: Status::Warning, seen: seen.into(), advice }
    }

    /// It does not work.
    pub fn fails(
        check: impl Into<String>,
        seen: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        let advice = Some(advice.into());
        Self { check: check.into(), status: Status::Fails, seen: seen.into(), advice }
    }
}

/// Everything that was looked at, in the order in which a person would mend it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Whether no line fails.
    pub ok: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

impl Report {
    /// The report of these lines.
    pub fn of(lines: Vec<Line>) -> Self {
        let ok = lines.iter().all(|line| line.status != Status::Fails);
        Self { ok, lines }
    }

    /// How many lines stand so.
    pub fn count(&self, status: Status) -> usize {
        self.lines.iter().filter(|line| line.status == status).count()
    }
}
