//! One case: what M-Pesa's ledger shows, what the books say, and whether that is right. Pure.

use super::books::{Row, Status};
use super::case::{Evidence, Money, Task};
use super::wire::Wire;
use crate::domain::money::Amount;

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should.
    Passed,
    /// No money is wrong, and a person should look.
    Warning,
    /// It was fooled.
    Failed,
}

impl Level {
    /// As reports name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What may be wrong with a case, the worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Flaw {
    /// Money moved more than once.
    DoubleDebit,
    /// Another amount moved than was asked for.
    WrongAmount,
    /// Paid, and the books say that it was not.
    PaidCalledNotPaid,
    /// Not paid, and the books say that it was.
    NotPaidCalledPaid,
    /// Nobody could know, and the books say that they do.
    Guessed,
    /// M-Pesa has said what became of it, and the books have it open.
    ResultLost,
    /// While the first try was in doubt, it was sent again under another id.
    NewId,
    /// The books have another amount than what moved.
    BooksAmount,
    /// The books have a receipt that M-Pesa's ledger has not.
    BooksReceipt,
    /// The books have another phone.
    BooksPhone,
    /// Its target did not take it.
    NotTaken,
    /// It never came to M-Pesa.
    NeverSent,
    /// The books have nothing of it.
    Missing,
    /// The books have it more than once.
    BookedTwice,
    /// It is open, and M-Pesa could have been asked.
    NotAsked,
    /// After a certain failure it was paid under another id.
    PaidAnew,
    /// A message was never acknowledged.
    NotAcknowledged,
}

impl Flaw {
    /// As reports name it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DoubleDebit => "double_debit",
            Self::PaidCalledNotPaid => "paid_called_not_paid",
            Self::NotPaidCalledPaid => "not_paid_called_paid",
            Self::Guessed => "guessed",
            Self::ResultLost => "result_lost",
            Self::WrongAmount => "wrong_amount",
            Self::BooksAmount => "books_amount",
            Self::BooksReceipt => "books_receipt",
            Self::BooksPhone => "books_phone",
            Self::Missing => "missing",
            Self::BookedTwice => "booked_twice",
            Self::NeverSent => "never_sent",
            Self::NotTaken => "not_taken",
            Self::NewId => "new_id",
            Self::NotAsked => "not_asked",
            Self::PaidAnew => "paid_anew",
            Self::NotAcknowledged => "not_acknowledged",
        }
    }

    /// How bad it is.
    pub const fn level(self) -> Level {
        match self {
            Self::NotAsked | Self::PaidAnew | Self::NotAcknowledged => Level::Warning,
            Self::DoubleDebit
            | Self::PaidCalledNotPaid
            | Self::NotPaidCalledPaid
            | Self::Guessed
            | Self::ResultLost
            | Self::WrongAmount
            | Self::BooksAmount
            | Self::BooksReceipt
            | Self::BooksPhone
            | Self::Missing
            | Self::BookedTwice
            | Self::NeverSent
            | Self::NotTaken
            | Self::NewId => Level::Failed,
        }
    }
}

/// Something that is wrong with a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub flaw: Flaw,
    /// In words, with the money.
    pub says: String,
}

/// A payment that M-Pesa's ledger shows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Paid {
    /// How much.
    pub amount: Amount,
    /// Its receipt.
    pub receipt: String,
}

/// What is known of a case when all is over.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// Why its target did not take the payment, if so.
    pub not_taken: Option<&'a str>,
    /// What M-Pesa's ledger shows for its phone.
    pub paid: &'a [Paid],
    /// What the books say of its reference.
    pub rows: &'a [&'a Row],
    /// What went over the wire.
    pub wire: &'a Wire,
}

/// How a case ended, and why.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The case and its payment.
    pub task: Task,
    /// How it ended.
    pub level: Level,
    /// What is wrong, the worst first.
    pub findings: Vec<Finding>,
    /// What moved beyond the first payment.
    pub overpaid: Amount,
    /// What M-Pesa's ledger shows, in words.
    pub ledger: String,
    /// What the books say, in words.
    pub books: String,
    /// What went over the wire.
    pub wire: Vec<String>,
}

impl Verdict {
    /// What happened, in one line.
    pub fn happened(&self) -> String {
        format!("{} in M-Pesa's ledger, {} in the books", self.ledger, self.books)
    }
}

