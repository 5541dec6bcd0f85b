//! Payouts by the hundred, and what became of each.

use std::collections::BTreeMap;
use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::api::{Api, id_of, payout};
use crate::ground::{BROKER, GATEWAY, Ground, OTHER, VPN};
use crate::house::House;
use crate::process::{Process, eventually};

/// How many requests may be under way at once.
pub const IN_FLIGHT: u64 = 16;
/// Every payout is of another amount, so that none is taken for another.
const FIRST_SHILLINGS: u64 = 100;

/// How the kernel writes a listener, and a connection of which only the memory is left.
const LISTENS: &str = "0A";
const LINGERS: &str = "06";

/// The gateway at its end of the VPN, and the simulator at the other.
pub struct Traffic {
    // In this order they are dropped: what runs before where it runs.
    _gateway: Process,
    _simulator: Process,
    pub ground: Ground,
    pub house: House,
    pub client: Api,
    submitted: u64,
}

/// How the payouts of one phase stand.
pub type Standing = BTreeMap<String, usize>;

impl Traffic {
    pub fn start(ground: &Ground) -> Self {
        let house = house();
        let simulator = simulate(ground, &house);
        let gateway = house.serve();
        let client = house.client("payroll", &["payouts:write", "payouts:read", "admin"]);
        let ground = ground.clone();
        Self { ground, house, client, _simulator: simulator, _gateway: gateway, submitted: 0 }
    }

    /// Submits so many payouts; answers their ids.
    pub fn submit(&mut self, count: u64) -> Vec<String> {
        let from = self.submitted;
        self.submitted += count;
        // The last four digits of a phone choose what the simulator does with it: these, nothing.
        let one = |nth: u64| {
            let phone = format!("2547{:04}0111", 2000 + nth);
            let amount = format!("{}.00", FIRST_SHILLINGS + nth);
            let sent = self.client.submit(&format!("vpn-{nth}"), &payout(&phone, &amount));
            id_of(&sent).to_owned()
        };
        (from..self.submitted).map(one).collect()
    }

    /// How many of these payouts stand at each status.
    pub fn standing(&self, ids: &[String]) -> Standing {
        let mut standing = Standing::new();
        let all = self.client.payouts();
        let ours = all.iter().filter(|it| ids.iter().any(|id| id == id_of(it)));
        for one in ours {
            let status = one["status"].as_str().expect("a status").to_owned();
            *standing.entry(status).or_default() += 1;
        }
        standing
    }

    /// Waits until so many of these payouts, or more, have succeeded.
    pub fn until_paid(&self, ids: &[String], count: usize) {
        eventually(&format!("{count} are paid"), || {
            let standing = self.standing(ids);
            (standing.get("succeeded").copied().unwrap_or_default() >= count).then_some(())
        });
    }

    /// How long it takes until one more of these payouts is paid, in seconds and tenths.
    pub fn resumes(&self, ids: &[String]) -> Duration {
        let begun = Instant::now();
        let paid = |it: &Self| it.standing(ids).get("succeeded").copied().unwrap_or_default();
        let before = paid(self);
        eventually("sending resumes by itself", || {
            (paid(self) > before || before == ids.len()).then_some(())
        });
        begun.elapsed()
    }

    /// How many of these payouts were ever in doubt.
    pub fn doubted(&self, ids: &[String]) -> usize {
        let was = |id: &&String| {
            let events = self.client.events(id);
            events
                .iter()
                .any(|it| it["data"]["to"] == "unknown" || it["data"]["status"] == "unknown")
        };
        ids.iter().filter(was).count()
    }

    /// What the gateway says of the way to the broker.
    pub fn link(&self) -> Value {
        let rails = self.client.get("/v1/rails").expect("an answer").json();
        rails["data"][0]["link"].clone()
    }

    /// What was really paid: every line of the simulator's ledger.
    pub fn ledger(&self) -> Vec<Value> {
        let (mut all, mut after) = (Vec::new(), "0".to_owned());
        loop {
            let path = format!("/sim/ledger?limit=1000&after={after}");
            let page: Value = serde_json::from_str(&self.at_the_broker(&path)).expect("JSON");
            all.extend(page["data"].as_array().expect("a list").iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => after = next.to_owned(),
                None => return all,
            }
        }
    }

