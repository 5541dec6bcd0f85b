//! Three network namespaces, of this run alone: the gateway's, the broker's, and the network in
//! between. Nothing of the machine's own network is looked at or changed.
//!
//! ```text
//!   gateway                          net                          broker
//!   vpn0 10.77.0.1 ═══ tunnel: VXLAN over UDP, through the relay ═══ vpn0 10.77.0.2
//!   under0 ───────────────────── the relay ─────────────────────── under0
//!   other0 198.51.100.1 ──── the gateway's default route ──── 198.51.100.2 other0
//! ```
//!
//! The other way leads to the broker, too, and is what a default route would take: what must go
//! through the VPN alone would be seen there.

use std::fs;
use std::path::Path;
use std::process::Command;

/// The gateway's address in the VPN.
pub const GATEWAY: &str = "10.77.0.1";
/// The broker's.
pub const BROKER: &str = "10.77.0.2";
/// The VPN's interface, at both ends.
pub const VPN: &str = "vpn0";
/// The interface that leads elsewhere, at both ends.
pub const OTHER: &str = "other0";
pub const GATEWAY_UNDER: &str = "172.31.1.1";
pub const NET_TO_GATEWAY: &str = "172.31.1.2";
pub const BROKER_UNDER: &str = "172.31.2.1";
pub const NET_TO_BROKER: &str = "172.31.2.2";
/// VXLAN's.
pub const TUNNEL_PORT: u16 = 4789;

const HEAD: &str = "mlango-vpn-";
const ROOMS: [&str; 3] = ["gateway", "broker", "net"];

/// The namespaces of one run; dropping them removes them, and what still runs in them.
#[derive(Clone, Debug)]
pub struct Ground {
    run: u32,
}

impl Ground {
    /// Those of the run with this number.
    pub const fn of(run: u32) -> Self {
        Self { run }
    }

    /// Makes them.
    ///
    /// # Errors
    /// Which command failed, and what it said.
    pub fn make(run: u32) -> Result<Fenced, String> {
        sweep();
        let fenced = Fenced(Self { run });
        fenced.0.build()?;
        Ok(fenced)
    }

    /// The name of a namespace.
    pub fn name(&self, room: &str) -> String {
        format!("{HEAD}{}-{room}", self.run)
    }

    /// `ip` in a namespace.
    ///
    /// # Errors
    /// What it said.
    pub fn ip(&self, room: &str, words: &str) -> Result<String, String> {
        run("ip", &format!("-n {} {words}", self.name(room)))
    }

    /// A command that runs in a namespace as `command` would outside.
    pub fn within(&self, room: &str, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.name(room)]);
        inside.arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => inside.env(name, value),
                None => inside.env_remove(name),
            };
        }
        if let Some(place) = command.get_current_dir() {
            inside.current_dir(place);
        }
        inside
    }

    fn build(&self) -> Result<(), String> {
        for room in ROOMS {
            run("ip", &format!("netns add {}", self.name(room)))?;
            self.ip(room, "link set lo up")?;
        }
        self.pair(("gateway", "under0", GATEWAY_UNDER), ("net", "gw0", NET_TO_GATEWAY))?;
        self.pair(("broker", "under0", BROKER_UNDER), ("net", "br0", NET_TO_BROKER))?;
        self.pair(("gateway", OTHER, "198.51.100.1"), ("broker", OTHER, "198.51.100.2"))?;
        self.ip("gateway", "route add default via 198.51.100.2")?;
        self.tunnel("gateway", GATEWAY, (GATEWAY_UNDER, NET_TO_GATEWAY))?;
        self.tunnel("broker", BROKER, (BROKER_UNDER, NET_TO_BROKER))
    }

    fn pair(&self, one: (&str, &str, &str), two: (&str, &str, &str)) -> Result<(), String> {
        let (peer, name) = (two.1, self.name(two.0));
        let words = format!("link add {} type veth peer name {peer} netns {name}", one.1);
        self.ip(one.0, &words)?;
        for (room, device, address) in [one, two] {
            self.ip(room, &format!("link set {device} addrgenmode none"))?;
            self.ip(room, &format!("addr add {address}/30 dev {device}"))?;
            self.ip(room, &format!("link set {device} up"))?;
        }
        Ok(())
    }

    /// One end of the VPN.
    fn tunnel(&self, room: &str, address: &str, under: (&str, &str)) -> Result<(), String> {
        let (local, remote) = under;
        let ends = format!("local {local} remote {remote} dstport {TUNNEL_PORT} nolearning");
        self.ip(room, &format!("link add {VPN} type vxlan id 77 {ends}"))?;
        self.ip(room, &format!("link set {VPN} addrgenmode none mtu 1400"))?;
        // The relay carries bytes: sums that are left to a network card would never be made.
        let name = self.name(room);
        run("ip", &format!("netns exec {name} ethtool -K {VPN} tx off tso off gso off gro off"))?;
        self.ip(room, &format!("addr add {address}/24 dev {VPN}"))?;
        self.ip(room, &format!("link set {VPN} up")).map(drop)
    }

    fn remove(&self) {
        for room in ROOMS {
            let name = self.name(room);
            let pids = run("ip", &format!("netns pids {name}")).unwrap_or_default();
            for pid in pids.split_whitespace() {
                let _gone = run("kill", &format!("-s KILL {pid}"));
            }
            let _gone = run("ip", &format!("netns del {name}"));
        }
    }
}

/// The namespaces, for as long as this is there.
#[derive(Debug)]
pub struct Fenced(pub Ground);

impl Drop for Fenced {
    fn drop(&mut self) {
        self.0.remove();
    }
}

/// Removes what runs have left that were killed.
fn sweep() {
    let Ok(names) = run("ip", "netns list") else { return };
    let runs = names.lines().filter_map(|line| {
        let (run, _room) = line.strip_prefix(HEAD)?.split_once('-')?;
        run.parse::<u32>().ok()
    });
    for run in runs.filter(|run| !Path::new(&format!("/proc/{run}")).exists()) {
        Ground { run }.remove();
    }
}

/// Why there can't be namespaces here.
pub fn missing() -> Option<String> {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let user = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    if user.and_then(|ids| ids.split_whitespace().nth(1)) != Some("0") {
        return Some("it needs root".to_owned());
    }
    let tools = [("ip", "-V", "iproute2"), ("ethtool", "--version", "ethtool")];
    for (tool, word, package) in tools.into_iter().chain([("curl", "--version", "curl")]) {
        if run(tool, word).is_err() {
            return Some(format!("there is no {tool} (Debian: {package})"));
        }
    }
    None
}

/// Runs a command of words without blanks.
fn run(program: &str, words: &str) -> Result<String, String> {
    let done = Command::new(program).args(words.split_whitespace()).output();
    let done = done.map_err(|error| format!("{program}: {error}"))?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&done.stderr);
    Err(format!("{program} {words}: {}", said.trim()))
}
