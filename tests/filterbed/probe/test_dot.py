"""One question over a channel that TLS has made: framed, inside HTTPS, and when it breaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import dns.message
import dns.rrset
import pytest

from filterbed.probe import doh, dot
from filterbed.probe.stream import BrokenError

Said = bytes | BaseException


class Channel:
    """A channel that answers what was sent, in pieces of some bytes."""

    def __init__(self, reply: Callable[[bytes], list[Said]]) -> None:
        self.reply, self.sent, self.held = reply, b"", list[Said]()

    def send(self, data: bytes) -> None:
        first = not self.sent
        self.sent += data
        if first:
            self.held = self.reply(data)

    def receive(self) -> bytes:
        said = self.held.pop(0) if self.held else BrokenError("fin")
        if isinstance(said, BaseException):
            raise said
        return said


def answered(query: bytes) -> bytes:
    message = dns.message.make_response(dns.message.from_wire(query))
    message.answer = [dns.rrset.from_text("a.net.", 0, "IN", "A", "192.0.2.1")]
    return message.to_wire()


def framed(sent: bytes) -> list[Said]:
    wire = answered(sent[2:])
    data = len(wire).to_bytes(2, "big") + wire
    return [data[:1], data[1:9], data[9:]]


def within(sent: bytes, status: bytes = b"\x88") -> list[Said]:
    import base64

    asked = sent.partition(b"?dns=")[2].split(b"\x0f")[0]
    wire = answered(base64.urlsafe_b64decode(asked + b"=" * (-len(asked) % 4)))
    head = doh.frame(doh.HEADERS, doh.END_HEADERS, 1, status)
    return [head, doh.frame(doh.DATA, doh.END_STREAM, 1, wire)]


def ask(via: dot.Via, reply: Callable[[bytes], list[Said]]) -> dict[str, Any]:
    channel: Any = Channel(reply)
    return dot.ask(channel, via, "dns.quad9.net", "a.net", "A")


@pytest.mark.parametrize(("via", "reply"), [("dot", framed), ("doh", within)])
def test_an_answer(via: dot.Via, reply: Callable[[bytes], list[Said]]) -> None:
    row = ask(via, reply)
    assert (row["rcode"], row["addresses"]) == ("NOERROR", ["192.0.2.1"])
    assert (row["name"], row["server"], len(row["answers"])) == ("a.net", "dns.quad9.net", 1)


@pytest.mark.parametrize(
    ("via", "said", "rcode"),
    [
        ("dot", [BrokenError("reset")], "reset"),
        ("dot", [b"\0", BrokenError("timeout")], "timeout"),
        ("dot", [TimeoutError()], "timeout"),
        ("dot", [], "fin"),
        ("dot", [b"\0\4junk"], "invalid"),
        ("doh", [doh.frame(doh.RST_STREAM, 0, 1, bytes(4))], "reset"),
        ("doh", [doh.frame(doh.HEADERS, doh.END_STREAM, 1, b"\x8d")], "invalid"),
        ("doh", [b"HTTP/1.1 400 Bad Request\r\n\r\n"], "fin"),
    ],
)
def test_no_answer(via: dot.Via, said: list[Said], rcode: str) -> None:
    row = ask(via, lambda _: said)
    assert (row["rcode"], row["addresses"]) == (rcode, [])


def test_a_refusal_is_not_read_though_it_holds_an_answer() -> None:
    assert ask("doh", lambda sent: within(sent, b"\x8c"))["rcode"] == "invalid"
