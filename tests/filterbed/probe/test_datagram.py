"""What the kernel tells of a datagram."""

from __future__ import annotations

import select
import socket
import time

import pytest

from filterbed.probe.datagram import prepare, receive


@pytest.mark.parametrize(
    ("kind", "address", "option"),
    [
        (socket.AF_INET, "127.0.0.1", (socket.IPPROTO_IP, socket.IP_TTL)),
        (socket.AF_INET6, "::1", (socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS)),
    ],
)
def test_time_sender_and_ttl(
    kind: socket.AddressFamily, address: str, option: tuple[int, int]
) -> None:
    with socket.socket(kind, socket.SOCK_DGRAM) as one, socket.socket(kind, 2) as other:
        try:
            one.bind((address, 0))
        except OSError:
            pytest.skip(f"this machine has no {address}: its kernel lacks that version of IP")
        prepare(one)
        assert receive(one) is None
        other.setsockopt(*option, 33)
        before = time.time()
        other.sendto(b"hello", one.getsockname())
        select.select([one], [], [], 5)
        got = receive(one)
        assert got is not None
        assert (got.data, got.address, got.ttl) == (b"hello", address, 33)
        assert got.port == other.getsockname()[1]
        assert before - 0.01 <= got.at <= time.time() + 0.01
        assert receive(one) is None


def test_icmp_error_shows_once_and_leaves_nothing_behind(closed_port: int) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        prepare(sock)
        sock.sendto(b"x", ("127.0.0.1", closed_port))
        select.select([sock], [], [], 5)
        with pytest.raises(ConnectionRefusedError):
            receive(sock)
        assert receive(sock) is None
        assert select.select([sock], [], [], 0)[0] == []
