//! Counts things and writes them in Prometheus' text form.
//!
//! A crate for this would keep every sample until somebody asks, without bound; here a histogram
//! is a fixed row of counters.

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The most series of one metric; labels come from closed sets, so that reaching it is a bug.
/// What is beyond it is counted together, under labels that say "other".
const SERIES_MAX: usize = 1_000;

/// Upper bounds of a histogram's buckets, in microseconds: from below one flush of the disk to the
/// longest wait for M-Pesa's answer.
///
/// And beyond, to the days that a payout in doubt may take.
const BOUNDS_US: [u64; 20] = [
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    120_000_000,
    600_000_000,
    3_600_000_000,
    21_600_000_000,
    86_400_000_000,
];

static REGISTRY: LazyLock<Registry> = LazyLock::new(Registry::default);

/// All metrics of this process in Prometheus' text form, version 0.0.4.
pub fn render() -> String {
    REGISTRY.render()
}

/// A metric: its name, its labels' names and its meaning. `H` is what it counts with.
#[derive(Clone, Copy, Debug)]
pub struct Metric<H, const LABELS: usize> {
    name: &'static str,
    labels: [&'static str; LABELS],
    help: &'static str,
    handle: PhantomData<H>,
}

impl<H: Handle, const LABELS: usize> Metric<H, LABELS> {
    /// A metric; every one stands in [`super::metric`].
    pub const fn new(
        name: &'static str,
        labels: [&'static str; LABELS],
        help: &'static str,
    ) -> Self {
        Self { name, labels, help, handle: PhantomData }
    }

    /// The handle of the series with these values of its labels, the same for everyone who asks.
    /// Getting it takes a lock: keep it where much is counted.
    pub fn with(&self, values: [&str; LABELS]) -> H {
        REGISTRY.series(self, values)
    }
}

/// A number that only grows.
#[derive(Clone, Debug, Default)]
pub struct Counter(Arc<AtomicU64>);

impl Counter {
    /// One more.
    pub fn increment(&self) {
        self.add(1);
    }

    /// How many so far.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.0.fetch_add(more, Ordering::Relaxed);
    }
}

/// A number that goes up and down.
#[derive(Clone, Debug, Default)]
pub struct Gauge(Arc<AtomicU64>);

impl Gauge {
    /// What it is now.
    pub fn value(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// It is this now.
    pub fn set(&self, now: u64) {
        self.0.store(now, Ordering::Relaxed);
    }

    /// So many more.
    pub fn add(&self, more: u64) {
        self.change(|now| now.saturating_add(more));
    }

    /// So many fewer, not below zero.
    pub fn subtract(&self, fewer: u64) {
        self.change(|now| now.saturating_sub(fewer));
    }

    fn change(&self, change: impl Fn(u64) -> u64) {
        let change = |now| Some(change(now));
        let changed = self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change);
        debug_assert!(changed.is_ok(), "a change that is always made");
    }
}

/// How long things took.
#[derive(Clone, Debug, Default)]
pub struct Histogram(Arc<Buckets>);

#[derive(Debug, Default)]
struct Buckets {
    /// One for each of [`BOUNDS_US`].
    within: [AtomicU64; BOUNDS_US.len()],
    beyond: AtomicU64,
    sum_us: AtomicU64,
}

impl Histogram {
    /// The time that so many of a thousand did not exceed: the upper bound of their bucket, the
    /// longest bound for what lies beyond all. `None` before anything is recorded.
    pub fn quantile(&self, per_mille: u64) -> Option<Duration> {
        let buckets = &*self.0;
        let within: Vec<u64> =
            buckets.within.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let beyond = buckets.beyond.load(Ordering::Relaxed);
        let all = within.iter().fold(beyond, |sum, count| sum.saturating_add(*count));
        let rank = all.saturating_mul(per_mille).div_ceil(1_000).max(1);
        let mut seen: u64 = 0;
        let reached = |count: &u64| {
            seen = seen.saturating_add(*count);
            seen >= rank
        };
        let place = within.iter().position(reached);
        let bound = place.and_then(|place| BOUNDS_US.get(place)).or(BOUNDS_US.last());
        bound.filter(|_| all > 0).map(|us| Duration::from_micros(*us))
    }

