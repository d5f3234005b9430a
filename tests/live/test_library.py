"""Every scenario of the library, run once: it is valid, webcheck is right, and its record replays.

To replay is to feed the engine what reached the censor's door: it must say what the log says, event
for event.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scenarios import library
from tests.live.stage import ROOT

pytestmark = pytest.mark.live

#: What webcheck must say of targets (of one vantage, where they differ), beyond being right: to
#: name only a part of a mechanism is right as well, and so is a block laid to nobody.
NAMED: dict[str, Mapping[str, tuple[str, ...]]] = {
    "quic/sni-china-2024": dict.fromkeys(("facebook", "signal"), ("quic.timeout",)),
    "quic/sni-russia-2023": dict.fromkeys(("instagram", "facebook"), ("quic.timeout.sni",)),
    "quic/udp-iran-2021": dict.fromkeys(("messenger", "bakery"), ("quic.timeout",)),
    "quic/version-russia-2022": dict.fromkeys(("google", "cloudflare"), ("quic.timeout",)),
    "dns/validating": {
        f"{vantage} {name}": (mechanism,)
        for vantage, mechanism in (("believes", "dns.injection.other"), ("checks", "dns.servfail"))
        for name in ("facebook", "facebook-name", "twitter")
    },
}
#: How many rows are blocked by the network, and by the client's own filter.
LOCI = {"voip/skypeout-2005": (1, 0), "voip/skype-naive": (2, 0), "voip/tom-skype": (2, 2)}
#: Which targets are blocked, and no other.
BLOCKED = {"dns/encrypted": {"cloudflare-dot", "adguard-dot", "adguard-doh"}}
#: Whose time runs ten times as fast: calls that are cut after a while, and a night that falls.
LASTING = ("voip/", "ip/curfew")


def filterbed(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *words],
        capture_output=True, text=True, timeout=240, cwd=ROOT, check=False,
    )  # fmt: skip


@pytest.mark.parametrize("name", library.names())
def test_webcheck_is_right_and_the_record_replays(tmp_path: Path, name: str) -> None:
    rate = "10" if name.startswith(LASTING) else "1"
    done = filterbed("run", name, "--clock-rate", rate, "--out", str(tmp_path))
    directory = tmp_path / name
    assert json.loads((directory / "run.json").read_text())["invalid_because"] == []
    assert done.returncode == 0, done.stdout + done.stderr
    replayed = filterbed("replay", str(directory))
    assert replayed.returncode == 0, replayed.stdout + replayed.stderr
    boxes = json.loads((directory / "policy.json").read_text())
    assert replayed.stdout.count(": the same events") == len(boxes)
    rows = json.loads((directory / "score.json").read_text())["rows"]
    assert all(row["correct"] for row in rows)
    says_what_is_asked(name, rows)


def says_what_is_asked(name: str, rows: list[dict[str, Any]]) -> None:
    """Compare what was observed with the tables above."""
    seen = {row["target"]: row["observed"] for row in rows}
    seen |= {f"{row['vantage']} {row['target']}": row["observed"] for row in rows}
    for target, mechanisms in NAMED.get(name, {}).items():
        found = seen[target]
        assert (found["verdict"], tuple(found["mechanisms"])) == ("blocked", mechanisms), target
    if name in LOCI:
        loci = [row["observed"]["locus"] for row in rows]
        assert (loci.count("network"), loci.count("client_side")) == LOCI[name]
    if name in BLOCKED:
        hit = {row["target"] for row in rows if row["observed"]["verdict"] == "blocked"}
        assert hit == BLOCKED[name]


def test_the_tables_name_scenarios_there_are() -> None:
    assert {*NAMED, *LOCI, *BLOCKED} <= set(library.names())
