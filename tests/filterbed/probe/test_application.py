"""An application's login and calls, judged: silence, resets, other ways, broken for all."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe.judge import judge


def row(
    bootstrap: str = "ok", login: str | None = "ok", gateway: str | None = None, by: str = "udp"
) -> dict[str, Any]:
    def part(outcome: str | None) -> dict[str, Any] | None:
        return None if outcome is None else {"outcome": outcome}

    found: dict[str, Any] = {
        "outcome": bootstrap,
        "by": by if bootstrap == "ok" else None,
        "steps": [],
    }
    return {
        "kind": "skypeout" if gateway else "skype",
        "skype": {"bootstrap": found, "login": part(login), "gateway": part(gateway)},
    }


@pytest.mark.parametrize(
    ("local", "control", "verdict", "mechanisms"),
    [
        (row(), row(), "ok", ()),
        (row(by="tcp-443"), row(), "ok", ()),
        (row("timeout", None), row(), "blocked", ("app.login.timeout",)),
        (row(login="timeout"), row(), "blocked", ("app.login.timeout",)),
        (row(login="reset"), row(), "blocked", ("proto.reset",)),
        (row(login="refused"), row(), "blocked", ("tcp.refused",)),
        (row(login="foreign"), row(), "blocked", ("app",)),
        (row("timeout", None), row("timeout", None), "down", ()),
        (row(login="reset"), row(login="timeout"), "unknown", ()),
        (row(login="timeout"), row("timeout", None), "unknown", ()),
        (row(gateway="ok"), row(gateway="ok"), "ok", ()),
        (row(gateway="timeout"), row(gateway="ok"), "blocked", ("app.call.timeout",)),
        (row(gateway="unreachable"), row(gateway="ok"), "blocked", ("ip.unreachable",)),
        (row(gateway="timeout"), row(gateway="timeout"), "down", ()),
    ],
)
def test_what_the_two_measurements_mean(
    local: dict[str, Any], control: dict[str, Any], verdict: str, mechanisms: tuple[str, ...]
) -> None:
    found = judge(local, control)
    assert (found.verdict, found.mechanisms) == (verdict, mechanisms)
    assert found.locus == ("network" if verdict == "blocked" else None)


def test_another_way_is_told() -> None:
    assert judge(row(by="tcp-443"), row()).detail == (
        "a supernode was found by tcp-443 here, by udp at the control"
    )


def chat(outcome: str, after: str = "message", plain: str | None = None) -> dict[str, Any]:
    requests = [{"path": "/agent/upload?text=00"}] if outcome == "withheld" else []
    client = {"outcome": outcome, "after": after, "requests": requests}
    return {"kind": "chat", "chat": {"client": client, "plain": plain and {"outcome": plain}}}


@pytest.mark.parametrize(
    ("local", "control", "verdict", "mechanisms", "locus"),
    [
        (chat("ok"), chat("ok"), "ok", (), None),
        (chat("ok"), chat("timeout"), "ok", (), None),
        (chat("withheld", plain="ok"), chat("withheld", plain="ok"), *("blocked", ("app",)),
         "client_side"),
        (chat("withheld", plain="ok"), chat("ok"), "blocked", ("app",), "client_side"),
        (chat("withheld", plain="timeout"), chat("withheld", plain="ok"), "unknown", (), None),
        (chat("timeout", "connect"), chat("ok"), "blocked", ("tcp.timeout",), "network"),
        (chat("refused", "connect"), chat("ok"), "blocked", ("tcp.refused",), "network"),
        (chat("reset"), chat("ok"), "blocked", ("proto.reset",), "network"),
        (chat("timeout"), chat("ok"), "blocked", ("app",), "network"),
        (chat("timeout"), chat("timeout"), "down", (), None),
        (chat("reset"), chat("timeout"), "unknown", (), None),
        (chat("timeout", "connect"), chat("withheld", plain="ok"), "unknown", (), None),
    ],
)  # fmt: skip
def test_who_kept_a_message_back(
    local: dict[str, Any],
    control: dict[str, Any],
    verdict: str,
    mechanisms: tuple[str, ...],
    locus: str | None,
) -> None:
    found = judge(local, control)
    assert (found.verdict, found.mechanisms, found.locus) == (verdict, mechanisms, locus)


def test_the_request_that_appears_besides_is_told() -> None:
    found = judge(chat("withheld", plain="ok"), chat("ok"))
    assert found.detail.endswith("the client asked for /agent/upload?text=00")
