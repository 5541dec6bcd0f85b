//! The simulated M-Pesa of a run, and the run itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::target::Target;
use super::{Certify, connection};
use crate::certify::Interface;
use crate::certify::case::Task;
use crate::certify::judge::Paid;
use crate::certify::report::Trial;
use crate::certify::wire;
use crate::cli::{Context, Failure, init, out, simulate};
use crate::config::section::Log;
use crate::config::{Environment, Simulate, Source};
use crate::sim::daraja::faults::Rule;
use crate::sim::exchange::Exchange;
use crate::sim::{Delivery, Running};
use crate::telemetry::log;

/// How often the wire is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How many exchanges are taken at a time, and how many are kept in all.
const PAGE: usize = 1_000;
const EXCHANGES_MAX: usize = 50_000;

/// A run's simulator.
pub(super) struct Stage {
    simulator: Running,
    /// What every reference of this run begins with.
    pub(super) run: String,
    /// The throw-away configuration; it goes with the run.
    _scratch: Option<TempDir>,
    _log: log::Running,
}

impl Stage {
    /// Starts the simulator, and says what the system must know.
    pub(super) async fn set_up(context: &Context, asked: &Certify) -> Result<Self, Failure> {
        let (config, scratch) = configuration(context, asked.listen)?;
        let log = log::init(&Log { file: None, ..config.log.clone() });
        let log = log.map_err(|error| Failure::Usage(error.to_string()))?;
        let seed = asked.seed.unwrap_or_else(simulate::fresh_seed);
        let mut settings = simulate::settings(&config, seed, Delivery::default())?;
        settings.hold = asked.hold;
        let simulator = simulate::start(settings.clone(), simulate::encryption(&config)).await?;
        let connection = connection::render(&settings, simulator.addr)?;
        out::say(&format!("simulated M-Pesa on http://{}", simulator.addr));
        match (&asked.connection, &context.config) {
            (Some(path), _) => {
                connection::write(path, &connection)?;
                out::say(&format!("what the system must know is in {}", path.display()));
            }
            (None, Some(_)) => out::say("its credentials are those of the configuration"),
            (None, None) => {
                out::say("its credentials are thrown away at the end:");
                out::say(&format!("{connection:#}"));
            }
        }
        Ok(Self { simulator, run: run_name(seed), _scratch: scratch, _log: log })
    }

    /// Lays down what becomes of each case's payment.
    pub(super) fn plan(&self, interface: Interface, tasks: &[Task]) -> Result<(), Failure> {
        for task in tasks {
            self.simulator.plan(task.phone, task.case.plan.clone());
            let faults = task.case.faults.iter().filter(|_| interface == Interface::Daraja);
            for fault in faults {
                let rule = Rule {
                    api: "b2c".to_owned(),
                    nth: 1,
                    times: fault.times,
                    contains: Some(task.phone.reveal()),
                    fault: fault.name.to_owned(),
                };
                self.simulator.script_fault(rule).map_err(Failure::Failed)?;
            }
        }
        Ok(())
    }

    /// Has each payment asked for, and waits until all is settled; what was found of each.
    pub(super) async fn play(
        &self,
        asked: &Certify,
        target: &Target,
        tasks: &[Task],
    ) -> Result<Vec<Trial>, Failure> {
        target.hand_over(tasks)?;
        let mut wire = Wire { simulator: &self.simulator, after: 0, seen: Vec::new() };
        let mut asking = ask_all(target, tasks, asked.parallel)?;
        let mut taken: Vec<Option<String>> = vec![None; tasks.len()];
        while !asking.is_empty() {
            tokio::select! {
                Some(asked) = asking.join_next() => {
                    let (nth, outcome) = asked.map_err(Failure::failed)?;
                    if let Some(place) = taken.get_mut(nth) {
                        *place = outcome.err();
                    }
                    out::progress(&format!("{} payments are still asked for", asking.len()));
                }
                () = sleep(LOOK_EVERY) => {}
            }
            wire.look();
        }
        self.settle(asked, &mut wire).await;
        Ok(self.trials(tasks, taken, &wire.seen))
    }

