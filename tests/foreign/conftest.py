"""What the tests share: houses that stand while they are needed, and Node."""

import json
import os
import pathlib
import subprocess

import pytest
import requests

import partner
from house import PATIENCE, House, eventually
from tap import Peer, Tap

HERE = pathlib.Path(__file__).resolve().parent


class Wire:
    """A gateway and a broker with a tap between them in each direction."""

    def __init__(self, folder):
        self.to_broker, self.to_gateway = Tap(), Tap()
        self.house = House(
            folder, BROKER__URL=self.to_broker.url, CALLBACKS__PUBLIC_URL=self.to_gateway.url
        )
        self.to_broker.to, self.to_gateway.to = self.house.sim, self.house.callbacks
        self.peer = Peer("text/xml; charset=utf-8", partner.ACKNOWLEDGED.encode())
        self.house.simulate().serve()
        scopes = ("payouts:write", "payouts:read", "payments:read", "read:all", "admin")
        self.key = self.house.key("foreign", *scopes)

    def end(self):
        self.house.end()
        for listener in (self.to_broker, self.to_gateway, self.peer):
            listener.end()

    def callback(self, place):
        """An address of the gateway's that M-Pesa calls, by way of the tap."""
        return f"{self.to_gateway.url}/cb/{self.house.token}/{place}"

    @property
    def broker(self):
        """The broker's address, by way of the tap."""
        return f"{self.to_broker.url}/mminterface/request"

    @property
    def messages(self):
        """Every message so far, with a name."""
        return self.to_broker.seen + self.to_gateway.seen

    def get(self, path):
        told = requests.get(self.house.api + path, headers={"X-API-Key": self.key}, timeout=10)
        assert told.status_code == 200, told.text
        return told.json()

    def post(self, path, body=None):
        headers = {"X-API-Key": self.key, "Idempotency-Key": partner.fresh_id("key")}
        told = requests.post(self.house.api + path, json=body, headers=headers, timeout=10)
        assert told.ok, told.text
        return told.json()

    def pay(self, phone, amount="150.00"):
        """A payout that the gateway took."""
        body = {"phone": phone, "amount": amount, "reference": "INV-77"}
        return self.post("/v1/payouts", body)

    def reaches(self, payout, *statuses):
        """The payout, once it has one of these statuses."""

        def look():
            now = self.get(f"/v1/payouts/{payout['id']}")
            return now if now["status"] in statuses else None

        return eventually(look, f"payout {payout['id']} that is {' or '.join(statuses)}")


@pytest.fixture(scope="session")
def wire(tmp_path_factory):
    wire = Wire(tmp_path_factory.mktemp("wire"))
    yield wire
    wire.end()


@pytest.fixture(scope="session")
def node():
    """Runs a script of this folder under Node with JSON in and JSON out."""
    modules = pathlib.Path(os.environ["FOREIGN_NODE_MODULES"])

    def run(script, **given):
        done = subprocess.run(
            ["node", HERE / script],
            input=json.dumps(given),
            capture_output=True,
            text=True,
            env=os.environ | {"NODE_PATH": str(modules)},
            timeout=2 * PATIENCE,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run