    /// It took this long.
    pub fn record(&self, took: Duration) {
        let us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let buckets = &*self.0;
        let bucket = BOUNDS_US
            .iter()
            .zip(&buckets.within)
            .find(|(bound, _)| us <= **bound)
            .map_or(&buckets.beyond, |(_, bucket)| bucket);
        bucket.fetch_add(1, Ordering::Relaxed);
        buckets.sum_us.fetch_add(us, Ordering::Relaxed);
    }
}

/// What a metric counts with: [`Counter`], [`Gauge`] or [`Histogram`].
pub trait Handle: Clone + Default {
    /// As `# TYPE` names it.
    const TYPE: &'static str;
    /// As a series holds it.
    fn into_series(self) -> Series;
    /// Back from a series of the same type.
    fn of(series: &Series) -> Option<Self>;
}

/// A handle of any type.
#[derive(Clone, Debug)]
pub enum Series {
    /// A [`Counter`].
    Counter(Counter),
    /// A [`Gauge`].
    Gauge(Gauge),
    /// A [`Histogram`].
    Histogram(Histogram),
}

impl Handle for Counter {
    const TYPE: &'static str = "counter";

    fn into_series(self) -> Series {
        Series::Counter(self)
    }

    fn of(series: &Series) -> Option<Self> {
        match series {
            Series::Counter(handle) => Some(handle.clone()),
            Series::Gauge(_) | Series::Histogram(_) => None,
        }
    }
}

impl Handle for Gauge {
    const TYPE: &'static str = "gauge";

    fn into_series(self) -> Series {
        Series::Gauge(self)
    }

    fn of(series: &Series) -> Option<Self> {
        match series {
            Series::Gauge(handle) => Some(handle.clone()),
            Series::Counter(_) | Series::Histogram(_) => None,
        }
    }
}

impl Handle for Histogram {
    const TYPE: &'static str = "histogram";

    fn into_series(self) -> Series {
        Series::Histogram(self)
    }

