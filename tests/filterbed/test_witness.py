"""Numbers that do not agree are reported; numbers that do are kept."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.witness import (
    CaptureCount,
    capture_counts,
    capture_drops,
    compare,
    gather,
    queue_counts,
)

DUMPCAP = """Capturing on 'gfw-eth0'
File: /runs/x/capture/gfw-eth0.pcapng
Packets captured: 184
Packets received/dropped on interface 'gfw-eth0': {} (pcap:{}/dumpcap:0/flushed:{}/ps_ifdrop:0) (100.0%)
"""  # noqa: E501 (dumpcap's own words)
STATS: dict[str, Any] = {
    "n": 184,
    "seen": 184,
    "accepted": 183,
    "dropped": 1,
    "injected": 3,
    "sent": 3,
    "unsent": 0,
    "queue_dropped": 0,
    "user_dropped": 0,
}
EVENTS: list[dict[str, Any]] = [
    {"event": "started", "box": "gfw", "epoch_ns": 1},
    {"event": "matched", "box": "gfw", "n": 3},
    {"event": "injected", "box": "gfw", "n": 3, "packets": ["00", "01", "02"]},
    {"event": "dropped", "box": "gfw", "n": 3},
    {"event": "stopped", "box": "gfw"},
]
WIRE = {"door": 184}


def test_dumpcaps_own_account() -> None:
    good = DUMPCAP.format("184/0", 0, 0)
    assert capture_counts(good) == [CaptureCount("gfw-eth0", 184, 0)]
    assert capture_drops(good) == []
    assert capture_drops(DUMPCAP.format("184/7", 7, 0)) == ["lost 7 packets, 184 were received"]
    assert capture_drops(DUMPCAP.format("184/0", 0, 2)) == ["lost 2 packets, 184 were received"]


@pytest.mark.parametrize("log", ["", "dumpcap: The capture session could not be initiated\n"])
def test_no_account_is_a_loss(log: str) -> None:
    (problem,) = capture_drops(log)
    assert "did not say how many packets it lost" in problem


def test_the_kernels_queue() -> None:
    text = "   10  23862     0 2 65531     0     4      184  1\n   11  1 2 2 65531 5 0 9  1\n"
    assert queue_counts(text, 10) == {
        "waiting": 0,
        "queue_dropped": 0,
        "user_dropped": 4,
        "queued": 184,
    }
    assert (queue_counts(text, 11) or {})["queue_dropped"] == 5
    assert queue_counts(text, 12) is None


def test_agreement() -> None:
    assert compare("gfw", stats=STATS, wire=WIRE, events=EVENTS) == []
    found = gather(stats=STATS, wire=WIRE, events=EVENTS, captures=[CaptureCount("e", 9, 0)])
    assert found == {
        "kernel": {"queue_dropped": 0, "user_dropped": 0},
        "censor": STATS,
        "log": {"injected": 3, "dropped": 1},
        "wire": {"door": 184},
        "captures": {"e": {"received": 9, "dropped": 0}},
    }


@pytest.mark.parametrize(
    ("stats", "wire", "report"),
    [
        ({"n": 185}, {}, "the censor saw 185 packets, its door record holds 184"),
        ({}, {"door": 183}, "the censor saw 184 packets, its door record holds 183"),
        ({"dropped": 2}, {}, "the censor dropped 2 packets, its log says 1"),
        ({"injected": 4, "sent": 4}, {}, "the censor forged 4 packets, its log says 3"),
        ({"sent": 2}, {}, "the censor forged 3 packets, of these it sent or withdrew 2"),
        ({"queue_dropped": 9}, {}, "the kernel lost 9 packets on their way to the censor"),
        ({"user_dropped": 9}, {}, "the kernel lost 9 packets on their way to the censor"),
    ],
)
def test_each_disagreement(stats: dict[str, Any], wire: dict[str, Any], report: str) -> None:
    problems = compare("gfw", stats={**STATS, **stats}, wire={**WIRE, **wire}, events=EVENTS)
    assert len(problems) == 1
    assert problems[0].startswith(f"witnesses: box gfw: {report}")


def test_forged_packets_may_be_withdrawn() -> None:
    stats = {**STATS, "sent": 2, "withdrawn": 1}
    assert compare("gfw", stats=stats, wire=WIRE, events=EVENTS) == []


def test_a_packet_whose_connection_was_taken_over_is_dropped() -> None:
    taken = {"event": "intercepted", "n": 9}
    (problem,) = compare("gfw", stats=STATS, wire=WIRE, events=[*EVENTS, taken])
    assert "the censor dropped" in problem
    stats = {**STATS, "dropped": STATS["dropped"] + 1}
    assert compare("gfw", stats=stats, wire=WIRE, events=[*EVENTS, taken]) == []


def test_what_the_log_admits() -> None:
    for event, word in (
        ({"event": "overflowed", "t": 1.0, "queue_dropped": 3}, "full queue: queue_dropped 3"),
        ({"event": "failed", "error": "OSError: x", "traceback": []}, "failed: error OSError: x"),
        ({"event": "failed"}, "it does not say why"),
    ):
        (problem,) = compare("gfw", stats=STATS, wire=WIRE, events=[*EVENTS, event])
        assert word in problem


@pytest.mark.parametrize(("stats", "events"), [({}, EVENTS), (STATS, EVENTS[:-1])])
def test_a_censor_that_never_stopped_died(
    stats: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    (problem,) = compare("gfw", stats=stats, wire=WIRE, events=events)
    assert "it died, or was killed" in problem


def test_an_idle_censor_has_no_acts() -> None:
    (problem,) = compare("gfw", stats=STATS, wire=WIRE, events=EVENTS, idle=True)
    assert "was to stay idle" in problem
