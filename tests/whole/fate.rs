//! How a life of the program ends: between any two of its effects.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use tokio_util::sync::CancellationToken;

/// Counts the points at which the program may die, and says where it does.
#[derive(Debug)]
pub struct Trips {
    passed: AtomicU64,
    /// The points at which it dies; it passes each number once.
    at: Vec<u64>,
    /// What the points are, for whoever wants to know.
    names: Mutex<Vec<String>>,
    keeps_names: bool,
}

impl Trips {
    /// Nobody dies, and the names of the points are kept.
    pub fn counting() -> Self {
        Self { keeps_names: true, ..Self::at(&[]) }
    }

    /// Death at these points, each in a life of its own.
    pub fn at(at: &[u64]) -> Self {
        Self {
            passed: AtomicU64::new(0),
            at: at.to_vec(),
            names: Mutex::default(),
            keeps_names: false,
        }
    }

    /// How many points were passed.
    pub fn passed(&self) -> u64 {
        self.passed.load(Ordering::SeqCst)
    }

    /// What they were.
    pub fn names(&self) -> Vec<String> {
        self.names.lock().expect("names").clone()
    }

    fn pass(&self, name: &str) -> bool {
        if self.keeps_names {
            self.names.lock().expect("names").push(name.to_owned());
        }
        let number = self.passed.fetch_add(1, Ordering::SeqCst);
        self.at.contains(&number)
    }
}

/// One life of the program, as everything knows it that lets its effects out.
#[derive(Clone, Debug)]
pub struct Fate {
    dead: CancellationToken,
    trips: Arc<Trips>,
}

impl Fate {
    pub fn new(trips: Arc<Trips>) -> Self {
        Self { dead: CancellationToken::new(), trips }
    }

    /// Nothing that this life does has any effect from now on.
    pub fn kill(&self) {
        self.dead.cancel();
    }

    pub fn is_dead(&self) -> bool {
        self.dead.is_cancelled()
    }

    /// Waits for its end.
    pub async fn ended(&self) {
        self.dead.cancelled().await;
    }

    /// A point between two effects. The dead never come past it.
    pub async fn point(&self, name: &str) {
        if !self.is_dead() && self.trips.pass(name) {
            self.kill();
        }
        self.live().await;
    }

    /// The dead wait here for ever.
    pub async fn live(&self) {
        if self.is_dead() {
            std::future::pending::<()>().await;
        }
    }
}
