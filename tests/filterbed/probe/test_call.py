"""What a call refuses before it begins; whole calls are in tests/live."""

from __future__ import annotations

import pytest

from filterbed.probe import call
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.sip import Account

ACCOUNT = Account("sip.site.net", "alice", "secret", "127.0.0.1", 5060)


@pytest.mark.parametrize("callee", ["a b\r\nX: y", "", "[field0]", "a" * 65])
def test_hostile_words_are_not_put_into_messages(callee: str) -> None:
    with pytest.raises(TargetError, match="expected letters"):
        call.place(ACCOUNT, callee, seconds=1, timeout=0.1, flows=[])


def test_unknown_codec() -> None:
    with pytest.raises(TargetError, match="expected one of PCMU, PCMA"):
        call.place(ACCOUNT, "echo", seconds=1, timeout=0.1, flows=[], codec="OPUS")


def test_without_sipp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(MachineError, match="apt install sip-tester"):
        call.place(ACCOUNT, "echo", seconds=1, timeout=0.1, flows=[])


def test_closed_port_is_refused_at_once(closed_port: int) -> None:
    account = Account("sip.site.net", "alice", "secret", "127.0.0.1", closed_port)
    flows: list[list[object]] = []
    row = call.place(account, "echo", seconds=1, timeout=3, flows=flows)
    assert (row["outcome"], row["code"], row["end"]["why"]) == ("refused", None, "refused")
    assert row["seconds"] < 3
    assert [flow[3:] for flow in flows] == [["127.0.0.1", closed_port]]
