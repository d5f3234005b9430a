"""ICMP errors as policies ask for them, read back with scapy."""

from __future__ import annotations

from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, TCP, IPerror, TCPerror
from scapy.layers.inet6 import ICMPv6DestUnreach, IPv6, IPv6ExtHdrFragment

from censor.engine.decision import Verdict
from censor.wire import forge

SYN = 2


def policy(act: Any, when: Any = None, position: str = "on-path") -> dict[str, Any]:
    then = {"inject": "icmp-unreachable", **act}
    rule = {"id": "r", "when": when or {"server.port": [443]}, "then": then}
    return {"position": position, "rules": [rule]}


@pytest.mark.parametrize(
    ("code", "four", "six"),
    [("net", 0, 0), ("host", 1, 3), ("port", 3, 4), ("net-prohibited", 9, 1),
     ("host-prohibited", 10, 1), ("admin-prohibited", 13, 1), (4, 4, 4)],
)  # fmt: skip
def test_codes_in_both_families(Talk: Any, code: Any, four: int, six: int) -> None:
    talk = Talk(policy({"code": code, "ttl": 63, "ip_id": 0}))
    talk.connection(port=443, shake=False).segment(flags=SYN)
    (packet,) = talk.forged(inward=True)
    found = IP(packet.data)
    assert (found[ICMP].type, found[ICMP].code, found.ttl, found.id) == (3, four, 63, 0)
    assert (found.src, found.dst) == (talk.server, talk.client)
    assert (found[IPerror].dst, found[TCPerror].dport) == (talk.server, 443)
    assert bytes(found[ICMP].payload).hex() == talk.log[0][1]  # all of a short packet
    assert found[TCPerror].seq == 1000
    talk = Talk(policy({"code": code}), client="2600::2", server="2001:db8:53::1")
    talk.connection(port=443, shake=False).segment(flags=SYN)
    (packet,) = talk.forged(inward=True)
    error = IPv6(packet.data)[ICMPv6DestUnreach]
    assert error.code == six
    assert bytes(error.payload).hex() == talk.log[0][1]


def test_errors_come_from_a_router_and_quote_within_bounds(Talk: Any) -> None:
    act = {"from": ["2001:db8::ffff", "192.0.2.1"]}
    six = {"client": "2600::2", "server": "2600::9"}
    for ends, source, limit in (({}, "192.0.2.1", 576), (six, "2001:db8::ffff", 1280)):
        talk = Talk(policy(act, {"server.port": [9]}), **ends)
        talk.udp(bytes(1400), port=9)
        (packet,) = talk.forged()
        assert len(packet.data) == limit
        assert (IP if packet.version == 4 else IPv6)(packet.data).src == source


def test_in_path_the_packet_does_not_pass_and_errors_draw_none(Talk: Any) -> None:
    talk = Talk(policy({}, {"server.address": ["93.184.216.34"]}, "in-path"))
    assert talk.udp(b"x", port=9).verdict is Verdict.DROP
    header = IP(src=talk.client, dst=talk.server)
    for layers, count in ((header / ICMP(type=8), 1), (header / ICMP(type=0), 0),
                          (header / ICMP(type=3, code=1) / IP() / TCP(), 0)):  # fmt: skip
        before = len(talk.forged())
        talk.give(bytes(layers))
        assert len(talk.forged()) - before == count
    part = IPv6(src="2600::2", dst="2600::9") / IPv6ExtHdrFragment(offset=9, nh=17) / bytes(64)
    other = Talk(policy({}, {"server.address": ["2600::9"]}))
    other.give(bytes(part))
    assert other.forged() == []


def test_an_answer_to_a_server_goes_to_the_server(Talk: Any) -> None:
    talk = Talk(policy({}))
    talk.connection(port=443)
    assert [i.inward for _, _, d in talk.log for i in d.injections] == [True, False, True]
    assert forge.unreachable(forge.Ip(b"\1\1\1\1", b"\2\2\2\2"), 1, b"")[20] == 3
