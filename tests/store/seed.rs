//! Chance that can be had again: numbers from a seed that a failing test prints.

/// How often a test that goes in rounds is to go round: `MLANGO_ROUNDS`, or so often.
pub fn rounds(otherwise: u64) -> u64 {
    let told = std::env::var("MLANGO_ROUNDS").ok();
    told.map_or(otherwise, |told| told.parse().expect("MLANGO_ROUNDS is a number"))
}

/// Where chance begins: `MLANGO_SEED`, or the same every time.
pub fn seed() -> u64 {
    let told = std::env::var("MLANGO_SEED").ok();
    told.map_or(1, |told| told.parse().expect("MLANGO_SEED is a number"))
}

/// Numbers that follow from a seed (the sequence known as `SplitMix64`).
pub struct Chance(u64);

impl Chance {
    pub fn of(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }

    /// Whether something happens that happens so often in a hundred.
    pub fn percent(&mut self, so_often: u64) -> bool {
        self.below(100) < so_often
    }
}