    fn at_the_broker(&self, path: &str) -> String {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", &format!("http://127.0.0.1:{}{path}", self.house.broker)]);
        let done = self.ground.within("broker", &curl).output().expect("curl");
        assert!(done.status.success(), "{path}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).expect("UTF-8")
    }

    /// Those who have, or had a moment ago, a connection to the simulator's port: their addresses,
    /// as the broker's kernel knows them.
    pub fn callers(&self) -> Vec<String> {
        let mut cat = Command::new("cat");
        cat.arg("/proc/net/tcp");
        let done = self.ground.within("broker", &cat).output().expect("cat");
        let text = String::from_utf8(done.stdout).expect("UTF-8");
        let port = format!(":{:04X}", self.house.broker);
        let mut callers: Vec<String> = text
            .lines()
            .skip(1)
            .filter_map(|line| {
                let mut words = line.split_whitespace().skip(1);
                let (local, remote) = (words.next()?, words.next()?);
                local.ends_with(&port).then(|| address(remote))?
            })
            // The listener itself, and this test's own questions.
            .filter(|it| it != "0.0.0.0" && it != "127.0.0.1")
            .collect();
        callers.sort();
        callers.dedup();
        callers
    }

    /// How many connections of M-Pesa's to the gateway are not over yet.
    pub fn open_connections(&self) -> usize {
        let text = fs::read_to_string("/proc/self/net/tcp").expect("the kernel's list");
        let port = format!(":{:04X}", self.house.callbacks);
        let is_open = |line: &&str| {
            let mut words = line.split_whitespace().skip(1);
            let (local, state) = (words.next().unwrap_or_default(), words.nth(1));
            local.ends_with(&port) && ![Some(LISTENS), Some(LINGERS)].contains(&state)
        };
        text.lines().skip(1).filter(is_open).count()
    }

    /// How many packets have come to the broker by the other way.
    pub fn strays(&self) -> u64 {
        let mut cat = Command::new("cat");
        cat.arg(format!("/sys/class/net/{OTHER}/statistics/rx_packets"));
        let done = self.ground.within("broker", &cat).output().expect("cat");
        String::from_utf8(done.stdout).expect("UTF-8").trim().parse().expect("a number")
    }
}

/// `0100007F:1F90` is 127.0.0.1.
fn address(hexadecimal: &str) -> Option<String> {
    let number = u32::from_str_radix(hexadecimal.split(':').next()?, 16).ok()?;
    let [a, b, c, d] = number.to_le_bytes();
    Some(format!("{a}.{b}.{c}.{d}"))
}

fn house() -> House {
    let house = House::new();
    let (callbacks, broker) = (house.callbacks, house.broker);
    house
        .with("CALLBACKS__LISTEN", &format!("{GATEWAY}:{callbacks}"))
        .with("CALLBACKS__PUBLIC_URL", &format!("http://{GATEWAY}:{callbacks}"))
        .with("SIMULATOR__LISTEN", &format!("0.0.0.0:{broker}"))
        .with("BROKER__URL", &format!("http://{BROKER}:{broker}"))
        .with("BROKER__LOCAL_ADDRESS", GATEWAY)
        .with("BROKER__INTERFACE", VPN)
        .with("BROKER__CONNECT_TIMEOUT", "3s")
        .with("BROKER__SEND_TIMEOUT", "3s")
        .with("BROKER__TIMEOUT", "4s")
        .with("BROKER__PROBE_EVERY", "1s")
        .with("BROKER__MAX_IN_FLIGHT", &IN_FLIGHT.to_string())
        .with("PAYOUTS__RESULT_OVERDUE", "6s")
        .with("PAYOUTS__FIRST_RESULT_WAIT", "5s")
        .with("PAYOUTS__INQUIRY_INTERVALS", "1s,2s,4s,8s,15s,30s")
        .with("PAYOUTS__ARRIVAL_WINDOW", "20s")
}

fn simulate(ground: &Ground, house: &House) -> Process {
    let command = ground.within("broker", &house.command(&["simulate"]));
    let mut simulator = Process::start(command, &house.path("simulator"), Vec::new());
    simulator.until("the simulator answers", |_| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "--fail", &format!("http://127.0.0.1:{}/healthz", house.broker)]);
        let done = ground.within("broker", &curl).output().expect("curl");
        done.status.success().then_some(())
    });
    simulator
}