/// Judges a case.
pub fn judge(task: &Task, facts: Facts<'_>) -> Verdict {
    let mut findings = money(task, facts);
    findings.extend(books(task, facts));
    findings.extend(conduct(task, facts));
    findings.sort_by_key(|finding| finding.flaw);
    let level = findings.first().map_or(Level::Passed, |worst| worst.flaw.level());
    Verdict {
        level,
        findings,
        overpaid: sum(facts.paid.iter().skip(1).map(|paid| paid.amount)),
        ledger: ledger_words(task, facts.paid),
        books: books_words(facts.rows),
        wire: facts.wire.lines.clone(),
        task: task.clone(),
    }
}

/// The sum, as far as it can be told.
pub(super) fn sum(amounts: impl Iterator<Item = Amount>) -> Amount {
    let cents = amounts.fold(0_u64, |sum, amount| sum.saturating_add(amount.cents()));
    Amount::from_cents(cents)
}

fn found(flaw: Flaw, says: impl Into<String>) -> Finding {
    Finding { flaw, says: says.into() }
}

/// What moved.
fn money(task: &Task, facts: Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.paid.len() > 1 {
        let receipts: Vec<&str> = facts.paid.iter().map(|paid| paid.receipt.as_str()).collect();
        let says = format!(
            "{} paid {} times: receipts {}",
            task.amount,
            facts.paid.len(),
            receipts.join(", ")
        );
        findings.push(found(Flaw::DoubleDebit, says));
    }
    for paid in facts.paid.iter().filter(|paid| paid.amount != task.amount) {
        let says = format!("{} was asked for, and {} moved", task.amount, paid.amount);
        findings.push(found(Flaw::WrongAmount, says));
    }
    if let Some(why) = facts.not_taken {
        let why = why.replace(char::is_control, " ");
        findings.push(found(Flaw::NotTaken, format!("the system did not take it: {why}")));
    } else if facts.wire.ids.is_empty() && facts.paid.is_empty() {
        findings.push(found(Flaw::NeverSent, "no request for it came to M-Pesa"));
    }
    findings
}

/// What the books say, against what moved.
fn books(task: &Task, facts: Facts<'_>) -> Vec<Finding> {
    let Some(row) = facts.rows.first() else {
        let says = format!("the books have nothing of {}", task.reference);
        return vec![found(Flaw::Missing, says)];
    };
    let mut findings = Vec::new();
    if facts.rows.len() > 1 {
        let says = format!("the books have {} {} times", task.reference, facts.rows.len());
        findings.push(found(Flaw::BookedTwice, says));
    }
    findings.extend(facts.rows.iter().find_map(|row| status(task, facts, row)));
    if row.status == Status::Paid {
        findings.extend(details(task, facts.paid, row));
    }
    findings
}

/// Whether one row's status is right, and if not, what it is.
fn status(task: &Task, facts: Facts<'_>, row: &Row) -> Option<Finding> {
    let was_paid = !facts.paid.is_empty();
    match (row.status, was_paid, task.case.evidence) {
        (Status::Paid, false, _) => Some(found(
            Flaw::NotPaidCalledPaid,
            format!("{} was never paid, and the books say paid", task.amount),
        )),
        (Status::NotPaid, true, _) => Some(found(
            Flaw::PaidCalledNotPaid,
            format!("{} was paid, and the books say not paid", task.amount),
        )),
        (Status::Paid | Status::NotPaid, _, Evidence::Open) => Some(found(
            Flaw::Guessed,
            format!("nobody could know, and the books say {}", row.status.says()),
        )),
        (Status::Pending, _, Evidence::Told) => Some(found(
            Flaw::ResultLost,
            format!(
                "M-Pesa said that {} was {}, and the books have it open",
                task.amount,
                if was_paid { "paid" } else { "not paid" }
            ),
        )),
        (Status::Pending, _, Evidence::Asked) => Some(found(
            Flaw::NotAsked,
            "the books have it open, which loses nothing; M-Pesa, asked, would have said it",
        )),
        (Status::Pending, _, Evidence::Open)
        | (Status::Paid, true, Evidence::Told | Evidence::Asked)
        | (Status::NotPaid, false, Evidence::Told | Evidence::Asked) => None,
    }
}

/// Amount, receipt and phone of what the books call paid, where they have them.
fn details(task: &Task, paid: &[Paid], row: &Row) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(amount) = row.amount.filter(|amount| *amount != task.amount) {
        let says = format!("the books have {amount}, and it was {}", task.amount);
        findings.push(found(Flaw::BooksAmount, says));
    }
    let is_theirs = |receipt: &&String| paid.iter().any(|paid| paid.receipt == **receipt);
    if let Some(receipt) = row.receipt.as_ref().filter(|receipt| !is_theirs(receipt)) {
        let short: String = receipt.chars().take(20).collect();
        let says = format!("the books have receipt {short}, which M-Pesa's ledger has not");
        findings.push(found(Flaw::BooksReceipt, says));
    }
    if row.phone.is_some_and(|phone| phone != task.phone) {
        findings.push(found(Flaw::BooksPhone, "the books have another phone"));
    }
    findings
}

