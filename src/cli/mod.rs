//! The shell: one file per command.
//!
//! Data goes to standard output, everything else to standard error. Exit codes: 0 done; 1 the
//! thing asked for failed; 2 bad usage or bad configuration (contract, part 1).

mod apps;
mod backup;
mod cases;
mod certify;
mod check;
mod client;
mod credential;
mod demo;
mod export;
mod fixtures;
mod init;
mod lines;
mod listen;
mod money;
mod near;
mod out;
mod payouts;
mod private;
mod rails;
mod reach;
mod scenarios;
mod serve;
mod show;
mod simulate;
mod socket;
mod trigger;
mod verify;
mod xml;

use std::fmt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::config::{Environment, Faults, Source};

/// The M-Pesa gateway: at most one debit per payout, and no result silently lost.
#[derive(Debug, Parser)]
#[command(name = "mlango", version, about, propagate_version = true)]
struct Cli {
    /// The configuration; without it `mlango.toml`, and then the built-in defaults.
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start simulator and gateway together, send sample payouts, and show what became of each.
    Demo(demo::Demo),
    /// Write a commented configuration with a fresh callback token, ready for the simulator.
    Init(init::Init),
    /// Run the gateway.
    Serve,
    /// Say, line by line, whether this configuration can work.
    Check(check::Check),
    /// Run the M-Pesa simulator: the SOAP broker, with a ledger of what was really paid.
    Simulate(simulate::Simulate),
    /// Put a customer's own system through cases, and compare its books with what was really paid.
    Certify(Box<certify::Certify>),
    /// Applications and their API keys.
    #[command(subcommand)]
    Apps(apps::Apps),
    /// Payouts, by way of the REST API.
    Payouts(payouts::Payouts),
    /// Money that came in, by way of the REST API.
    Payments(money::Payments),
    /// Prompts on payers' phones, by way of the REST API.
    Stk(money::Stk),
    /// What was asked of M-Pesa, by way of the REST API.
    Inquiries(money::Inquiries),
    /// What customers pay by themselves, by way of the REST API.
    C2b(money::C2b),
    /// Follow what happens in a gateway, a line for each event, and post it to a program of yours.
    Listen(listen::Listen),
    /// Have something happen between a gateway and the simulator, for a test of what follows.
    Trigger(trigger::Trigger),
    /// What waits for a person, with its evidence; shown and closed.
    Cases(cases::Cases),
    /// Whether each way to M-Pesa sends, and if not why; paused and resumed by hand.
    Rails(rails::Rails),
    /// Check the whole store: every record readable, every index right, the events unbroken.
    Verify,
    /// Write a back-up of the book into a new directory, also while the gateway writes.
    Backup(backup::Backup),
    /// Make the configured store of a back-up. It must not exist yet, and no gateway may run.
    Restore(backup::Restore),
    /// Write payouts, payments or events to standard output.
    Export(export::Export),
    /// The initiator's password and certificate.
    #[command(subcommand)]
    Credential(credential::Credential),
    /// Scenarios of the simulator: those that ship, and whether a file is in order.
    #[command(subcommand)]
    Scenarios(scenarios::Scenarios),
    /// Recorded messages.
    #[command(subcommand)]
    Xml(xml::Xml),
    /// Recorded exchanges: record them, play them back, check a collection.
    #[command(subcommand)]
    Fixtures(fixtures::Fixtures),
}

/// Why a command did not do what it was asked for.
#[derive(Debug)]
enum Failure {
    /// Bad usage or bad configuration: exit code 2.
    Usage(String),
    /// The thing asked for failed: exit code 1.
    Failed(String),
}

impl Failure {
    fn failed(error: impl fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }

    /// In words.
    fn why(&self) -> &str {
        let (Self::Usage(why) | Self::Failed(why)) = self;
        why
    }
}

impl From<Faults> for Failure {
    fn from(faults: Faults) -> Self {
        Self::Usage(format!("the configuration is not usable:\n{faults}"))
    }
}

/// How long work on the disk that nobody waits for any more may hold up the end.
const LET_GO: Duration = Duration::from_secs(1);

/// What every command is told.
#[derive(Debug)]
struct Context {
    config: Option<PathBuf>,
    json: bool,
}

impl Context {
    /// The configuration's file and environment, read but not yet checked.
    fn source(&self) -> Result<Source, Failure> {
        Ok(Source::open(self.config.as_deref(), Environment::process())?)
    }
}

/// Parses the command line and does what it says.
pub fn main() -> ExitCode {
    let Cli { config, json, command } = Cli::parse();
    let context = Context { config, json };
    for failed in private::retreat() {
        out::say(&format!("mlango: {failed}"));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            out::say(&format!("mlango: no runtime: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let done = runtime.block_on(run(&context, command));
    // Whoever asked a second time is not kept waiting by a disk.
    runtime.shutdown_timeout(LET_GO);
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failure::Failed(why)) => {
            out::say(&format!("mlango: {why}"));
            ExitCode::FAILURE
        }
        Err(Failure::Usage(why)) => {
            out::say(&format!("mlango: {why}"));
            ExitCode::from(2)
        }
    }
}

async fn run(context: &Context, command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(demo) => demo.run(context).await,
        Command::Init(init) => init.run(),
        Command::Serve => serve::run(context).await,
        Command::Check(check) => check.run(context).await,
        Command::Simulate(simulate) => simulate.run(context).await,
        Command::Certify(certify) => certify.run(context).await,
        Command::Apps(apps) => apps.run(context).await,
        Command::Payouts(payouts) => payouts.run(context).await,
        Command::Payments(payments) => payments.run(context).await,
        Command::Stk(stk) => stk.run(context).await,
        Command::Inquiries(inquiries) => inquiries.run(context).await,
        Command::C2b(c2b) => c2b.run(context).await,
        Command::Listen(listen) => listen.run(context).await,
        Command::Trigger(trigger) => trigger.run(context).await,
        Command::Cases(cases) => cases.run(context).await,
        Command::Rails(rails) => rails.run(context).await,
        Command::Verify => verify::run(context).await,
        Command::Backup(backup) => backup.run(context).await,
        Command::Restore(restore) => restore.run(context).await,
        Command::Export(export) => export.run(context).await,
        Command::Credential(credential) => credential.run(),
        Command::Fixtures(fixtures) => fixtures.run(context).await,
        Command::Scenarios(scenarios) => scenarios.run(context),
        Command::Xml(xml) => xml.run(context),
    }
}

/// SIGTERM and SIGINT, as requests to stop.
///
/// Before it listens a signal ends the program at once; so a command listens before it begins what
/// must be ended in order.
#[derive(Debug)]
struct Asked {
    terminated: Signal,
    interrupted: Signal,
}

impl Asked {
    /// Listens from now on.
    fn listen() -> Result<Self, Failure> {
        let listen = |kind| {
            signal(kind).map_err(|error| Failure::Failed(format!("no signals are heard: {error}")))
        };
        Ok(Self {
            terminated: listen(SignalKind::terminate())?,
            interrupted: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next of either, if it has not come yet.
    async fn wait(&mut self) {
        tokio::select! {
            _ = self.interrupted.recv() => {}
            _ = self.terminated.recv() => {}
        }
    }
}
