"""The judge's reading of headers, with scapy as the second opinion."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP
from scapy.layers.inet6 import (
    ICMPv6TimeExceeded,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
)
from scapy.packet import Packet, Raw

from filterbed.header import dissect, flow_of_event, flow_text, quoted, raw, relayed, text

V4 = IP(src="1.2.3.4", dst="5.6.7.8", ttl=61, id=77)
V6 = IPv6(src="2001:db8::1", dst="2001:db8::2", hlim=61)


@pytest.mark.parametrize("ip", [V4, V6])
def test_tcp_and_udp(ip: Packet) -> None:
    tcp = bytes(ip / TCP(sport=4000, dport=80, options=[("MSS", 1400)]) / Raw(b"payload"))
    found = dissect(tcp)
    assert found is not None
    assert (found.protocol, found.sport, found.dport, found.ttl) == (6, 4000, 80, 61)
    assert tcp[found.payload : found.length] == b"payload"
    udp = bytes(ip / UDP(sport=5, dport=53) / Raw(b"payload")) + b"padding"
    found = dissect(udp)
    assert found is not None
    assert (found.protocol, found.sport, found.dport) == (17, 5, 53)
    assert udp[found.payload : found.length] == b"payload"


def test_extension_headers_are_walked() -> None:
    packet = (
        V6
        / IPv6ExtHdrHopByHop()
        / IPv6ExtHdrDestOpt()
        / IPv6ExtHdrFragment(id=9)
        / UDP(sport=1, dport=2)
    )
    found = dissect(bytes(packet))
    assert found is not None
    assert (found.protocol, found.sport, found.dport, found.ident) == (17, 1, 2, 9)


def test_later_fragments_have_no_ports() -> None:
    whole: Any = V4 / UDP(sport=1, dport=2) / Raw(b"x" * 3000)
    pieces = whole.fragment(fragsize=1400)
    headers = [dissect(bytes(piece)) for piece in pieces]
    assert [h and (h.fragment > 0, h.sport, h.ident) for h in headers] == [
        (False, 1, 77),
        (True, 0, 77),
        (True, 0, 77),
    ]


def test_errors_quote_what_they_are_about() -> None:
    about = bytes(V4 / UDP(sport=1, dport=2))
    error = bytes(IP(src="9.9.9.9", dst="1.2.3.4") / ICMP(type=3, code=1) / Raw(about))
    found = dissect(error)
    assert found is not None
    assert quoted(error, found) == about
    six = bytes(V6 / UDP(sport=1, dport=2))
    error = bytes(IPv6(src="2001:db8::9") / ICMPv6TimeExceeded() / Raw(six))
    found = dissect(error)
    assert found is not None
    assert quoted(error, found) == six
    ping = bytes(V4 / ICMP())
    found = dissect(ping)
    assert found is not None
    assert quoted(ping, found) is None


def test_both_directions_are_one_flow() -> None:
    one = dissect(bytes(V4 / TCP(sport=4000, dport=80)))
    back = dissect(bytes(IP(src="5.6.7.8", dst="1.2.3.4") / TCP(sport=80, dport=4000)))
    assert one is not None
    assert back is not None
    assert one.flow == back.flow
    assert flow_text(one.flow) == "tcp 1.2.3.4:4000 - 5.6.7.8:80"
    event = {"protocol": "tcp", "client": "1.2.3.4", "client_port": 4000}
    assert flow_of_event({**event, "server": "5.6.7.8", "server_port": 80}) == one.flow
    assert flow_of_event(event) is None
    assert flow_of_event(None) is None


def test_addresses() -> None:
    assert raw("::ffff:1.2.3.4") == raw("1.2.3.4") == b"\1\2\3\4"
    assert text(raw("2001:db8::1%eth0")) == "2001:db8::1"


@given(st.binary(max_size=80), st.sampled_from([b"", b"\x45", b"\x60", b"\x4f"]))
def test_any_bytes_are_read_or_not(data: bytes, start: bytes) -> None:
    packet = start + data
    found = dissect(packet)
    if found is not None:
        quoted(packet, found)
        flow_text(found.flow)


def test_flows_that_a_box_leads_itself_are_those_it_took_over_and_those_behind() -> None:
    flow = {"protocol": "tcp", "client": "1.2.3.4", "client_port": 4000}
    flow |= {"server": "5.6.7.8", "server_port": 443}
    onward = {**flow, "client_port": 4001}
    taken = {"event": "relayed", "flow": flow, "onward": onward}
    assert relayed([taken, {"event": "dropped", "flow": {**flow, "client_port": 4002}}]) == {
        flow_of_event(flow), flow_of_event(onward),
    }  # fmt: skip
    assert relayed([{"event": "relayed"}]) == frozenset()
