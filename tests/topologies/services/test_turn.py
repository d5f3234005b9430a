"""What a relay is told: its addresses, its users, and where it may write."""

from __future__ import annotations

from pathlib import Path

from topologies.service import Turn
from topologies.services import turn

ADDRESSES = ("88.198.0.2", "2a01:4f8::2")
OPEN = Turn("open", "servers", ("TURN.one.net",), ADDRESSES, (("alice", "pw"), ("bob", "x")))
HOME = Path("/w/servers-turn-open")


def test_each_address_listens_and_relays() -> None:
    text = turn.configuration(OPEN, HOME).splitlines()
    for address in ADDRESSES:
        assert {f"listening-ip={address}", f"relay-ip={address}"} <= set(text)
    assert {"realm=turn.one.net", "user=alice:pw", "user=bob:x", "lt-cred-mech"} <= set(text)


def test_nothing_is_written_outside_its_home_and_no_port_is_opened_beside() -> None:
    text = turn.configuration(OPEN, HOME).splitlines()
    assert {f"pidfile={HOME}/turn.pid", f"userdb={HOME}/turndb", "log-file=stdout"} <= set(text)
    assert {"no-cli", "no-tls", "no-dtls"} <= set(text)


def test_each_service_is_a_program_unless_nothing_listens() -> None:
    silent = Turn("mute", "servers", ("m.net",), ("5.9.1.1",), (("a", "b"),), manner="silent")
    closed = Turn("shut", "servers", ("s.net",), ("5.9.1.2",), (("a", "b"),), manner="refused")
    found = [*turn.programs("servers", (OPEN, silent, closed), Path("/w"))]
    assert [program.id for program in found] == ["servers-turn-open", "servers-turn-mute"]
    asked = [(one.how, one.address, one.port) for one in found[0].ready]
    assert asked == [("stun", address, 3478) for address in ADDRESSES]
    assert found[1].ready == ()
