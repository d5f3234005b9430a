"""A kernel that cannot take marks off is found out at once; what it answers is read.

Against the real kernel: tests/live/test_censor_queue.py.
"""

from __future__ import annotations

import socket
from struct import pack, unpack_from

import pytest

from censor.drivers.conntrack import Conntrack
from censor.errors import MachineError

EINVAL, ENOENT = 22, 2
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
        self.asked: list[int] = []

    def bind(self, address: tuple[int, int]) -> None:
        pass

    def send(self, data: bytes) -> None:
        _, kind, _, self._number = unpack_from("=IHHI", data)
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
    def make(kernel: Kernel, *, needed: bool = False) -> Conntrack:
        monkeypatch.setattr(socket, "socket", lambda *_: kernel)
        return Conntrack(needed=needed)

    return make


def test_a_kernel_that_lists_connections_will_do(opened: object) -> None:
    kernel = Kernel(marks=(7,))
    opened(kernel, needed=True)  # type: ignore[operator]
    assert kernel.asked == [1]


def test_one_that_does_not_is_refused_with_the_cure(opened: object) -> None:
    with pytest.raises(MachineError, match=r"error 22.*does not list.*--no-offload"):
        opened(Kernel(EINVAL), needed=True)  # type: ignore[operator]


def test_marks_of_this_pair_are_taken_off(opened: object) -> None:
    kernel = Kernel(marks=(7, 8, 7))
    assert opened(kernel).unmark(OTHER, ONE, 7) == 2  # type: ignore[operator]
    assert kernel.asked == [1, 0, 0]
    assert opened(Kernel(marks=(7,))).unmark(ONE, ONE, 7) == 0  # type: ignore[operator]
