"""Calls by baresip: what a tap beside it counts is what was sent, dropped and forged on the way."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
SIX = ("", "-six")
#: Prints what it measures of each target, as the detail of an answer that claims nothing; a detail
#: holds 2000 characters.
TOOL = """
import json, os
from concurrent.futures import ThreadPoolExecutor
from filterbed.probe.measure import measure
WAY = ("sent", "received", "lost", "tail", "duplicates", "out_of_order", "delay", "mos")
CALL = ("client", "agent", "end", "codec", "own", "cut", "not_sent", "outcome", "code", "ttl",
    "rtcp_bye")
def told(row):
    registered, call = row["sip"]["register"], row["sip"]["call"]
    ways = {name: {key: way[key] for key in WAY} for name, way in call["media"].items()}
    call = {key: call.get(key) for key in CALL} | {"media": ways}
    registered = {key: registered[key] for key in ("outcome", "code", "ttl")}
    said = {"flows": row["flows"], "register": registered, "call": call}
    return {"target": row["target"], "verdict": "unknown", "detail": json.dumps(said)}
targets = json.load(open(os.environ["FILTERBED_TARGETS"]))
with ThreadPoolExecutor() as pool:
    for row in pool.map(measure, targets):
        print(json.dumps(told(row)))
"""


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Run the scenario once; return its directory."""
    at = tmp_path_factory.mktemp("softphone")
    tool = at / "tool.py"
    tool.write_text(TOOL)
    words = ["run", "voip/softphone", "--out", str(at), "--name", "counts"]
    subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", *words, "--", sys.executable, str(tool)],
        capture_output=True,
        timeout=120,
        cwd=PROJECT,
        check=False,
    )
    found = at / "voip/softphone"
    assert json.loads((found / "run.json").read_text())["invalid_because"] == []
    return found


@pytest.fixture(scope="module")
def measured(directory: Path) -> dict[str, dict[str, Any]]:
    """Return what was measured, by target."""
    lines = (directory / "observations.jsonl").read_text().splitlines()
    return {row["target"]: json.loads(row["detail"]) for row in map(json.loads, lines)}


@pytest.mark.parametrize("six", SIX)
def test_a_whole_call(measured: dict[str, dict[str, Any]], six: str) -> None:
    call = measured[f"call{six}"]["call"]
    assert (call["client"], call["agent"][:9]) == ("baresip", "baresip v")
    assert (call["end"]["why"], call["codec"]) == ("completed", "PCMU")
    for way in call["media"].values():
        assert way["sent"] >= 80
        assert (way["received"], way["lost"], way["tail"]) == (way["sent"], 0, 0)
        assert (way["duplicates"], way["out_of_order"]) == (0, 0)
        assert 0.019 < way["delay"] < 0.08
        assert way["mos"] is not None
    # Its own word agrees, but for what was on its way when it hung up.
    sent, received = call["own"]["sent"], call["own"]["received"]
    assert abs(sent - call["media"]["to_callee"]["sent"]) <= 2
    assert 0 <= call["media"]["from_callee"]["received"] - received <= 10


def test_sipp_says_who_it_is(measured: dict[str, dict[str, Any]]) -> None:
    assert measured["by-sipp"]["call"]["client"] == "sipp"


@pytest.mark.parametrize("six", SIX)
def test_loss_injected_is_loss_measured(
    directory: Path, measured: dict[str, dict[str, Any]], six: str
) -> None:
    """Within one packet in 250; and what goes the other way is whole."""
    events = map(json.loads, (directory / "events.jsonl").read_text().splitlines())
    dropped = Counter(
        event["flow"]["client_port"]
        for event in events
        if event["event"] == "dropped" and "rtp" in event["trigger"]
    )
    one = measured[f"half{six}"]
    back, there = one["call"]["media"]["from_callee"], one["call"]["media"]["to_callee"]
    injected = dropped[one["flows"][-1][2]]
    assert injected > 50
    assert abs(back["lost"] - injected) <= max(1, back["sent"] // 250)
    assert back["lost"] + back["received"] == back["sent"]
    assert (there["lost"], there["received"]) == (0, there["sent"])


@pytest.mark.parametrize("six", SIX)
def test_a_forged_bye(measured: dict[str, dict[str, Any]], six: str) -> None:
    call = measured[f"cut{six}"]["call"]
    assert (call["cut"], call["end"]["why"]) == (True, "bye")
    assert call["not_sent"] > 20
    # The callee says by RTCP why it left: it was told that we hung up, and we did not.
    assert call["rtcp_bye"] == {"reason": "the other side hung up", "before_ours": True}


@pytest.mark.parametrize("six", SIX)
def test_a_forged_403(measured: dict[str, dict[str, Any]], six: str) -> None:
    """The forger's answer to INVITE left more of its TTL than the registrar's answers do."""
    registered, call = measured[f"denied{six}"]["register"], measured[f"denied{six}"]["call"]
    assert (registered["outcome"], registered["code"]) == ("ok", 200)
    assert (call["outcome"], call["code"], call["end"]["why"]) == ("rejected", 403, "rejected")
    assert call["ttl"] != registered["ttl"]
    assert call["media"]["to_callee"]["mos"] is None
