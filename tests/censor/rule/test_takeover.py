"""What is known of a connection when it is taken over, read from its handshake and its hello."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.packet import Raw

from censor.rule.takeover import Forgery, Greeting, Takeover, greeting, options, take_over
from censor.wire.packet import Packet, parse

OPTIONS = [("MSS", 1400), ("SAckOK", b""), ("Timestamp", (7, 9)), ("NOP", None), ("WScale", 7)]
FORGERY = Forgery("Qaznet Trust Network")


def packet(options: list[Any], *, six: bool = False, **fields: Any) -> Packet:
    ip = IPv6(src="2600::1", dst="2600::2") if six else IP(src="24.48.0.2", dst="9.9.9.9")
    said: dict[str, Any] = {"sport": 4000, "dport": 443, "seq": 101, "ack": 501, "flags": "PA"}
    said |= fields
    made = parse(bytes(ip / TCP(options=options, **said) / Raw(b"hello")))
    assert isinstance(made, Packet)
    return made


def hello(*, complete: bool = True) -> Any:
    return SimpleNamespace(complete=complete, server_name="blocked.example", alpn=("h2",))


def taken(theirs: Greeting, mine: Greeting, one: Packet) -> Takeover:
    found = take_over(one, {True: mine, False: theirs}, (101, b"hello"), hello(), FORGERY)
    assert isinstance(found, Takeover)
    return found


def test_a_greeting_is_what_a_syn_offers() -> None:
    assert greeting(packet(OPTIONS, flags="S")) == Greeting(1400, 7, True, True)
    assert greeting(packet([], flags="S")) == Greeting()
    assert greeting(packet([("WScale", 15)], flags="S")).scale == 14  # RFC 7323 section 2.3


@pytest.mark.parametrize("block", ["02", "0201", "0200", "0209ffff", "010101", "00020405b4"])
def test_broken_options_are_not_said(block: str) -> None:
    raw = bytes.fromhex(block)
    raw += bytes(-len(raw) % 4)
    data = bytearray(bytes(IP() / TCP(dataofs=5 + len(raw) // 4, options=[])) + raw)
    data[2:4] = len(data).to_bytes(2, "big")
    one = parse(bytes(data))
    assert isinstance(one, Packet)
    assert 2 not in options(one)
    assert greeting(one).size is None


def test_what_both_ends_said_is_agreed_on() -> None:
    full = Greeting(1400, 7, True, True)
    found = taken(full, replace(full, size=1300, scale=2), packet([("Timestamp", (70, 90))]))
    assert (found.size, found.scales, found.sack, found.echoed) == (1300, (2, 7), True, 90)
    assert (found.first, found.received, found.next) == (101, b"hello", 501)
    assert (found.name, found.protocols) == ("blocked.example", ("h2",))


def test_what_one_end_did_not_say_is_not() -> None:
    found = taken(Greeting(1400), Greeting(None, 7, True, True), packet([("Timestamp", (70, 90))]))
    assert (found.size, found.scales, found.sack, found.echoed) == (536, None, False, None)
    assert taken(Greeting(), Greeting(), packet([], six=True)).size == 1220


def test_a_connection_of_which_too_little_is_known_cannot_be_had() -> None:
    known = {True: Greeting(), False: Greeting()}
    half = take_over(packet([]), {True: Greeting()}, (101, b""), hello(), FORGERY)
    assert half == "the handshake was not seen in both directions"
    cut = take_over(packet([]), known, (101, b""), hello(complete=False), FORGERY)
    assert isinstance(cut, str)
    assert "whole" in cut
