"""STUN messages, and how servers see a socket."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filterbed.probe import stun
from filterbed.probe.stun import Attribute, Message, Method

#: RFC 5769 section 2.2: a response that says 192.0.2.1, port 32853; and 2.3, over IPv6.
SAMPLE = bytes.fromhex(
    "0101003c2112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000080001a147e112a643000800142b91f599fd9e90c38c7489f92af9ba53f06be7d7"
    "80280004c07d4c96"
)
SAMPLE6 = bytes.fromhex(
    "010100482112a442b7e7a701bc34d686fa87dfae8022000b7465737420766563746f7220"
    "002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d900080014a382954e4be67bf1"
    "1784c97c8292c275bfe3ed4180280004c8fb0b4c"
)


def test_the_rfcs_samples() -> None:
    for data, address in ((SAMPLE, "192.0.2.1"), (SAMPLE6, "2001:db8:1234:5678:11:2233:4455:6677")):
        message = stun.read(data)
        assert message is not None
        assert (message.method, message.kind) == (Method.BINDING, 2)
        assert message.address(Attribute.XOR_MAPPED_ADDRESS) == (address, 32853)


def test_whatever_is_cut_is_no_message() -> None:
    assert not any(stun.read(SAMPLE[:end]) for end in range(len(SAMPLE)))
    assert stun.read(SAMPLE + b"junk") is not None


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    stun.read(data)
    stun.read(SAMPLE[:2] + len(data).to_bytes(2, "big") + SAMPLE[4:20] + data)


@given(st.sampled_from(Method), st.integers(0, 3), st.binary(max_size=9), st.binary(min_size=12))
def test_what_is_written_is_read(method: Method, kind: int, value: bytes, seed: bytes) -> None:
    message = Message(method, kind, seed[:12], {Attribute.NONCE: value})
    assert stun.read(stun.write(message)) == message
    signed = stun.read(stun.write(message, b"key"))
    assert signed is not None
    assert len(signed.attributes[Attribute.MESSAGE_INTEGRITY]) == 20


def test_an_error_has_its_code() -> None:
    assert Message(1, 3, bytes(12), {Attribute.ERROR_CODE: b"\0\0\4\1Unauthorized"}).code == 401
    assert Message(1, 3, bytes(12)).code is None


Seen = Callable[[tuple[str, int]], tuple[str, int]]


@contextmanager
def server(seen: Seen | None) -> Iterator[tuple[str, int]]:
    """Answer Binding requests with what `seen` makes of the asker; None: listen and say nothing."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        address = sock.getsockname()

        def serve() -> None:
            while (got := sock.recvfrom(2048))[0] != b"stop":
                asked = stun.read(got[0])
                if asked and seen:
                    value = stun.write_address(seen(got[1]), asked.transaction)
                    mapped: dict[int, bytes] = {Attribute.XOR_MAPPED_ADDRESS: value}
                    sock.sendto(stun.write(Message(1, 2, asked.transaction, mapped)), got[1])

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield address
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
                ender.sendto(b"stop", address)
            thread.join()


@pytest.mark.parametrize(
    ("servers", "mapped", "mapping"),
    [
        ([lambda peer: peer], 1, None),
        ([lambda peer: peer, lambda peer: peer], 2, "independent"),
        ([lambda _: ("1.2.3.4", 5), lambda _: ("1.2.3.4", 6)], 2, "dependent"),
        ([None, lambda peer: peer], 1, None),
    ],
)
def test_how_servers_see_a_socket(
    servers: list[Seen | None], mapped: int, mapping: str | None
) -> None:
    with ExitStack() as stack, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        asked = [stack.enter_context(server(seen)) for seen in servers]
        row = stun.bind(sock, asked, timeout=1.0)
    assert (row["outcome"], len(row["mapped"]), row["mapping"]) == ("ok", mapped, mapping)


def test_nobody_answers() -> None:
    with server(None) as silent, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        row = stun.bind(sock, [silent], timeout=0.1)
    assert (row["outcome"], row["mapped"]) == ("timeout", [])
