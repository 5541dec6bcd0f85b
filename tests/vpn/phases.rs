//! What is done to the link, one after the other, and what must hold.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::api::{id_of, name_of};
use crate::ground::{BROKER, GATEWAY, Ground, VPN};
use crate::part;
use crate::process::eventually;
use crate::relay::{Relay, Weather};
use crate::traffic::{IN_FLIGHT, Standing, Traffic};

/// How long a link is away.
const OUTAGE: Duration = Duration::from_secs(5);
/// Sending must have resumed by then, once the link is good: generous, since a payout that was
/// tried several times waits for its own pause.
const RESUMED_BY: Duration = Duration::from_secs(30);
/// How long everything may take to settle in the end: the last doubts wait for
/// `arrival_window`, are sent again, and a question that could not be put waits half a minute.
const SETTLED_BY: Duration = Duration::from_secs(120);

/// What is known of a phase.
struct Phase {
    name: &'static str,
    ids: Vec<String>,
    /// At the end of the outage.
    queued: usize,
    /// The most that may be in doubt, by reason.
    doubts_max: usize,
    resumed: Duration,
}

struct Run {
    traffic: Traffic,
    relay: Relay,
    phases: Vec<Phase>,
}

pub fn all(ground: &Ground) {
    let begun = Instant::now();
    let relay = Relay::start(part(ground, "net"));
    let mut run = Run { traffic: Traffic::start(ground), relay, phases: Vec::new() };
    run.good("good");
    run.cut();
    run.good("restored");
    run.slow();
    run.lossy();
    run.closed_in_one_direction();
    run.address_away();
    run.cut_in_a_burst();
    run.good("good again");
    run.settle();
    println!("vpn: all of it in {} s", begun.elapsed().as_secs());
}

impl Run {
    fn ip(&self, words: &str) {
        self.traffic.ground.ip("gateway", words).expect("ip");
    }

    fn count(standing: &Standing, statuses: &[&str]) -> usize {
        statuses.iter().filter_map(|status| standing.get(*status)).sum()
    }

    fn end(&mut self, name: &'static str, ids: Vec<String>, queued: usize, doubts_max: usize) {
        let resumed = self.traffic.resumes(&ids);
        assert!(resumed < RESUMED_BY, "{name}: sending resumed after {resumed:?} only");
        // What is done to the link next is not this phase's.
        eventually("all are paid, or in doubt", || {
            let standing = self.traffic.standing(&ids);
            (Self::count(&standing, &["succeeded", "unknown"]) == ids.len()).then_some(())
        });
        self.phases.push(Phase { name, ids, queued, doubts_max, resumed });
    }

    /// Nothing is wrong: nothing may be in doubt.
    fn good(&mut self, name: &'static str) {
        let ids = self.traffic.submit(40);
        self.traffic.until_paid(&ids, ids.len());
        let callers = self.traffic.callers();
        assert_eq!(callers, [GATEWAY], "requests leave from the VPN's address only");
        self.end(name, ids, 0, 0);
    }

    /// Everything waits, and none of it is in doubt: not a byte could leave.
    fn waits(&self, ids: &[String]) -> usize {
        sleep(OUTAGE);
        let standing = self.traffic.standing(ids);
        assert_eq!(Self::count(&standing, &["queued", "sending"]), ids.len(), "{standing:?}");
        let link = self.traffic.link();
        assert_eq!(link["up"], false, "it is known to be down: {link}");
        Self::count(&standing, &["queued"])
    }

    fn cut(&mut self) {
        // Of a connection that is not over, the rest would go the other way: that is the kernel's
        // doing, for what was answered, and no request.
        eventually("nothing is under way", || (self.traffic.open_connections() == 0).then_some(()));
        let strays = self.traffic.strays();
        self.ip(&format!("link set {VPN} down"));
        let ids = self.traffic.submit(40);
        let queued = self.waits(&ids);
        assert_eq!(self.traffic.strays(), strays, "nothing goes the other way");
        let what = self.traffic.link()["failure"]["what"].to_string();
        assert!(what.contains("vpn0 is down") && what.contains("no other way"), "{what}");
        // It would have led there: whoever does not ask for the VPN comes by it.
        let broker = SocketAddr::new(BROKER.parse().unwrap(), self.traffic.house.broker);
        TcpStream::connect_timeout(&broker, OUTAGE).expect("the other way is open");
        assert!(self.traffic.strays() > strays);
        self.ip(&format!("link set {VPN} up"));
        self.end("cut", ids, queued, 0);
    }

    /// Slower than usual, and within every deadline: nothing may be in doubt.
    fn slow(&mut self) {
        self.relay.set(Weather { delay: 700, jitter: 200, ..Weather::GOOD });
        let ids = self.traffic.submit(32);
        self.traffic.until_paid(&ids, ids.len());
        self.relay.set(Weather::GOOD);
        self.end("slow", ids, 0, 0);
    }

