"""Schemathesis: it makes requests out of openapi.json, good ones and bad, and holds each answer
against what is described."""

import os
import pathlib
import subprocess
import sys

import pytest
import requests

from house import House

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


def schemathesis(house, key, description, *words):
    program = pathlib.Path(sys.executable).parent / "schemathesis"
    return subprocess.run(
        [program, "--config-file", HERE / "schemathesis.toml", "run", description]
        + ["--url", house.api, "--header", f"X-API-Key: {key}", "--checks", "all", "--no-color"]
        + ["--generation-deterministic", "--no-shrink"]
        + ["--max-examples", EXAMPLES, *words],
        capture_output=True,
        text=True,
        cwd=house.folder,
        timeout=240,
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