    fn of(series: &Series) -> Option<Self> {
        match series {
            Series::Histogram(handle) => Some(handle.clone()),
            Series::Counter(_) | Series::Gauge(_) => None,
        }
    }
}

/// All series, by metric and by their labels' values.
#[derive(Debug, Default)]
struct Registry(Mutex<BTreeMap<&'static str, Family>>);

#[derive(Debug)]
struct Family {
    kind: &'static str,
    help: &'static str,
    labels: Vec<&'static str>,
    series: BTreeMap<Vec<String>, Series>,
}

impl Registry {
    fn series<H: Handle, const LABELS: usize>(
        &self,
        metric: &Metric<H, LABELS>,
        values: [&str; LABELS],
    ) -> H {
        let mut families = self.families();
        let family = families.entry(metric.name).or_insert_with(|| Family {
            kind: H::TYPE,
            help: metric.help,
            labels: metric.labels.to_vec(),
            series: BTreeMap::new(),
        });
        let mut values = values.map(str::to_owned).to_vec();
        if family.series.len() >= SERIES_MAX && !family.series.contains_key(&values) {
            values.fill("other".to_owned());
        }
        let series = family.series.entry(values);
        let series = series.or_insert_with(|| H::default().into_series());
        // Two metrics of one name and different types would be a bug; the second counts nothing.
        H::of(series).unwrap_or_default()
    }

    fn render(&self) -> String {
        let mut text = String::new();
        for (name, family) in self.families().iter() {
            text.push_str(&format!("# HELP {name} {}\n", family.help));
            text.push_str(&format!("# TYPE {name} {}\n", family.kind));
            for (values, series) in &family.series {
                let labels = labels(&family.labels, values);
                match series {
                    Series::Counter(Counter(number)) | Series::Gauge(Gauge(number)) => {
                        let number = number.load(Ordering::Relaxed);
                        write_line(&mut text, name, &labels, &number.to_string());
                    }
                    Series::Histogram(Histogram(buckets)) => {
                        write_buckets(&mut text, name, &labels, buckets);
                    }
                }
            }
        }
        text
    }

    /// A panic elsewhere leaves counters as they are: they are still right.
    fn families(&self) -> MutexGuard<'_, BTreeMap<&'static str, Family>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `a="x",b="y"`, escaped.
fn labels(names: &[&str], values: &[String]) -> String {
    let pairs = names.iter().zip(values).map(|(name, value)| {
        let value = value.replace('\\', "\\\\");
        let value = value.replace('"', "\\\"").replace('\n', "\\n");
        format!("{name}=\"{value}\"")
    });
    pairs.collect::<Vec<_>>().join(",")
}

fn write_line(text: &mut String, name: &str, labels: &str, value: &str) {
    let line = if labels.is_empty() {
        format!("{name} {value}\n")
    } else {
        format!("{name}{{{labels}}} {value}\n")
    };
    text.push_str(&line);
}

fn write_buckets(text: &mut String, name: &str, labels: &str, buckets: &Buckets) {
    let comma = if labels.is_empty() { "" } else { "," };
    let bucket_name = format!("{name}_bucket");
    let mut count: u64 = 0;
    for (bound, bucket) in BOUNDS_US.iter().zip(&buckets.within) {
        count = count.saturating_add(bucket.load(Ordering::Relaxed));
        let labels = format!("{labels}{comma}le=\"{}\"", seconds(*bound));
        write_line(text, &bucket_name, &labels, &count.to_string());
    }
    count = count.saturating_add(buckets.beyond.load(Ordering::Relaxed));
    let all = format!("{labels}{comma}le=\"+Inf\"");
    write_line(text, &bucket_name, &all, &count.to_string());
    let sum = seconds(buckets.sum_us.load(Ordering::Relaxed));
    write_line(text, &format!("{name}_sum"), labels, &sum);
    write_line(text, &format!("{name}_count"), labels, &count.to_string());
}

/// Microseconds as decimal seconds: `0.0015`.
fn seconds(us: u64) -> String {
    let took = Duration::from_micros(us);
    let text = format!("{}.{:06}", took.as_secs(), took.subsec_micros());
    let text = text.trim_end_matches('0').trim_end_matches('.');
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAITS: Metric<Histogram, 1> = Metric::new("waits_seconds", ["who"], "Waits.");
    const DEPTH: Metric<Gauge, 0> = Metric::new("depth", [], "Depth.");
    const SEEN: Metric<Counter, 1> = Metric::new("seen_total", ["what"], "Seen.");

    #[test]
    fn gauges_go_up_and_down_and_not_below_nothing() {
        let registry = Registry::default();
        let depth = registry.series(&DEPTH, []);
        depth.set(3);
        depth.add(2);
        depth.subtract(4);
        assert_eq!(registry.render(), "# HELP depth Depth.\n# TYPE depth gauge\ndepth 1\n");
        depth.subtract(9);
        assert!(registry.render().ends_with("\ndepth 0\n"));
    }

    #[test]
    fn a_histogram_counts_each_wait_in_every_bucket_that_holds_it() {
        let registry = Registry::default();
        let waits = registry.series(&WAITS, ["me"]);
        for millis in [1, 2, 40, 31_000] {
            waits.record(Duration::from_millis(millis));
        }
        let text = registry.render();
        let lines = [
            "# TYPE waits_seconds histogram",
            "waits_seconds_bucket{who=\"me\",le=\"0.0005\"} 0",
            "waits_seconds_bucket{who=\"me\",le=\"0.001\"} 1",
            "waits_seconds_bucket{who=\"me\",le=\"0.0025\"} 2",
            "waits_seconds_bucket{who=\"me\",le=\"0.05\"} 3",
            "waits_seconds_bucket{who=\"me\",le=\"30\"} 3",
            "waits_seconds_bucket{who=\"me\",le=\"+Inf\"} 4",
            "waits_seconds_sum{who=\"me\"} 31.043",
            "waits_seconds_count{who=\"me\"} 4",
        ];
        for line in lines {
            assert!(text.lines().any(|shown| shown == line), "{line}\n{text}");
        }
    }

    #[test]
    fn labels_are_escaped() {
        let registry = Registry::default();
        registry.series(&SEEN, ["a\"b\\c\nd"]).increment();
        assert!(registry.render().ends_with("seen_total{what=\"a\\\"b\\\\c\\nd\"} 1\n"));
    }

    #[test]
    fn series_without_end_are_counted_together() {
        let registry = Registry::default();
        for nth in 0..SERIES_MAX + 50 {
            registry.series(&SEEN, [&nth.to_string()]).increment();
        }
        let text = registry.render();
        assert!(text.contains("seen_total{what=\"other\"} 50\n"));
        assert_eq!(text.lines().count(), 2 + SERIES_MAX + 1);
    }
}