    /// Waits until nothing has gone over the wire for a while, or patience ends.
    async fn settle(&self, asked: &Certify, wire: &mut Wire<'_>) {
        let began = Instant::now();
        let mut last = began;
        loop {
            if wire.look() || self.simulator.results_waiting() > 0 {
                last = Instant::now();
            }
            let (quiet, all) = (last.elapsed(), began.elapsed());
            if quiet >= asked.quiet {
                out::progress("");
                return;
            }
            if all >= asked.patience {
                out::progress("");
                out::say("patience ends, and messages still go to and fro: --patience gives more");
                return;
            }
            let left = asked.quiet.saturating_sub(quiet).as_secs();
            out::progress(&format!("settled when nothing is said for another {left}s"));
            sleep(LOOK_EVERY).await;
        }
    }

    fn trials(
        &self,
        tasks: &[Task],
        taken: Vec<Option<String>>,
        seen: &[Arc<Exchange>],
    ) -> Vec<Trial> {
        let ledger = self.simulator.ledger();
        let trial = |(task, not_taken): (&Task, Option<String>)| {
            let ours = ledger.entries.iter().filter(|entry| entry.phone == task.phone);
            let paid =
                ours.map(|entry| Paid { amount: entry.amount, receipt: entry.receipt.clone() });
            Trial { not_taken, paid: paid.collect(), wire: wire::of(task, seen) }
        };
        tasks.iter().zip(taken).map(trial).collect()
    }

    /// Stops the simulator.
    pub(super) async fn end(self) {
        self.simulator.shutdown().await;
    }
}

/// The configuration that is named, or a throw-away one.
fn configuration(
    context: &Context,
    listen: Option<SocketAddr>,
) -> Result<(Simulate, Option<TempDir>), Failure> {
    let (source, scratch) = if context.config.is_some() {
        (context.source()?, None)
    } else {
        let scratch = tempfile::tempdir().map_err(Failure::failed)?;
        let file = init::write(scratch.path(), &[("log.level", "\"error\"".to_owned())])?;
        (Source::open(Some(&file), Environment::default())?, Some(scratch))
    };
    let mut config = source.simulate()?.config;
    if let Some(listen) = listen {
        config.simulator.listen = listen;
    }
    Ok((config, scratch))
}

/// Short, and another one for each seed.
fn run_name(seed: u64) -> String {
    format!("{:06X}", seed & 0xff_ffff)
}

type Asking = JoinSet<(usize, Result<(), String>)>;

/// Asks for each payment, so many side by side.
fn ask_all(target: &Target, tasks: &[Task], parallel: usize) -> Result<Asking, Failure> {
    let http = reqwest::Client::builder().no_proxy().build().map_err(Failure::failed)?;
    let places = Arc::new(Semaphore::new(parallel));
    let mut asking = JoinSet::new();
    for (nth, task) in tasks.iter().cloned().enumerate() {
        let (target, http, places) = (target.clone(), http.clone(), Arc::clone(&places));
        asking.spawn(async move {
            let Ok(_place) = places.acquire().await else {
                return (nth, Err("the run has ended".to_owned()));
            };
            (nth, target.ask(&http, &task).await)
        });
    }
    Ok(asking)
}

/// What has gone over the wire so far. The simulator keeps only the last of it.
struct Wire<'a> {
    simulator: &'a Running,
    after: u64,
    seen: Vec<Arc<Exchange>>,
}

impl Wire<'_> {
    /// Whether there is more than there was.
    fn look(&mut self) -> bool {
        let more = self.simulator.exchanges(self.after, PAGE);
        let Some(last) = more.last() else {
            return false;
        };
        self.after = last.seq;
        let room = EXCHANGES_MAX.saturating_sub(self.seen.len());
        self.seen.extend(more.into_iter().take(room));
        true
    }
}
