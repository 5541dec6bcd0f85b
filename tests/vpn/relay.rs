//! What lies between the two ends of the VPN: a relay of its datagrams, in a process and a network
//! namespace of its own, that delays and loses them as it is told.
//!
//! It stands where `tc netem` would, for two reasons: many kernels are built without netem, and
//! here a datagram that waits is lost, too, when its direction is closed, so that "nothing comes
//! back from now on" is exact.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::io::{BufRead, BufReader, Write};
use std::net::UdpSocket;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Arc, Mutex};
use std::thread::{sleep, spawn};
use std::time::{Duration, Instant};

use crate::ground::{BROKER_UNDER, GATEWAY_UNDER, NET_TO_BROKER, NET_TO_GATEWAY, TUNNEL_PORT};

/// What the relay does to datagrams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Weather {
    /// Of a hundred from the gateway, so many are lost.
    pub lost_there: u64,
    /// Of a hundred from the broker.
    pub lost_back: u64,
    /// How long each takes, in milliseconds.
    pub delay: u64,
    /// How much longer it may take.
    pub jitter: u64,
}

impl Weather {
    /// A VPN as it should be, with the way to Nairobi in it.
    pub const GOOD: Self = Self { lost_there: 0, lost_back: 0, delay: 40, jitter: 0 };

    fn read(line: &str) -> Option<Self> {
        let mut numbers = line.split_whitespace().map(|word| word.parse().ok());
        let mut next = || numbers.next().flatten();
        let (lost_there, lost_back) = (next()?, next()?);
        Some(Self { lost_there, lost_back, delay: next()?, jitter: next()? })
    }
}

/// The relay, from outside.
pub struct Relay {
    child: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Relay {
    /// Starts it by `command`; it runs [`play`].
    pub fn start(mut command: Command) -> Self {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the relay starts");
        let commands = child.stdin.take().expect("its input");
        let answers = BufReader::new(child.stdout.take().expect("its output"));
        let mut relay = Self { child, commands, answers };
        relay.set(Weather::GOOD);
        relay
    }

    /// Changes the weather; it holds once this returns.
    pub fn set(&mut self, weather: Weather) {
        let Weather { lost_there, lost_back, delay, jitter } = weather;
        writeln!(self.commands, "{lost_there} {lost_back} {delay} {jitter}").expect("it listens");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("it answers");
        assert_eq!(answer.trim(), "so be it");
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        let _gone = self.child.kill();
        let _gone = self.child.wait();
    }
}

/// Relays until its input ends.
pub fn play() {
    let weather = Arc::new(Mutex::new(Weather::GOOD));
    let bind = |address: &str| UdpSocket::bind((address, TUNNEL_PORT)).expect("the relay's place");
    let (gateway, broker) = (bind(NET_TO_GATEWAY), bind(NET_TO_BROKER));
    let both = |socket: &UdpSocket| socket.try_clone().expect("a second handle");
    let (from, to) = (both(&gateway), both(&broker));
    direction(from, (to, BROKER_UNDER), &weather, (1, |weather| weather.lost_there));
    direction(broker, (gateway, GATEWAY_UNDER), &weather, (2, |weather| weather.lost_back));
    for line in std::io::stdin().lock().lines() {
        let told = Weather::read(&line.expect("a line")).expect("four numbers");
        *weather.lock().expect("not poisoned") = told;
        println!("so be it");
        std::io::stdout().flush().expect("an output");
    }
}

type Lost = fn(&Weather) -> u64;

/// One direction, in two threads: one takes what comes, one sends what is due.
fn direction(
    from: UdpSocket,
    to: (UdpSocket, &'static str),
    weather: &Arc<Mutex<Weather>>,
    (mut chance, lost): (u64, Lost),
) {
    let (give, take) = channel();
    let coming = Arc::clone(weather);
    spawn(move || {
        let mut bytes = [0; 65_536];
        while let Ok((length, _from)) = from.recv_from(&mut bytes) {
            let weather = *coming.lock().expect("not poisoned");
            if next(&mut chance) % 100 < lost(&weather) {
                continue;
            }
            let extra = next(&mut chance) % (weather.jitter + 1);
            let due = Instant::now() + Duration::from_millis(weather.delay + extra);
            if give.send((due, bytes[..length].to_vec())).is_err() {
                return;
            }
        }
    });
    let going = Arc::clone(weather);
    spawn(move || send(&take, &to, || lost(&going.lock().expect("not poisoned")) >= 100));
}

/// Sends each datagram when it is due, in order of their times, unless the way is closed then.
fn send(
    take: &Receiver<(Instant, Vec<u8>)>,
    (socket, address): &(UdpSocket, &'static str),
    is_closed: impl Fn() -> bool,
) {
    let mut waiting = BinaryHeap::new();
    loop {
        let pause = waiting.peek().map_or(
            Duration::from_secs(3600),
            |Reverse((due, _)): &Reverse<(Instant, Vec<u8>)>| {
                due.saturating_duration_since(Instant::now())
            },
        );
        match take.recv_timeout(pause) {
            Ok(next) => waiting.push(Reverse(next)),
            Err(RecvTimeoutError::Timeout) => {
                let Some(Reverse((_due, bytes))) = waiting.pop() else { continue };
                if !is_closed() {
                    // A full queue loses datagrams, as networks do.
                    let _lost = socket.send_to(&bytes, (*address, TUNNEL_PORT));
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                sleep(pause);
                return;
            }
        }
    }
}

/// The next of a row of numbers that is the same in each run.
fn next(chance: &mut u64) -> u64 {
    *chance =
        chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *chance >> 33
}
