"""Tunnels by what they show of themselves, as conversations with the engine."""

from __future__ import annotations

from typing import Any

import pytest

from censor.engine.decision import Verdict

RESET = {"inject": "reset"}
CLIENT_RESET = b"\x38" + bytes(range(1, 9)) + bytes(5)
SERVER_RESET = b"\x40" + bytes(range(11, 19)) + b"\1" + bytes(4) + bytes(range(1, 9)) + bytes(4)
CONTROL = b"\x20" + bytes(range(1, 9)) + b"\0\0\0\0\1\x16\3\1" + bytes(80)
DATA = b"\x48\0\0\0" + bytes(100)
HANDSHAKE = ((CLIENT_RESET, False), (SERVER_RESET, True), (CONTROL, False), (CONTROL, True))

INITIATION, RESPONSE = b"\1" + bytes(147), b"\2" + bytes(91)
TRANSPORT = b"\4" + bytes(127)


def policy(when: dict[str, Any], *then: dict[str, Any], **more: Any) -> dict[str, Any]:
    rules = [{"id": "tunnel", "when": when, "then": list(then)}]
    return {"position": "in-path", "rules": rules, **more}


def triggers(talk: Any) -> list[Any]:
    return [event.trigger for event in talk.events() if event.event == "matched"]


@pytest.mark.parametrize("size", [1, 7, 100])
def test_ssh_by_its_software_in_any_pieces(Talk: Any, size: int) -> None:
    talk = Talk(policy({"ssh.software": {"prefix": ["openssh"]}}, RESET))
    tcp = talk.connection(port=22)
    tcp.say(b"SSH-2.0-server\r\n", back=True)
    line = b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"
    for place in range(0, len(line), size):
        tcp.say(line[place : place + size])
    assert triggers(talk) == [{"ssh.software": "OpenSSH_9.2p1"}]
    assert len(talk.forged()) == 2


def test_other_software_and_other_protocols_pass(Talk: Any, get: Any) -> None:
    talk = Talk(policy({"ssh.software": {"prefix": ["openssh"]}}, RESET))
    for first in (b"SSH-2.0-PuTTY\r\n", get("a.example"), b"\x16\3\1\0\5"):
        talk.connection(port=22, sport=50000 + len(first)).say(first)
    assert triggers(talk) == []


def test_ssh_is_slower_than_the_web(Talk: Any, get: Any) -> None:
    """SSH got 15 % of the line's rate. Source: fact ir-throttle-2011."""
    talk = Talk(policy({"ssh": True}, {"police": "15 kB/s", "burst": 3000}))
    lost = {}
    for port, first in ((22, b"SSH-2.0-x\r\n"), (80, get("a.example"))):
        tcp = talk.connection(port=port)
        tcp.say(first)
        verdicts = [tcp.say(bytes(1000), back=True).verdict for _ in range(100)]
        lost[port] = verdicts.count(Verdict.DROP)
    assert lost[80] == 0
    assert 75 <= lost[22] <= 90


FOUR = bytes.fromhex("04010050000000016d6500") + b"www.blocked.example\0"
FIVE = b"\5\1\0\3\x13www.blocked.example\0\x50"


@pytest.mark.parametrize("said", [(FOUR,), (b"\5\1\0", FIVE), (b"\5\2\0\2", b"\1\1a\1b", FIVE)])
def test_socks_by_whom_it_asks_for(Talk: Any, said: tuple[bytes, ...]) -> None:
    talk = Talk(policy({"socks.host": {"suffix": ["blocked.example"]}}, {"drop": "packet"}))
    tcp = talk.connection(port=1080)
    verdicts = []
    for one in said:
        verdicts.append(tcp.say(one).verdict)
        tcp.say(b"\5\0", back=True)
    assert verdicts == [Verdict.ACCEPT] * (len(said) - 1) + [Verdict.DROP]
    (trigger,) = triggers(talk)
    assert trigger["socks.host"] == "www.blocked.example"


def test_socks_by_its_version_before_it_asks(Talk: Any) -> None:
    talk = Talk(policy({"socks.version": [5]}, RESET))
    talk.connection(port=1080).say(FOUR)
    assert triggers(talk) == []
    talk.connection(port=1080, sport=50001).say(b"\5\1\0")
    assert triggers(talk) == [{"socks.version": 5}]


#: A cut does not count the packet that matched.
VPN = policy({"openvpn.kind": ["data"]}, {"cut": {"packets": 14}})


def test_openvpn_over_udp_dies_behind_its_handshake(Talk: Any) -> None:
    """The handshake completes; more than 15 data packets do not pass. Source: ru-vpn-postshake."""
    talk = Talk(VPN)
    for packet, back in HANDSHAKE:
        assert talk.udp(packet, port=1194, back=back).verdict is Verdict.ACCEPT
    verdicts = [talk.udp(DATA, port=1194, back=bool(n % 2)).verdict for n in range(30)]
    assert verdicts == [Verdict.ACCEPT] * 15 + [Verdict.DROP] * 15
    assert triggers(talk) == [{"openvpn.kind": "data"}]


def test_openvpn_over_tcp_dies_too(Talk: Any) -> None:
    talk = Talk(VPN)
    tcp = talk.connection(port=1194)
    frame = len(DATA).to_bytes(2, "big") + DATA
    for packet, back in HANDSHAKE:
        tcp.say(len(packet).to_bytes(2, "big") + packet, back=back)
    verdicts = [tcp.say(frame).verdict for _ in range(20)]
    assert verdicts == [Verdict.ACCEPT] * 15 + [Verdict.DROP] * 5


def test_openvpn_is_recognised_by_its_beginning_alone(Talk: Any) -> None:
    """Opcodes without a reset before them are noise. So a box that came late sees nothing."""
    talk = Talk(VPN)
    for _ in range(30):
        assert talk.udp(DATA, port=1194).verdict is Verdict.ACCEPT
    assert triggers(talk) == []


def test_wireguard_dies_behind_its_handshake(Talk: Any) -> None:
    """More than 2 data packets do not pass. Source: fact ru-vpn-postshake."""
    talk = Talk(policy({"wireguard.kind": ["data"]}, {"cut": {"packets": 1}}))
    for packet, back in ((INITIATION, False), (RESPONSE, True)):
        assert talk.udp(packet, port=51820, back=back).verdict is Verdict.ACCEPT
    verdicts = [talk.udp(TRANSPORT, port=51820).verdict for _ in range(6)]
    assert verdicts == [Verdict.ACCEPT] * 2 + [Verdict.DROP] * 4


def test_wireguard_s_handshake_can_be_refused(Talk: Any) -> None:
    talk = Talk(policy({"wireguard": True}, {"drop": "flow"}))
    assert talk.udp(b"hello", port=51820, sport=1999).verdict is Verdict.ACCEPT
    assert talk.udp(INITIATION, port=51820).verdict is Verdict.DROP
    assert triggers(talk) == [{"wireguard.kind": "initiation"}]


def test_ports_are_asked(Talk: Any) -> None:
    talk = Talk(policy({"wireguard": True}, {"drop": "flow"}, wireguard={"ports": [51820]}))
    assert talk.udp(INITIATION, port=51821).verdict is Verdict.ACCEPT
