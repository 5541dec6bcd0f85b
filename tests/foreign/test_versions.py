"""What docs/foreign-clients.md says is tested is what is tested."""

import json
import re
import tomllib

from house import ROOT

HERE = ROOT / "tests" / "foreign"
OURS = {"cryptography", "lxml", "pytest", "requests"}
"""What the tests are written with."""


def pinned():
    """Each program and its version, as the lists have them."""
    lines = (HERE / "requirements.in").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    pins |= json.loads((HERE / "package.json").read_text())["dependencies"]
    lock = tomllib.loads((ROOT / "Cargo.lock").read_text())
    pins |= {it["name"]: it["version"] for it in lock["package"] if it["name"] == "mpesa"}
    return {name: version for name, version in pins.items() if name not in OURS}


def test_the_table_names_each_program_in_its_version():
    text = (ROOT / "docs" / "foreign-clients.md").read_text()
    rows = dict(re.findall(r"^\| `([^`]+)` \([^|]*\| ([^ ]+) \|", text, re.MULTILINE))
    assert rows.pop("xmllint")
    assert rows == pinned()


def test_the_lists_hold_a_hash_of_everything_and_no_address():
    lock = json.loads((HERE / "package-lock.json").read_text())
    packages = [it for path, it in lock["packages"].items() if path]
    assert packages and all("integrity" in it and "resolved" not in it for it in packages)
    requirements = (HERE / "requirements.txt").read_text()
    assert "://" not in requirements
    names = re.findall(r"^[a-z].*==.*$", requirements, re.MULTILINE)
    assert len(names) > 20 and all(name.endswith("\\") for name in names)
