"""A gateway and a simulator of this project, started for a test, and ended by their process ids.

Everything listens on loopback, on ports that were free a moment ago; the configuration is what
`mlango init` writes, with the addresses overridden by variables.
"""

import os
import pathlib
import socket
import subprocess
import time
import tomllib

import requests

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE = 30.0
"""How many seconds anything may take that is bound to happen."""


def binary():
    """The program under test: `MLANGO_BIN`, or what `cargo build` makes."""
    path = pathlib.Path(os.environ.get("MLANGO_BIN", ROOT / "target" / "debug" / "mlango"))
    assert path.exists(), f"{path} is missing: cargo build --locked, or set MLANGO_BIN"
    return path


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def eventually(look, what):
    """What `look` answers, once it is anything but None or False."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"after {PATIENCE} s there still is no {what}")


class House:
    """One installation: its folder, its configuration, its processes."""

    def __init__(self, folder, **settings):
        self.folder = pathlib.Path(folder)
        self.api_port, self.callbacks_port, self.sim_port = free_port(), free_port(), free_port()
        self.api = f"http://127.0.0.1:{self.api_port}"
        self.callbacks = f"http://127.0.0.1:{self.callbacks_port}"
        self.sim = f"http://127.0.0.1:{self.sim_port}"
        self.variables = {
            "API__LISTEN": f"127.0.0.1:{self.api_port}",
            "CALLBACKS__LISTEN": f"127.0.0.1:{self.callbacks_port}",
            "CALLBACKS__PUBLIC_URL": self.callbacks,
            "SIMULATOR__LISTEN": f"127.0.0.1:{self.sim_port}",
            "BROKER__URL": self.sim,
            "DARAJA__URL": self.sim,
            # Nobody asks M-Pesa while a test decides itself what becomes of a payout.
            "PAYOUTS__RESULT_OVERDUE": "1h",
            "BROKER__MAX_PER_SECOND": "500",
        } | settings
        self.processes = []
        self.run("init", "--dir", ".")
        self.config = tomllib.loads((self.folder / "mlango.toml").read_text())

    def environment(self):
        ours = {f"MLANGO__{key}": value for key, value in self.variables.items()}
        return os.environ | ours

    def run(self, *words):
        """A command that ends; what it printed."""
        done = subprocess.run(
            [binary(), *words],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert done.returncode == 0, f"mlango {' '.join(words)}: {done.stderr}"
        return done.stdout

    def start(self, *words, healthy):
        """A command that stays, once `healthy` answers."""
        log = open(self.folder / f"{words[0]}.log", "ab")
        process = subprocess.Popen(
            [binary(), *words],
            cwd=self.folder,
            env=self.environment(),
            stdout=log,
            stderr=log,
        )
        log.close()
        self.processes.append(process)
        eventually(lambda: self.answers(process, words, healthy), f"mlango {words[0]}")

    def answers(self, process, words, healthy):
        if process.poll() is not None:
            log = (self.folder / f"{words[0]}.log").read_text()
            raise AssertionError(f"mlango {words[0]} ended with {process.returncode}: {log}")
        try:
            return requests.get(healthy, timeout=5).ok
        except requests.ConnectionError:
            return False

    def simulate(self):
        self.start("simulate", "--seed", "7", healthy=f"{self.sim}/healthz")
        return self

    def serve(self):
        self.start("serve", healthy=f"{self.api}/healthz")
        return self

    def key(self, name, *scopes):
        """An API key with these scopes."""
        words = [word for scope in scopes for word in ("--scope", scope)]
        return self.run("apps", "create", name, *words).strip().splitlines()[-1].split()[-1]

    def end(self):
        """Ends what was started here, the last first."""
        for process in reversed(self.processes):
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes.clear()

    @property
    def token(self):
        return self.config["callbacks"]["token"]

    def ledger(self, **query):
        """What really moved, as the simulator tells it."""
        return requests.get(f"{self.sim}/sim/ledger", params=query, timeout=10).json()

    def paid(self, originator_conversation_id):
        """What moved under one OriginatorConversationID."""
        return self.ledger(originator_conversation_id=originator_conversation_id)["data"]
