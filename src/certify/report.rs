//! All verdicts together.

use std::collections::BTreeMap;

use super::Interface;
use super::books::Row;
use super::case::Task;
use super::judge::{Facts, Level, Paid, Verdict, judge, sum};
use super::wire::Wire;
use crate::domain::money::Amount;

/// What was found of a case, by whoever ran it.
#[derive(Clone, Debug, Default)]
pub struct Trial {
    /// Why its target did not take the payment, if so.
    pub not_taken: Option<String>,
    /// What M-Pesa's ledger shows for its phone.
    pub paid: Vec<Paid>,
    /// What went over the wire.
    pub wire: Wire,
}

/// What a system was put through, and how it did.
#[derive(Clone, Debug)]
pub struct Report {
    /// How it talks to M-Pesa.
    pub interface: Interface,
    /// What every reference of this run begins with.
    pub run: String,
    /// Each case, in order.
    pub verdicts: Vec<Verdict>,
    /// Rows of the books that are about none of the cases.
    pub strangers: usize,
}

impl Report {
    /// Judges every case.
    pub fn new(interface: Interface, run: &str, trials: &[(Task, Trial)], books: &[Row]) -> Self {
        let mut rows: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in books {
            rows.entry(&row.reference).or_default().push(row);
        }
        let verdict = |(task, trial): &(Task, Trial)| {
            let rows = rows.get(task.reference.as_str()).map_or(&[][..], Vec::as_slice);
            let facts = Facts {
                not_taken: trial.not_taken.as_deref(),
                paid: &trial.paid,
                rows,
                wire: &trial.wire,
            };
            judge(task, facts)
        };
        let is_ours = |row: &&Row| trials.iter().any(|(task, _)| task.reference == row.reference);
        Self {
            interface,
            run: run.to_owned(),
            verdicts: trials.iter().map(verdict).collect(),
            strangers: books.iter().filter(|row| !is_ours(row)).count(),
        }
    }

    /// How many cases ended so.
    pub fn count(&self, level: Level) -> usize {
        self.verdicts.iter().filter(|verdict| verdict.level == level).count()
    }

    /// Whether no case failed.
    pub fn is_passed(&self) -> bool {
        self.count(Level::Failed) == 0
    }

    /// Those that ended so, the worst first.
    pub fn worst_first(&self, level: Level) -> Vec<&Verdict> {
        let mut ours: Vec<&Verdict> =
            self.verdicts.iter().filter(|verdict| verdict.level == level).collect();
        ours.sort_by_key(|verdict| verdict.findings.first().map(|worst| worst.flaw));
        ours
    }

    /// How much is wrong, in cases and in money.
    pub fn totals(&self) -> String {
        let failed = self.count(Level::Failed);
        let failed = if failed == 1 { "1 case".to_owned() } else { format!("{failed} cases") };
        let overpaid = || self.verdicts.iter().map(|verdict| verdict.overpaid);
        let doubled = overpaid().filter(|overpaid| *overpaid > Amount::ZERO).count();
        let paid = match doubled {
            0 => "no payment was paid twice".to_owned(),
            1 => format!("1 payment was paid twice, {} shillings too much", sum(overpaid())),
            many => {
                format!("{many} payments were paid twice, {} shillings too much", sum(overpaid()))
            }
        };
        format!("{failed} failed; {paid}.")
    }

    /// In one line.
    pub fn summary(&self) -> String {
        format!(
            "{} over {}: {} passed, {} failed, {} to look at",
            if self.verdicts.len() == 1 {
                "1 case".to_owned()
            } else {
                format!("{} cases", self.verdicts.len())
            },
            self.interface,
            self.count(Level::Passed),
            self.count(Level::Failed),
            self.count(Level::Warning)
        )
    }
}
