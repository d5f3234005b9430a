"""Events: what a log line holds."""

from __future__ import annotations

import json

from censor.events import ACTS, ENGINE_WORDS, Event


def test_a_line_has_both_times_and_leaves_out_what_is_not_there() -> None:
    line = Event(2.5, "stopped", detail={"seen": 3}).record(box="gfw", clock_rate=60)
    assert line == {"t": 2.5, "t_scenario": 150.0, "box": "gfw", "event": "stopped", "seen": 3}


def test_a_line_of_an_act_names_packet_flow_rule_and_trigger() -> None:
    flow = {"protocol": "udp", "client": "1.2.3.4"}
    event = Event(0.1, "injected", 7, flow, "dns", {"dns.name": "a.example"}, {"packets": ["45"]})
    line = event.record(box="gfw")
    assert list(line) == [
        "t", "t_scenario", "box", "event", "n", "flow", "rule", "trigger", "packets",
    ]  # fmt: skip
    assert json.loads(json.dumps(line)) == line


def test_acts_are_things_the_engine_says() -> None:
    assert ACTS < ENGINE_WORDS
    assert "started" not in ENGINE_WORDS
