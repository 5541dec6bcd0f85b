//! `mlango export`: payouts, payments and events out of the book, to standard output.

use clap::{Args, ValueEnum};

use super::reach::Reach;
use super::{Context, Failure, out};
use crate::domain::time::Timestamp;
use crate::http::admin::{AskedExport, ExportPage};

#[derive(Debug, Args)]
pub(super) struct Export {
    /// What.
    what: What,
    /// How it is written: csv has a head line; jsonl has the shapes of the API, one in each line.
    #[arg(long, value_enum, default_value = "csv")]
    format: Format,
    /// Only what was made at or after this moment: 2026-01-31 or 2026-01-31T06:00:00Z, in UTC.
    #[arg(long, value_name = "TIME", value_parser = time)]
    from: Option<Timestamp>,
    /// Only what was made before this moment.
    #[arg(long, value_name = "TIME", value_parser = time)]
    to: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum What {
    /// Money out.
    Payouts,
    /// Money in.
    Payments,
    /// All that happened, in the order of the feed.
    Events,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    Csv,
    Jsonl,
}

/// A moment; of a day, its first.
fn time(text: &str) -> Result<Timestamp, String> {
    let whole = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
    Timestamp::parse_rfc3339(&whole)
        .map_err(|_error| "must be a day or a time in UTC, such as 2026-01-31T06:00:00Z".to_owned())
}

impl Export {
    pub(super) async fn run(self, context: &Context) -> Result<(), Failure> {
        let what = match self.what {
            What::Payouts => "payouts",
            What::Payments => "payments",
            What::Events => "events",
        };
        let format = match self.format {
            Format::Csv if !context.json => "csv",
            Format::Csv | Format::Jsonl => "jsonl",
        };
        let mut asked = AskedExport {
            format: format.to_owned(),
            from: self.from.map(Timestamp::rfc3339),
            to: self.to.map(Timestamp::rfc3339),
            after: None,
        };
        let reach = Reach::open_known(context).await?;
        let done = pages(&reach, what, &mut asked).await;
        reach.close().await;
        let rows = done?;
        out::progress("");
        out::say(&format!("{rows} {what}"));
        Ok(())
    }
}

/// Page after page, until there is none or nobody reads any more.
async fn pages(reach: &Reach, what: &str, asked: &mut AskedExport) -> Result<u64, Failure> {
    let mut rows = 0_u64;
    loop {
        let page: ExportPage = match reach {
            Reach::Gateway(socket) => socket.get(&address(what, asked)).await,
            Reach::Store(book) => book.export(what, asked).await.map_err(Failure::Failed),
        }
        .map_err(|failure| incomplete(failure, rows))?;
        rows = rows.saturating_add(page.rows);
        if !out::raw(&page.text).map_err(Failure::failed)? || page.next.is_none() {
            return Ok(rows);
        }
        out::progress(&format!("{rows} {what}"));
        asked.after = page.next;
    }
}

/// Times are written with a Z, so that nothing in the address needs escaping.
fn address(what: &str, asked: &AskedExport) -> String {
    let mut address = format!("/export/{what}?format={}", asked.format);
    for (name, value) in [("from", &asked.from), ("to", &asked.to), ("after", &asked.after)] {
        if let Some(value) = value {
            address.push_str(&format!("&{name}={value}"));
        }
    }
    address
}

fn incomplete(failure: Failure, rows: u64) -> Failure {
    match failure {
        Failure::Failed(why) if rows > 0 => {
            Failure::Failed(format!("the export ended after {rows} and is not complete: {why}"))
        }
        other @ (Failure::Failed(_) | Failure::Usage(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_its_first_moment() {
        let day = time("2026-01-31").map(Timestamp::rfc3339);
        assert_eq!(day.as_deref(), Ok("2026-01-31T00:00:00.000Z"));
        assert_eq!(time("2026-01-31T03:00:00+03:00"), time("2026-01-31"));
        assert!(time("yesterday").is_err() && time("2026-02-30").is_err());
    }

    #[test]
    fn an_address_needs_no_escaping() {
        let asked = AskedExport {
            format: "csv".into(),
            from: time("2026-01-31").ok().map(Timestamp::rfc3339),
            to: None,
            after: Some("po_1".into()),
        };
        let due = "/export/payouts?format=csv&from=2026-01-31T00:00:00.000Z&after=po_1";
        assert_eq!(address("payouts", &asked), due);
    }
}
