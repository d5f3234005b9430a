"""A relay on loopback: allocated, bound to a peer, and talked through. Real ones: tests/live."""

from __future__ import annotations

import hashlib
import hmac
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from filterbed.probe import stun, turn
from filterbed.probe.stun import Attribute, Message, Method

KEY = hashlib.md5(b"alice:realm.net:wonderland").digest()
RELAYED = ("5.6.7.8", 50000)
PEER = ("9.9.9.9", 4000)


def signed(data: bytes) -> bool:
    """Whether a message ends with alice's integrity."""
    body, mac = data[:-24], data[-20:]
    return hmac.digest(KEY, body, hashlib.sha1) == mac


@contextmanager
def server(*, knows: bool = True) -> Iterator[tuple[turn.Server, list[bytes]]]:
    """Challenge, allocate, bind, and send back ChannelData; or know nobody."""
    said: list[bytes] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while (got := sock.recvfrom(2048))[0] != b"stop":
                data, peer = got
                said.append(data)
                sock.sendto(answer(data, knows), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield turn.Server("127.0.0.1", sock.getsockname()[1], "alice", "wonderland"), said
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ender:
                ender.sendto(b"stop", sock.getsockname())
            thread.join()


def answer(data: bytes, knows: bool) -> bytes:
    asked = stun.read(data)
    if asked is None:
        return data
    more: dict[int, bytes] = {}
    kind = 2
    if not (knows and signed(data)):
        kind = 3
        more = {Attribute.ERROR_CODE: b"\0\0\4\1", Attribute.REALM: b"realm.net"}
        more[Attribute.NONCE] = b"once"
    elif asked.method == Method.ALLOCATE:
        more = {Attribute.XOR_RELAYED_ADDRESS: stun.write_address(RELAYED, asked.transaction)}
    return stun.write(Message(asked.method, kind, asked.transaction, more))


def test_a_relay_from_beginning_to_end() -> None:
    with server() as (there, said):
        relay = turn.Relay(there, timeout=1.0)
        row = relay.allocate()
        assert (row["outcome"], row["relayed"]) == ("ok", "5.6.7.8:50000")
        assert relay.reach(PEER)
        relay.sendto(b"hello", PEER)
        relay.sock.setblocking(True)
        data, _, _, sender = relay.recvmsg(2048, 256)
        assert (data, sender) == (b"hello", PEER)
        relay.close()
    bound = stun.read(said[2])
    assert bound is not None
    assert bound.address(Attribute.XOR_PEER_ADDRESS) == PEER
    ended = stun.read(said[4])
    assert ended is not None
    assert (ended.method, ended.attributes[Attribute.LIFETIME]) == (Method.REFRESH, bytes(4))


def test_who_is_not_known_is_told_so() -> None:
    with server(knows=False) as (there, said):
        relay = turn.Relay(there, timeout=1.0)
        row = relay.allocate()
        relay.close()
    assert (row["outcome"], row["code"], row["relayed"]) == ("rejected", 401, None)
    assert len(said) == 2  # asked, and asked with credentials; nothing is given back


def test_nobody_there(closed_port: int) -> None:
    relay = turn.Relay(turn.Server("127.0.0.1", closed_port, "a", "b"), timeout=0.3)
    assert relay.allocate()["outcome"] == "refused"
    relay.close()


@pytest.mark.parametrize(
    ("data", "payload"),
    [
        (struct.pack("!HH", 0x4000, 3) + b"abcd", b"abc"),
        (stun.write(Message(Method.DATA, 1, bytes(12), {Attribute.DATA: b"abc"})), b"abc"),
        (stun.write(Message(Method.DATA, 2, bytes(12), {Attribute.DATA: b"abc"})), b""),
        (b"\x40", b""),
        (b"", b""),
        (b"\x80\0\0\0", b""),
    ],
)
def test_what_a_relay_passed_on(data: bytes, payload: bytes) -> None:
    assert turn.unwrap(data) == payload
