//! Points in time. UTC inside; East Africa Time only on the wire and on the screen.
//!
//! The only file that names `chrono`.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, FixedOffset, NaiveDateTime, SecondsFormat, TimeZone, Utc};
use serde::{Deserialize, Serialize};

/// Seconds that East Africa Time is ahead of UTC; Kenya has no summer time.
const EAST_AFRICA_OFFSET_S: i32 = 3 * 60 * 60;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Timestamp(i64);

impl Timestamp {
    /// The earliest moment that ids and records can carry.
    pub const EPOCH: Self = Self(0);

    /// From milliseconds since the Unix epoch.
    pub const fn from_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// Milliseconds since the Unix epoch.
    pub const fn millis(self) -> i64 {
        self.0
    }

    /// This moment plus `wait`, saturating at the end of time.
    #[must_use]
    pub fn after(self, wait: Duration) -> Self {
        let wait = i64::try_from(wait.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(wait))
    }

    /// How long after `earlier` this is; zero if it is not.
    pub fn since(self, earlier: Self) -> Duration {
        let millis = self.0.saturating_sub(earlier.0);
        Duration::from_millis(u64::try_from(millis).unwrap_or(0))
    }

    /// RFC 3339 in UTC with milliseconds: `2024-01-02T03:04:05.000Z`.
    pub fn rfc3339(self) -> String {
        self.utc().to_rfc3339_opts(SecondsFormat::Millis, true)
    }

    /// Reads RFC 3339 with any offset.
    ///
    /// # Errors
    /// The text, when it is not such a time.
    pub fn parse_rfc3339(text: &str) -> Result<Self, NotATime> {
        DateTime::parse_from_rfc3339(text)
            .map(|time| Self(time.timestamp_millis()))
            .map_err(|_error| NotATime(text.to_owned()))
    }

    /// Reads the `Date` of an HTTP answer: `Tue, 02 Jan 2024 03:04:05 GMT`.
    ///
    /// # Errors
    /// The text, when it is not such a time.
    pub fn parse_http_date(text: &str) -> Result<Self, NotATime> {
        DateTime::parse_from_rfc2822(text)
            .map(|time| Self(time.timestamp_millis()))
            .map_err(|_error| NotATime(text.to_owned()))
    }

    /// `yyyyMMddHHmmss` in UTC, as in `RequestSOAPHeader/timeStamp` (spec/soap.md §2.2).
    pub fn header_stamp(self) -> String {
        self.utc().format("%Y%m%d%H%M%S").to_string()
    }

    /// `2024-01-02T03:04:05.0000000Z`, as in `Transaction/Timestamp` (spec/soap.md §3.2).
    pub fn request_stamp(self) -> String {
        self.utc().format("%Y-%m-%dT%H:%M:%S%.3f0000Z").to_string()
    }

    /// `dd.MM.yyyy HH:mm:ss` in East Africa Time, as results carry it (spec/soap.md §5.4).
    pub fn east_africa_stamp(self) -> String {
        self.east_africa().format("%d.%m.%Y %H:%M:%S").to_string()
    }

    /// `yyyy-MM-dd HH:mm:ss` in East Africa Time, for people.
    pub fn east_africa_screen(self) -> String {
        self.east_africa().format("%Y-%m-%d %H:%M:%S").to_string()
    }

    /// The day in East Africa, as in `AG_yyyyMMdd_…` (spec/soap.md §4.1, spec/daraja.md §9).
    pub fn east_africa_date(self) -> String {
        self.east_africa().format("%Y%m%d").to_string()
    }

    /// `yyyyMMddHHmmss` in East Africa Time: Daraja's `Timestamp` (spec/daraja.md §1.2, §6).
    pub fn east_africa_digits(self) -> String {
        self.east_africa().format("%Y%m%d%H%M%S").to_string()
    }

    /// Reads a time as M-Pesa writes it, in any of the forms of spec/soap.md §5.4 and
    /// spec/daraja.md §6: East Africa Time, unless it names a zone. Nothing else is guessed at.
    ///
    /// # Errors
    /// The text, when it has none of these forms.
    pub fn parse_east_africa(text: &str) -> Result<Self, NotATime> {
        let text = text.trim();
        [
            "%d.%m.%Y %H:%M:%S",
            "%d/%m/%Y %H:%M:%S",
            "%Y%m%d%H%M%S",
            "%Y-%m-%d %H:%M:%S",
            "%d-%m-%Y %H:%M:%S",
            "%d-%m-%Y %H:%M",
        ]
        .iter()
        .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
        .and_then(|local| east_africa().from_local_datetime(&local).single())
        .map(|time| Self(time.timestamp_millis()))
        .map_or_else(|| Self::parse_rfc3339(text), Ok)
    }

    fn utc(self) -> DateTime<Utc> {
        DateTime::from_timestamp_millis(self.0).unwrap_or_default()
    }

    fn east_africa(self) -> DateTime<FixedOffset> {
        self.utc().with_timezone(&east_africa())
    }
}

fn east_africa() -> FixedOffset {
    FixedOffset::east_opt(EAST_AFRICA_OFFSET_S).unwrap_or_else(|| chrono::Offset::fix(&Utc))
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

/// A text that was to be a time and is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a time that is understood here")]
pub struct NotATime(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_each_form_of_the_wire() {
        let at = Timestamp::from_millis(1_704_164_645_000);
        assert_eq!(at.rfc3339(), "2024-01-02T03:04:05.000Z");
        assert_eq!(at.header_stamp(), "20240102030405");
        assert_eq!(at.request_stamp(), "2024-01-02T03:04:05.0000000Z");
        assert_eq!(at.east_africa_stamp(), "02.01.2024 06:04:05");
        assert_eq!(at.east_africa_digits(), "20240102060405");
        assert_eq!(at.east_africa_date(), "20240102");
        let last_in_utc = Timestamp::from_millis(1_704_066_000_000);
        assert_eq!(last_in_utc.rfc3339(), "2023-12-31T23:40:00.000Z");
        assert_eq!(last_in_utc.east_africa_date(), "20240101");
    }

    #[test]
    fn reads_what_results_carry_as_east_africa_time() {
        let at = Timestamp::from_millis(1_704_164_645_000);
        for text in [
            "02.01.2024 06:04:05",
            "02/01/2024 06:04:05",
            "20240102060405",
            "2024-01-02 06:04:05",
            "02-01-2024 06:04:05",
            "2024-01-02T03:04:05Z",
            "2024-01-02T06:04:05+03:00",
        ] {
            assert_eq!(Timestamp::parse_east_africa(text), Ok(at), "{text}");
        }
        let minute = Timestamp::parse_east_africa("02-01-2024 06:04").expect("a time");
        assert_eq!(minute.rfc3339(), "2024-01-02T03:04:00.000Z");
        let long_ago = Timestamp::parse_east_africa("01-01-1900 00:00").expect("a time");
        assert!(long_ago < Timestamp::EPOCH);
        for text in ["", "02.13.2024 06:04:05", "yesterday", "20240102"] {
            assert!(Timestamp::parse_east_africa(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_before_another_is_no_time_after_it() {
        let early = Timestamp::from_millis(5);
        let late = Timestamp::from_millis(9);
        assert_eq!(late.since(early), Duration::from_millis(4));
        assert_eq!(early.since(late), Duration::ZERO);
    }
}