    /// Whatever was sent may be in doubt, and nothing else.
    fn lossy(&mut self) {
        self.relay.set(Weather { lost_there: 30, lost_back: 30, ..Weather::GOOD });
        let ids = self.traffic.submit(40);
        sleep(OUTAGE + OUTAGE);
        let standing = self.traffic.standing(&ids);
        let queued = Self::count(&standing, &["queued"]);
        self.relay.set(Weather::GOOD);
        self.end("lossy", ids.clone(), queued, ids.len());
    }

    /// In the middle of a burst; answers how many may be in doubt then: what was under way.
    fn in_a_burst(&mut self, spoil: impl FnOnce(&mut Self)) -> (Vec<String>, usize) {
        let ids = self.traffic.submit(60);
        eventually("some are paid, some under way", || {
            let standing = self.traffic.standing(&ids);
            let has = |status| Self::count(&standing, &[status]) > 0;
            (has("succeeded") && has("sending")).then_some(())
        });
        spoil(self);
        let standing = self.traffic.standing(&ids);
        let under_way = Self::count(&standing, &["sending", "accepted", "unknown"]);
        (ids, under_way)
    }

    /// Requests arrive, and nothing comes back: no answer, no result.
    fn closed_in_one_direction(&mut self) {
        let (ids, under_way) =
            self.in_a_burst(|run| run.relay.set(Weather { lost_back: 100, ..Weather::GOOD }));
        sleep(OUTAGE + OUTAGE);
        let standing = self.traffic.standing(&ids);
        let queued = Self::count(&standing, &["queued"]);
        assert_eq!(self.traffic.link()["up"], false, "it is known to be down");
        self.relay.set(Weather::GOOD);
        self.end("no way back", ids, queued, under_way);
    }

    fn address_away(&mut self) {
        self.ip(&format!("addr del {GATEWAY}/24 dev {VPN}"));
        let ids = self.traffic.submit(40);
        let queued = self.waits(&ids);
        let failure = self.traffic.link()["failure"].clone();
        assert_eq!(failure["stage"], "local", "{failure}");
        let what = failure["what"].to_string();
        assert!(what.contains("has the address 10.77.0.1 now"), "{what}");
        self.ip(&format!("addr add {GATEWAY}/24 dev {VPN}"));
        self.end("address away", ids, queued, 0);
    }

    fn cut_in_a_burst(&mut self) {
        let down = format!("link set {VPN} down");
        let (ids, under_way) = self.in_a_burst(|run| run.ip(&down));
        sleep(OUTAGE);
        let queued = Self::count(&self.traffic.standing(&ids), &["queued"]);
        self.ip(&format!("link set {VPN} up"));
        self.end("cut in a burst", ids, queued, under_way);
    }

    /// Every payout ends by itself, and the book is what the simulator's ledger is.
    fn settle(self) {
        let Self { traffic, phases, .. } = self;
        let until = Instant::now() + SETTLED_BY;
        loop {
            let payouts = traffic.client.payouts();
            let open: Vec<_> = payouts.iter().filter(|it| it["status"] != "succeeded").collect();
            if open.is_empty() {
                break;
            }
            assert!(Instant::now() < until, "{} are not paid, as {}", open.len(), open[0]);
            sleep(Duration::from_millis(200));
        }
        let mut paid: BTreeMap<String, Vec<_>> = BTreeMap::new();
        for line in traffic.ledger() {
            let name = line["originator_conversation_id"].as_str().expect("a name").to_owned();
            paid.entry(name).or_default().push(line);
        }
        let all: BTreeMap<_, _> =
            traffic.client.payouts().into_iter().map(|it| (id_of(&it).to_owned(), it)).collect();
        assert_eq!(paid.len(), all.len(), "nothing was paid that nobody asked for");
        let mut table = format!(
            "\n{:<15} {:>7} {:>6} {:>7} {:>10} {:>9} {:>5} {:>11}\n",
            "link", "payouts", "queued", "unknown", "(at most)", "resumes", "paid", "differences"
        );
        for phase in &phases {
            let Phase { name, ids, queued, doubts_max, resumed } = phase;
            let doubted = traffic.doubted(ids);
            let differs = |id: &&String| {
                let payout = &all[*id];
                let lines = paid.get(name_of(payout)).map(Vec::as_slice).unwrap_or_default();
                let is_same = |line: &serde_json::Value| {
                    line["amount"] == payout["amount"] && line["receipt"] == payout["receipt"]
                };
                lines.len() != 1 || !is_same(&lines[0])
            };
            let differences = ids.iter().filter(differs).count();
            let seconds = format!("{}.{} s", resumed.as_secs(), resumed.subsec_millis() / 100);
            let count = ids.len();
            writeln!(
                table,
                "{name:<15} {count:>7} {queued:>6} {doubted:>7} {doubts_max:>10} {seconds:>9} \
                 {:>5} {differences:>11}",
                count - differences
            )
            .unwrap();
            assert_eq!(differences, 0, "{name}: the book is not the ledger\n{table}");
            assert!(doubted <= *doubts_max, "{name}: more doubt than there need be\n{table}");
        }
        println!("{table}\nat most {IN_FLIGHT} requests under way at once");
    }
}
