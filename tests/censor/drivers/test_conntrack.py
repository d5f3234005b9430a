"""A kernel that cannot take marks off is found out at once; what it answers is read.

Against the real kernel: tests/live/test_censor_settle.py.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from struct import pack, unpack_from

import pytest

from censor.drivers.conntrack import Conntrack
from censor.errors import MachineError

EINVAL, ENOENT = 22, 2
SIX = bytes(range(0x20, 0x30))
ONE, OTHER = bytes((24, 48, 0, 2)), bytes((93, 184, 216, 34))


def attribute(kind: int, value: bytes) -> bytes:
    return pack("=HH", 4 + len(value), kind) + value + bytes(-len(value) & 3)


def connection(mark: int) -> bytes:
    ends = attribute(1, attribute(1, ONE) + attribute(2, OTHER))
    return bytes(4) + attribute(1, ends) + attribute(8, mark.to_bytes(4, "big"))


class Kernel:
    """Answers requests; `errors` by their order, else the connections it has."""

    def __init__(self, *errors: int, marks: tuple[int, ...] = ()) -> None:
        self._errors = list(errors)
        self._marks = marks
        self.last = b""
        self.asked: list[int] = []

    def bind(self, address: tuple[int, int]) -> None:
        pass

    def send(self, data: bytes) -> None:
        _, kind, _, self._number = unpack_from("=IHHI", data)
        self.last = data[20:]
        self.asked.append(kind & 0xFF)

    def recv(self, size: int) -> bytes:
        if self.asked[-1] == 0 or self._errors:
            code = self._errors.pop(0) if self._errors else 0
            return pack("=IHHIIi", 20, 2, 0, self._number, 0, -code)
        bodies = [connection(mark) for mark in self._marks]
        told = [pack("=IHHII", 16 + len(b), 0x100, 0, self._number, 0) + b for b in bodies]
        return b"".join(told) + pack("=IHHII", 16, 3, 0, self._number, 0)


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> object:
    def make(kernel: Kernel) -> Conntrack:
        monkeypatch.setattr(socket, "socket", lambda *_: kernel)
        return Conntrack()

    return make


def test_a_kernel_that_lists_connections_will_do(opened: object) -> None:
    kernel = Kernel(marks=(7,))
    opened(kernel)  # type: ignore[operator]
    assert kernel.asked == [1]


def test_one_that_does_not_is_refused_with_the_cure(opened: object) -> None:
    with pytest.raises(MachineError, match=r"error 22.*does not list.*--no-offload"):
        opened(Kernel(EINVAL))  # type: ignore[operator]


def test_marks_of_this_pair_are_taken_off(opened: object) -> None:
    kernel = Kernel(marks=(7, 8, 7))
    assert opened(kernel).unmark(OTHER, ONE, 7) == 2  # type: ignore[operator]
    assert kernel.asked == [1, 1, 0, 0]
    assert opened(Kernel(marks=(7,))).unmark(ONE, ONE, 7) == 0  # type: ignore[operator]


@pytest.mark.parametrize(("client", "server", "first"), [(ONE, OTHER, 1), (SIX, SIX[::-1], 3)])
def test_one_connection_is_named_by_its_ends(
    opened: object, client: bytes, server: bytes, first: int
) -> None:
    kernel = Kernel()
    conntrack = opened(kernel)  # type: ignore[operator]
    ends = {"client": str(ip_address(client)), "client_port": 5000}
    ends |= {"server": str(ip_address(server)), "server_port": 443}
    conntrack.release({"protocol": "tcp", **ends})
    addresses = attribute(first, client) + attribute(first + 1, server)
    ports = attribute(1, b"\6") + attribute(2, b"\x13\x88") + attribute(3, b"\1\xbb")
    nested = 0x8000
    original = attribute(nested | 1, addresses) + attribute(nested | 2, ports)
    assert kernel.last == attribute(nested | 1, original) + attribute(8, bytes(4))


def test_a_connection_that_is_gone_is_no_fault(opened: object) -> None:
    kernel = Kernel(0, ENOENT)
    flow = {"protocol": "udp", "client": "24.48.0.2", "client_port": 1, "server": "1.1.1.1"}
    opened(kernel).release({**flow, "server_port": 53})  # type: ignore[operator]
    assert kernel.asked == [1, 0]