/// How it got there: what went well by luck is not well.
fn conduct(task: &Task, facts: Facts<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if facts.wire.is_renamed_unasked && task.case.leaves_doubt() {
        let ids = facts.wire.ids.len();
        let says = format!(
            "sent under {ids} ids while the first was in doubt, and nobody asked about it: each \
             may be a payment"
        );
        findings.push(found(Flaw::NewId, says));
    }
    if task.case.money == Money::NotPaid && facts.paid.len() == 1 {
        let says = "M-Pesa had refused it for certain, and it was sent and paid anew";
        findings.push(found(Flaw::PaidAnew, says));
    }
    if facts.wire.unacknowledged > 0 {
        let says = format!(
            "never acknowledged with 2xx: {} of M-Pesa's; acknowledge duplicates too",
            match facts.wire.unacknowledged {
                1 => "1 message".to_owned(),
                many => format!("{many} messages"),
            }
        );
        findings.push(found(Flaw::NotAcknowledged, says));
    }
    findings
}

fn ledger_words(task: &Task, paid: &[Paid]) -> String {
    match paid {
        [] => "not paid".to_owned(),
        [once] => format!("{} paid once", once.amount),
        [_, _] => format!("{} paid twice", task.amount),
        many => format!("{} paid {} times", task.amount, many.len()),
    }
}

