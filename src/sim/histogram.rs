//! Latencies, counted in buckets: integers only, and as much memory for a million as for one.

/// Each doubling of the latency is cut into this many buckets, so that a figure read back is at
/// most one part in 32 above what was measured.
const STEPS: u32 = 32;
const STEPS_BITS: u32 = STEPS.trailing_zeros();
/// Doublings that are told apart: up to 2^36 microseconds, which is 19 hours.
const DOUBLINGS: u32 = 32;
const BUCKETS: u32 = STEPS * (DOUBLINGS + 1);

/// How often each latency was seen, in microseconds.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = usize::try_from(BUCKETS).unwrap_or_default();
        Self { buckets: vec![0; buckets], count: 0, max: 0 }
    }
}

impl Histogram {
    /// Counts one latency.
    pub fn record(&mut self, micros: u64) {
        let last = self.buckets.len().saturating_sub(1);
        if let Some(bucket) = self.buckets.get_mut(bucket_of(micros).min(last)) {
            *bucket = bucket.saturating_add(1);
        }
        self.count = self.count.saturating_add(1);
        self.max = self.max.max(micros);
    }

    /// Counts all that `other` counted.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*theirs);
        }
        self.count = self.count.saturating_add(other.count);
        self.max = self.max.max(other.max);
    }

    /// How many were counted.
    pub const fn count(&self) -> u64 {
        self.count
    }

    /// The largest, exactly.
    pub const fn max(&self) -> u64 {
        self.max
    }

    /// The latency that so many thousandths of all do not exceed: 500 for the median. Rounded up
    /// to the end of its bucket, and never above the largest. 0 when nothing was counted.
    pub fn per_mille(&self, share: u64) -> u64 {
        let wanted = self.count.saturating_mul(share).div_ceil(1_000).clamp(1, self.count.max(1));
        let mut seen = 0_u64;
        for (index, bucket) in self.buckets.iter().enumerate() {
            seen = seen.saturating_add(*bucket);
            if seen >= wanted {
                return end_of(index).min(self.max);
            }
        }
        self.max
    }
}

/// Below `2 * STEPS` each microsecond has a bucket; above, each doubling has `STEPS`.
fn bucket_of(micros: u64) -> usize {
    let bits = u64::BITS.saturating_sub(micros.leading_zeros());
    let shift = bits.saturating_sub(STEPS_BITS.saturating_add(1));
    let within = micros >> shift;
    let index = u64::from(shift).saturating_mul(u64::from(STEPS)).saturating_add(within);
    usize::try_from(index).unwrap_or(usize::MAX)
}

/// The largest latency that falls in a bucket.
fn end_of(index: usize) -> u64 {
    let index = u64::try_from(index).unwrap_or(u64::MAX);
    let steps = u64::from(STEPS);
    let shift = index.checked_div(steps).unwrap_or_default().saturating_sub(1);
    let within = index.saturating_sub(shift.saturating_mul(steps));
    let shift = u32::try_from(shift).unwrap_or(u32::MAX);
    within.saturating_add(1).checked_shl(shift).map_or(u64::MAX, |end| end.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_latency_falls_in_a_bucket_that_ends_close_above_it() {
        let mut previous = 0;
        let latencies = (0..5_000_u64).chain((13..36).flat_map(|power| {
            let base = 1_u64 << power;
            [base - 1, base, base + 1, base + base / 3]
        }));
        let mut sorted: Vec<_> = latencies.collect();
        sorted.sort_unstable();
        for micros in sorted {
            let bucket = bucket_of(micros);
            assert!(bucket >= previous, "{micros}");
            previous = bucket;
            let end = end_of(bucket);
            assert!(end >= micros, "{micros}: {end}");
            assert!(end - micros <= micros / 32, "{micros}: {end}");
        }
    }

    #[test]
    fn shares_are_read_back() {
        let mut histogram = Histogram::default();
        assert_eq!((histogram.per_mille(500), histogram.max()), (0, 0));
        for micros in 1..=1_000 {
            histogram.record(micros);
        }
        assert_eq!(histogram.count(), 1_000);
        assert_eq!(histogram.max(), 1_000);
        for (share, exact) in [(1, 1), (500, 500), (990, 990), (1_000, 1_000)] {
            let read = histogram.per_mille(share);
            assert!(read >= exact && read <= exact + exact / 32, "{share}: {read}");
        }
    }

    #[test]
    fn two_histograms_are_one() {
        let (mut one, mut other) = (Histogram::default(), Histogram::default());
        one.record(10);
        other.record(1_000_000);
        one.add(&other);
        assert_eq!((one.count(), one.max()), (2, 1_000_000));
        assert_eq!(one.per_mille(500), 10);
    }

    #[test]
    fn a_latency_beyond_all_buckets_is_still_counted() {
        let mut histogram = Histogram::default();
        histogram.record(u64::MAX);
        assert_eq!(histogram.count(), 1);
        assert_eq!(histogram.max(), u64::MAX);
    }
}
