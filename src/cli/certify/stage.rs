//! The simulated M-Pesa of a run, and the run itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use reqwest::redirect::Policy;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::front::Front;
use super::house::House;
use super::target::Target;
use super::{Certify, connection, house};
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

/// What a run needs: the simulator, and where it is asked for, a gateway and what stands before it.
pub(super) struct Stage {
    simulator: Running,
    house: Option<House>,
    front: Option<Front>,
    /// What the system was told, in a file; it goes with the run.
    connection: Option<PathBuf>,
    /// What every reference of this run begins with.
    pub(super) run: String,
    /// The throw-away configuration; it goes with the run.
    _scratch: Option<TempDir>,
    _log: log::Running,
}

/// What is to be said to the system's owner, and how.
struct Say<'a> {
    connection: Value,
    file: Option<&'a Path>,
    is_configured: bool,
}

impl Stage {
    /// Starts it, and says what the system must know.
    pub(super) async fn set_up(context: &Context, asked: &Certify) -> Result<Self, Failure> {
        let Configured { config, file, scratch } = configuration(context, asked)?;
        // What goes over the wire stands in the report.
        let quiet = Log { file: None, level: "error".to_owned(), ..config.log.clone() };
        let log = log::init(&quiet).map_err(|error| Failure::Usage(error.to_string()))?;
        let seed = asked.seed.unwrap_or_else(simulate::fresh_seed);
        let mut settings = simulate::settings(&config, seed, Delivery::default())?;
        settings.hold = asked.hold;
        let simulator = simulate::start(settings.clone(), simulate::encryption(&config)).await?;
        out::say(&format!("simulated M-Pesa on http://{}", simulator.addr));
        let (house, front) = behind(asked, file.as_deref()).await?;
        let connection = match &front {
            Some(front) => {
                let key = house.as_ref().map(|house| house.key.as_str());
                out::say(&format!("the gateway's API on http://{}", front.addr));
                connection::of_gateway(front.addr, key)
            }
            None => connection::render(&settings, simulator.addr)?,
        };
        let is_configured = context.config.is_some();
        tell(&Say { connection, file: asked.connection.as_deref(), is_configured })?;
        let run = run_name(seed);
        let connection = asked.connection.clone();
        Ok(Self { simulator, house, front, connection, run, _scratch: scratch, _log: log })
    }

    /// Lays down what becomes of each case's payment.
    pub(super) fn plan(&self, interface: Interface, tasks: &[Task]) -> Result<(), Failure> {
        if let Some(front) = &self.front {
            front.plan(tasks);
        }
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
        target.hand_over(tasks).await?;
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
                    out::progress(&format!("payments still asked for: {}", asking.len()));
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
            Trial { not_taken, paid: paid.collect(), wire: self.wire(task, seen) }
        };
        tasks.iter().zip(taken).map(trial).collect()
    }

    /// What went over the wire about a case. Where a gateway talks to M-Pesa, it is by its key that
    /// a payment is the same or another.
    fn wire(&self, task: &Task, seen: &[Arc<Exchange>]) -> wire::Wire {
        let wire = wire::of(task, seen);
        let Some(front) = &self.front else {
            return wire;
        };
        let came = front.came(task);
        let lines = came.lines.into_iter().map(|line| format!("gateway: {line}"));
        wire::Wire {
            is_renamed_unasked: came.keys.len() > 1,
            ids: came.keys,
            lines: lines.chain(wire.lines).collect(),
            // Its messages are the gateway's to acknowledge.
            unacknowledged: 0,
        }
    }

    /// Stops all of it.
    pub(super) async fn end(self) {
        drop(self.front);
        if let Some(path) = self.connection.filter(|path| std::fs::remove_file(path).is_err()) {
            out::say(&format!("{} cannot be removed; it holds credentials", path.display()));
        }
        if let Some(house) = self.house {
            house.end().await;
        }
        self.simulator.shutdown().await;
    }
}

/// The gateway that is started for the run, if one is, and what stands before it.
async fn behind(
    asked: &Certify,
    file: Option<&Path>,
) -> Result<(Option<House>, Option<Front>), Failure> {
    match (asked.interface, &asked.gateway, file) {
        (Interface::Soap | Interface::Daraja, _, _) => Ok((None, None)),
        (Interface::Gateway, Some(url), _) => {
            Ok((None, Some(Front::start(asked.front, url, asked.hold).await?)))
        }
        (Interface::Gateway, None, Some(file)) => {
            let house = House::start(file).await?;
            let front = Front::start(asked.front, &house.base, asked.hold).await?;
            Ok((Some(house), Some(front)))
        }
        (Interface::Gateway, None, None) => {
            let why = "--interface gateway starts a gateway of its own, without --config; or \
                       name one that runs with --gateway URL and --config its FILE";
            Err(Failure::Usage(why.to_owned()))
        }
    }
}

/// What the system must know: to a file, or, where it is thrown away, to the terminal.
fn tell(say: &Say<'_>) -> Result<(), Failure> {
    match (say.file, say.is_configured) {
        (Some(path), _) => {
            connection::write(path, &say.connection)?;
            out::say(&format!("what the system must know is in {}", path.display()));
        }
        (None, true) => out::say("its credentials are those of the configuration"),
        (None, false) => {
            out::say("its credentials are thrown away at the end:");
            out::say(&format!("{:#}", say.connection));
        }
    }
    Ok(())
}

/// The configuration of a run.
struct Configured {
    config: Simulate,
    /// The file, where it is a throw-away one.
    file: Option<PathBuf>,
    scratch: Option<TempDir>,
}

/// The configuration that is named, or a throw-away one.
fn configuration(context: &Context, asked: &Certify) -> Result<Configured, Failure> {
    let (source, file, scratch) = if context.config.is_some() {
        (context.source()?, None, None)
    } else {
        let scratch = tempfile::tempdir().map_err(Failure::failed)?;
        let file = match asked.interface {
            Interface::Gateway => house::write(scratch.path(), asked.late)?,
            Interface::Soap | Interface::Daraja => init::write(scratch.path(), &[])?,
        };
        (Source::open(Some(&file), Environment::default())?, Some(file), Some(scratch))
    };
    let mut config = source.simulate()?.config;
    if let Some(listen) = asked.listen {
        config.simulator.listen = listen;
    }
    Ok(Configured { config, file, scratch })
}

/// Short, and another one for each seed.
fn run_name(seed: u64) -> String {
    format!("{:06X}", seed & 0xff_ffff)
}

type Asking = JoinSet<(usize, Result<(), String>)>;

/// Asks for each payment, so many side by side.
fn ask_all(target: &Target, tasks: &[Task], parallel: usize) -> Result<Asking, Failure> {
    let http = reqwest::Client::builder().no_proxy().redirect(Policy::none());
    let http = http.build().map_err(Failure::failed)?;
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