fn books_words(rows: &[&Row]) -> String {
    match rows {
        [] => "missing".to_owned(),
        rows => rows.iter().map(|row| row.status.says()).collect::<Vec<_>>().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::certify::case::{Case, Group, tasks};
    use crate::sim::script::{Answer, Behaviour};

    /// A case whose first answer is lost, with what it ends in.
    fn task(money: Money, evidence: Evidence) -> Task {
        let lost = Behaviour { answer: Answer::Drop, ..Behaviour::ORDINARY };
        let case = Case::new("x", Group::LostAnswer, "x").first(lost).ends(money, evidence);
        tasks(vec![case], "T").remove(0)
    }

    fn wire(ids: usize) -> Wire {
        Wire { ids: vec!["id".to_owned(); ids], ..Wire::default() }
    }

    fn paid(times: usize) -> Vec<Paid> {
        let one = Paid { amount: Amount::from_shillings(101), receipt: "UJ30000001".to_owned() };
        vec![one; times]
    }

    fn row(status: Status) -> Row {
        let reference = "CERT-T-01".to_owned();
        Row { reference, status, amount: None, receipt: None, phone: None }
    }

    fn flaws(task: &Task, times: usize, rows: &[Row], wire: &Wire) -> Vec<Flaw> {
        let rows: Vec<&Row> = rows.iter().collect();
        let facts = Facts { not_taken: None, paid: &paid(times), rows: &rows, wire };
        judge(task, facts).findings.iter().map(|finding| finding.flaw).collect()
    }

    #[test]
    fn each_pair_of_ledger_and_books_has_its_verdict() {
        use Evidence::{Asked, Open, Told};
        use Status::{NotPaid, Paid, Pending};
        // How it can be known, how often it was paid, what the books say; what is wrong.
        let table: [(Evidence, usize, Option<Status>, &[Flaw]); 24] = [
            (Told, 1, Some(Paid), &[]),
            (Told, 1, Some(NotPaid), &[Flaw::PaidCalledNotPaid]),
            (Told, 1, Some(Pending), &[Flaw::ResultLost]),
            (Told, 1, None, &[Flaw::Missing]),
            (Told, 0, Some(Paid), &[Flaw::NotPaidCalledPaid]),
            (Told, 0, Some(NotPaid), &[]),
            (Told, 0, Some(Pending), &[Flaw::ResultLost]),
            (Told, 2, Some(Paid), &[Flaw::DoubleDebit]),
            (Told, 2, Some(NotPaid), &[Flaw::DoubleDebit, Flaw::PaidCalledNotPaid]),
            (Told, 2, Some(Pending), &[Flaw::DoubleDebit, Flaw::ResultLost]),
            (Told, 3, None, &[Flaw::DoubleDebit, Flaw::Missing]),
            (Asked, 1, Some(Paid), &[]),
            (Asked, 1, Some(NotPaid), &[Flaw::PaidCalledNotPaid]),
            (Asked, 1, Some(Pending), &[Flaw::NotAsked]),
            (Asked, 0, Some(Paid), &[Flaw::NotPaidCalledPaid]),
            (Asked, 0, Some(NotPaid), &[]),
            (Asked, 0, Some(Pending), &[Flaw::NotAsked]),
            (Open, 1, Some(Paid), &[Flaw::Guessed]),
            (Open, 1, Some(NotPaid), &[Flaw::PaidCalledNotPaid]),
            (Open, 1, Some(Pending), &[]),
            (Open, 0, Some(Paid), &[Flaw::NotPaidCalledPaid]),
            (Open, 0, Some(NotPaid), &[Flaw::Guessed]),
            (Open, 0, Some(Pending), &[]),
            (Open, 0, None, &[Flaw::Missing]),
        ];
        for (evidence, times, status, expected) in table {
            let rows: Vec<Row> = status.map(row).into_iter().collect();
            let found = flaws(&task(Money::Either, evidence), times, &rows, &wire(1));
            assert_eq!(found, expected, "{evidence:?} paid {times} times, books {status:?}");
        }
    }

    #[test]
    fn what_the_books_say_of_a_payment_must_be_what_moved() {
        let task = task(Money::Paid, Evidence::Told);
        let base = row(Status::Paid);
        let shillings = Amount::from_shillings;
        let table = [
            (Row { amount: Some(shillings(101)), ..base.clone() }, None),
            (Row { amount: Some(shillings(102)), ..base.clone() }, Some(Flaw::BooksAmount)),
            (Row { receipt: Some("UJ30000001".to_owned()), ..base.clone() }, None),
            (Row { receipt: Some("ZZZ0".to_owned()), ..base.clone() }, Some(Flaw::BooksReceipt)),
            (Row { phone: Some(task.phone), ..base.clone() }, None),
            (Row { phone: "0722000111".parse().ok(), ..base.clone() }, Some(Flaw::BooksPhone)),
        ];
        for (row, expected) in table {
            let found = flaws(&task, 1, std::slice::from_ref(&row), &wire(1));
            assert_eq!(found, expected.into_iter().collect::<Vec<_>>(), "{row:?}");
        }
        let twice = [base.clone(), base];
        assert_eq!(flaws(&task, 1, &twice, &wire(1)), [Flaw::BookedTwice]);
        // One of two rows is wrong.
        let torn = [row(Status::Paid), row(Status::NotPaid)];
        let found = flaws(&task, 1, &torn, &wire(1));
        assert_eq!(found, [Flaw::PaidCalledNotPaid, Flaw::BookedTwice]);
    }

    #[test]
    fn luck_and_bad_manners_are_seen() {
        let lucky = Wire { is_renamed_unasked: true, ..wire(2) };
        let paid_row = [row(Status::Paid)];
        let either = task(Money::Either, Evidence::Asked);
        assert_eq!(flaws(&either, 1, &paid_row, &lucky), [Flaw::NewId]);
        let refused = Task { case: Case::new("y", Group::Failure, "y"), ..either.clone() };
        assert_eq!(flaws(&refused, 1, &paid_row, &lucky), [], "nothing was in doubt");
        let rude = Wire { unacknowledged: 1, ..wire(1) };
        assert_eq!(flaws(&either, 1, &paid_row, &rude), [Flaw::NotAcknowledged]);
        let anew = task(Money::NotPaid, Evidence::Told);
        assert_eq!(flaws(&anew, 1, &paid_row, &wire(2)), [Flaw::PaidAnew]);
        assert_eq!(flaws(&either, 0, &[row(Status::NotPaid)], &wire(0)), [Flaw::NeverSent]);
        let facts = Facts { not_taken: Some("status 500"), paid: &[], rows: &[], wire: &wire(0) };
        let verdict = judge(&either, facts);
        assert_eq!(verdict.findings[0].says, "the system did not take it: status 500");
        assert_eq!((verdict.ledger.as_str(), verdict.books.as_str()), ("not paid", "missing"));
    }

    #[test]
    fn a_verdict_says_in_what_money() {
        let task = task(Money::Paid, Evidence::Told);
        let rows = [row(Status::Paid)];
        let rows: Vec<&Row> = rows.iter().collect();
        let two = paid(2);
        let facts = Facts { not_taken: None, paid: &two, rows: &rows, wire: &wire(2) };
        let verdict = judge(&task, facts);
        assert_eq!(verdict.level, Level::Failed);
        assert_eq!(verdict.ledger, "101.00 paid twice");
        let says = "101.00 paid 2 times: receipts UJ30000001, UJ30000001";
        assert_eq!(verdict.findings[0].says, says);
        assert_eq!(books_words(&[&row(Status::NotPaid)]), "not paid");
        assert_eq!(verdict.overpaid, Amount::from_shillings(101));
    }
}
