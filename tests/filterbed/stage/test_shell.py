"""An event in one line; the prompt itself is tried in tests/live."""

from __future__ import annotations

from filterbed.stage.shell import brief


def test_an_event_is_one_line_with_what_matters() -> None:
    flow = {"protocol": "udp", "client": "1.2.3.4", "client_port": 5, "server": "8.8.8.8",
            "server_port": 53}  # fmt: skip
    event = {"t": 1.5, "box": "gfw", "event": "injected", "rule": "r", "toward": "client",
             "trigger": {"dns.name": "x.org"}, "flow": flow, "residual": True}  # fmt: skip
    assert brief(event).split() == [
        "1.500", "s", "gfw", "injected", "r", "client", "dns.name=x.org",
        "udp", "1.2.3.4:5", "-", "8.8.8.8:53", "(from", "a", "memory)",
    ]  # fmt: skip


def test_an_event_about_nothing_is_a_line_too() -> None:
    assert brief({"t": 0.0, "event": "policy", "state": "idle"}).split() == [
        "0.000", "s", "policy", "idle",
    ]  # fmt: skip
