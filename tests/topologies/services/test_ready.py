"""What counts as an answer, asked of small servers on loopback."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import pytest

from topologies.errors import MachineError
from topologies.services import ready
from topologies.services.program import Ready


@contextmanager
def answering(reply: Callable[[bytes], bytes | None]) -> Iterator[int]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                data, peer = sock.recvfrom(65535)
                if data == b"stop":
                    return
                answer = reply(data)
                if answer is not None:
                    sock.sendto(answer, peer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = sock.getsockname()[1]
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
                ender.sendto(b"stop", ("127.0.0.1", port))
            thread.join()


def dns_reply(code: dns.rcode.Rcode) -> Callable[[bytes], bytes]:
    def reply(data: bytes) -> bytes:
        answer = dns.message.make_response(dns.message.from_wire(data))
        answer.set_rcode(code)
        return answer.to_wire()

    return reply


def ask(question: Ready, seconds: float = 0.0) -> dict[str, str]:
    original, ready.enter = ready.enter, lambda namespace: None
    try:
        until = time.monotonic() + seconds
        waiting = [ready.Waiting("it", (question,))]
        return ready.wait("here", waiting, until=until, given_up=lambda _: False)
    finally:
        ready.enter = original


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (dns.rcode.NOERROR, ""),
        (dns.rcode.NXDOMAIN, ""),
        (dns.rcode.SERVFAIL, "answers SERVFAIL"),
        (dns.rcode.REFUSED, "answers REFUSED"),
    ],
)
def test_a_dns_server_is_ready_when_it_knows(code: dns.rcode.Rcode, said: str) -> None:
    with answering(dns_reply(code)) as port:
        found = ask(Ready("dns", "127.0.0.1", port))
    assert found.get("it", "").endswith(said)
    assert bool(found) == bool(said)


def test_any_datagram_will_do_where_one_is_asked_for() -> None:
    with answering(lambda data: data) as port:
        assert ask(Ready("udp", "127.0.0.1", port, "\x12\x34\xff")) == {}
    with answering(lambda _: None) as port:
        assert "silent for" in ask(Ready("udp", "127.0.0.1", port, "x"))["it"]


def test_any_sip_response_will_do() -> None:
    with answering(lambda _: b"SIP/2.0 404 Not Found\r\n\r\n") as port:
        assert ask(Ready("sip", "127.0.0.1", port, "example.net")) == {}


def test_a_stun_response_must_be_to_our_request() -> None:
    with answering(lambda data: b"\1\1" + data[2:]) as port:
        assert ask(Ready("stun", "127.0.0.1", port)) == {}
    with answering(lambda data: b"\1\1\0\0" + bytes(16)) as port:
        assert "not a STUN response" in ask(Ready("stun", "127.0.0.1", port))["it"]


@pytest.mark.parametrize("how", ["dns", "sip", "stun"])
def test_junk_is_no_answer(how: str) -> None:
    with answering(lambda _: b"\xff\x00junk") as port:
        assert "not a" in ask(Ready(how, "127.0.0.1", port))["it"]  # type: ignore[arg-type]


def test_silence_is_no_answer() -> None:
    with answering(lambda _: None) as port:
        assert "silent for" in ask(Ready("sip", "127.0.0.1", port))["it"]


def test_it_asks_again_until_there_is_an_answer() -> None:
    asked = []

    def reply(data: bytes) -> bytes | None:
        asked.append(data)
        return b"SIP/2.0 200 OK\r\n\r\n" if len(asked) > 2 else b"not yet"

    with answering(reply) as port:
        assert ask(Ready("sip", "127.0.0.1", port), 5) == {}
    assert len(asked) == 3


def test_a_namespace_that_cannot_be_joined_is_an_error() -> None:
    with pytest.raises(MachineError, match="setns"):
        ready.enter("/dev/null")
