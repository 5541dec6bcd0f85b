"""Schemathesis: it makes requests out of openapi.json, good ones and bad, and holds each answer
against what is described."""

import json
import os
import pathlib
import subprocess
import sys

import pytest
import requests

from house import House, eventually

HERE = pathlib.Path(__file__).resolve().parent
SCOPES = ("payouts:write", "payouts:read", "payments:write", "payments:read", "read:all", "admin")
EXAMPLES = os.environ.get("FOREIGN_EXAMPLES", "15")
"""How many requests are made of each operation in each way; more find more."""


@pytest.fixture
def house(tmp_path):
    unlimited = {
        f"API__{key}": "0"
        for key in (
            "REQUESTS_PER_SECOND_PER_KEY",
            "REQUESTS_PER_SECOND_PER_PEER",
            "WRONG_KEYS_PER_MINUTE_PER_PEER",
        )
    }
    house = House(tmp_path, **unlimited).simulate().serve()
    yield house
    house.end()


def schemathesis(house, key, description, *words, config="schemathesis.toml", hooks=None):
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    hooked = {"SCHEMATHESIS_HOOKS": hooks, "PYTHONPATH": str(HERE)} if hooks else {}
    return subprocess.run(
        [program, "--config-file", HERE / config, "run", description]
        + ["--url", house.api, "--header", f"X-API-Key: {key}", "--checks", "all", "--no-color"]
        + ["--generation-deterministic", "--no-shrink"]
        + ["--max-examples", EXAMPLES, *words],
        capture_output=True,
        text=True,
        cwd=house.folder,
        env=os.environ | hooked,
        timeout=240 + 10 * int(EXAMPLES),
    )


def test_what_is_described_is_what_is_done(house):
    key = house.key("fuzz", *SCOPES)
    done = schemathesis(house, key, f"{house.api}/openapi.json")
    assert done.returncode == 0, done.stdout + done.stderr
    headers = {"X-API-Key": key}
    rails = requests.get(f"{house.api}/v1/rails", headers=headers, timeout=10).json()["data"]
    # Whatever an application asks for, M-Pesa finds nothing wrong with who asks.
    assert [rail["refused"] for rail in rails] == [None, None]
    # And the book is whole: `verify` ends with 1 where it finds a fault.
    house.end()
    house.run("verify")


def modest(description):
    """The description with amounts within the limits, phones at which nothing goes wrong and numbers
    that are ours: what is asked by it gets through to M-Pesa. (Amounts are texts here: 458.0 is an
    integer for a schema, and a float, which is refused, for a person. And payouts go by the usual
    rail: not each has every command.)"""
    schemas = description["components"]["schemas"]
    del schemas["NewPayout"]["properties"]["rail"]
    fields = [
        (name, field)
        for title, body in schemas.items()
        if title.startswith("New")
        for name, field in body["properties"].items()
    ]
    for name, field in fields:
        if name == "amount":
            kinds = [{"type": "string", "pattern": "^[1-9][0-9]{1,2}([.]00)?$"}]
            field["oneOf"] = kinds + [it for it in field["oneOf"] if it["type"] == "null"]
        elif name == "phone":
            field["pattern"] = "^0?7220001[0-9]{2}$"
        elif name == "shortcode":
            field["pattern"] = "^(600999|174379)$"
    return description


def test_whatever_is_asked_for_is_paid_once_and_both_books_agree(house):
    key = house.key("fuzz", *SCOPES)
    headers = {"X-API-Key": key}

    def get(path):
        told = requests.get(house.api + path, headers=headers, timeout=10)
        assert told.status_code == 200, told.text
        return told.json()

    path = house.folder / "modest.json"
    path.write_text(json.dumps(modest(get("/openapi.json"))))
    words = ["--mode", "positive", "--phases", "examples,coverage,fuzzing"]
    words += ["--include-method", "POST", "--exclude-path-regex", "pause|resume"]
    done = schemathesis(house, key, path, *words, config="modest.toml", hooks="fresh_keys")
    assert done.returncode == 0, done.stdout + done.stderr

    def settled():
        payouts = get("/v1/payouts?limit=500")["data"]
        return payouts if all(it["completed_at"] for it in payouts) else None

    payouts = eventually(settled, "end of every payout")
    paid = [it for it in payouts if it["status"] == "succeeded"]
    assert len(paid) >= int(EXAMPLES), f"only {len(paid)} of {len(payouts)} were paid"
    for payout in paid:
        [movement] = house.paid(payout["originator_conversation_id"])
        said = {name: payout[name] for name in ("amount", "receipt", "phone")}
        assert said == {name: movement[name] for name in said}
    moved = [it for it in house.ledger(limit=10000)["data"] if it["kind"] == "payout"]
    assert len(moved) == len(paid), "the simulator paid what the gateway does not know of"


def test_a_description_that_is_wrong_is_found(house):
    """The check itself can fail: a field of the answer is said to be of another type."""
    key = house.key("fuzz", *SCOPES)
    told = requests.get(f"{house.api}/openapi.json", timeout=10)
    wrong = told.text.replace('"in_flight":{"type":"integer"', '"in_flight":{"type":"string"')
    assert wrong != told.text
    path = house.folder / "wrong.json"
    path.write_text(wrong)
    done = schemathesis(house, key, path, "--include-path", "/v1/rails", "--phases", "coverage")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "in_flight" in done.stdout
