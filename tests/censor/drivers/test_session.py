"""Sessions: idle sees and does nothing; every switch begins anew."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from censor.drivers.session import Session
from censor.engine.decision import PASS
from censor.policy.loader import load
from censor.wire import forge

POLICY = load(
    {
        "position": "on-path",
        "rules": [
            {
                "id": "dns",
                "when": {"dns.name": {"suffix": ["blocked.example"]}},
                "then": {
                    "inject": "dns-answer",
                    "addresses": ["1.2.3.4"],
                    "ttl": {"random": [1, 255]},
                },
            },
            {
                "id": "port",
                "when": {"server.port": [443]},
                "then": {"inject": "reset", "residual": {"seconds": 10}},
            },
        ],
    }
)


def session(**options: Any) -> tuple[Session, list[Mapping[str, Any]]]:
    log: list[Mapping[str, Any]] = []
    return Session(POLICY, log.append, box="b", **options), log


def packet(make: Any) -> bytes:
    ends = forge.Ip(bytes([24, 48, 0, 2]), bytes([8, 8, 8, 8]))
    return forge.udp(ends, 4000, 53, make("blocked.example"))


def test_idle_passes_everything_and_still_counts(query: Any) -> None:
    one, log = session()
    one.switch(False, t=0.0)
    for t in (0.1, 0.2):
        assert one.receive(packet(query), t=t, inside=True) is PASS
    assert (one.n, one.active, one.due()) == (2, False, None)
    assert [line["event"] for line in log] == ["policy"]


def test_events_name_packets_by_their_number_in_the_record(query: Any) -> None:
    one, log = session(clock_rate=60)
    one.receive(packet(query), t=0.1, inside=True)
    one.switch(True, t=0.2)
    one.receive(packet(query), t=0.3, inside=True)
    policy, matched, injected = log
    assert (policy["state"], policy["generation"], policy["n"]) == ("active", 1, 1)
    assert matched["n"] == injected["n"] == 2
    assert matched["t_scenario"] == 0.3 * 60


def test_a_switch_begins_anew_and_with_the_same_luck(query: Any) -> None:
    one, log = session(seed=4)
    for t in (1.0, 2.0):
        one.switch(True, t=t)
        one.receive(packet(query), t=t + 0.5, inside=True)
    first, second = (line["packets"] for line in log if line["event"] == "injected")
    assert first == second
    assert one.generation == 2


def test_what_fell_due_is_said_before_a_switch() -> None:
    one, log = session()
    one.switch(True, t=0.0)
    syn = forge.tcp(forge.Ip(bytes(4), bytes([8, 8, 8, 8])), forge.Tcp(5, 443, 1, 0, 2))
    one.receive(syn, t=1.0, inside=True)
    assert one.due() == 11.0
    one.switch(False, t=20.0)
    assert [line["event"] for line in log][-2:] == ["forgotten", "policy"]
    assert log[-2]["t"] == 11.0
