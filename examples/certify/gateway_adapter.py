"""Puts Mlango's own gateway, or a system that pays through its REST API, before `mlango certify`.

With --interface soap or daraja it is the gateway that is certified, on that rail; with --interface
gateway it is this program, as the gateway's client. It is thin, and right: the Idempotency-Key is
the payment's reference, so that asking twice pays once, and only the gateway's final words count.
wrong_gateway_client.py makes the usual mistakes.
"""

import json
import os
import pathlib
import threading
import time
import urllib.error
import urllib.request

import house

TRIES, PAUSE = 60, 0.25


class GatewayClient:
    """Speaks to the gateway; status 0 stands for no answer, or none that can be read."""

    def __init__(self, url, key, timeout):
        self.url, self.key, self.timeout = url.rstrip("/"), key, timeout

    def call(self, path, idempotency_key=None, body=None):
        headers = {"X-API-Key": self.key, "Content-Type": "application/json"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        data = json.dumps(body).encode() if body is not None else None
        request = urllib.request.Request(self.url + path, data, headers)
        try:
            with urllib.request.urlopen(request, timeout=self.timeout) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, {}
        except Exception:  # however it went wrong: nobody knows whether it arrived
            return 0, {}


class RightClient:
    def __init__(self, gateway, rail):
        self.gateway, self.rail = gateway, rail
        self.lock, self.ids = threading.Lock(), {}

    def pay(self, asked):
        body = {name: asked[name] for name in ("reference", "phone", "amount", "command")}
        if self.rail:
            body["rail"] = self.rail
        for _ in range(TRIES):
            status, answer = self.gateway.call("/v1/payouts", asked["reference"], body)
            if status == 202 and "id" in answer:
                with self.lock:
                    self.ids[asked["reference"]] = answer["id"]
                return
            if status != 0 and status < 500 and status not in (409, 429):
                print(f"{asked['reference']} was refused: {status}", flush=True)
                return
            time.sleep(PAUSE)  # the same again, under the same key: safe however often

    def books(self):
        with self.lock:
            ids = list(self.ids.values())
        return [self.row(id) for id in ids]

    def row(self, id):
        for _ in range(TRIES):
            status, payout = self.gateway.call(f"/v1/payouts/{id}")
            if status == 200:
                names = ("reference", "status", "amount", "receipt", "phone")
                return tuple(payout[name] or "" for name in names)
            time.sleep(PAUSE)
        raise RuntimeError(f"the gateway does not say what became of {id}")


def main(says, client):
    parser = house.arguments(says)
    parser.add_argument("--url", help="the gateway's API, where the connection file does not say it")
    given = parser.parse_args()
    rail = None if given.interface == "gateway" else given.interface
    path = pathlib.Path(given.connection)
    while not path.exists():
        time.sleep(0.05)
    known = json.loads(path.read_text()).get("gateway", {})
    key = known.get("api_key") or os.environ["MLANGO_API_KEY"]
    gateway = GatewayClient(given.url or known["url"], key, given.timeout)
    house.serve(given.listen, client(gateway, rail))


if __name__ == "__main__":
    main(__doc__.splitlines()[0], RightClient)
