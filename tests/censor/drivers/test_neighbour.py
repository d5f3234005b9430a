"""Who is next on the way is asked for, on the link where the kernel does not know.

Against the real kernel: tests/live/test_censor_queue.py.
"""

from __future__ import annotations

import socket
from struct import pack, unpack_from

import pytest

from censor.drivers import neighbour
from censor.drivers.netlink import attribute, message, messages

SERVER, GATEWAY, HARDWARE = bytes((93, 184, 216, 34)), bytes((24, 48, 1, 2)), b"\2\0\0\0\0\7"
INCOMPLETE, REACHABLE = 1, 2
ROUTE, ROUTES, USED, ASKED = 26, 24, 28, 30


def known(state: int, *, interface: int = 5, address: bytes = GATEWAY, **more: bytes) -> bytes:
    body = pack("=BxHiHBB", 2, 0, interface, state, 0, 0) + attribute(1, address)
    return message(28, 0, body + b"".join(attribute(2, value) for value in more.values()))


class Kernel:
    """Knows a way, or not; says about neighbours what it is told to, then nothing."""

    def __init__(self, *said: bytes, gateway: bytes | None = GATEWAY, way: bool = True) -> None:
        self._said = list(said)
        self._way = way
        self._route = bytes(12) + (attribute(5, gateway) if gateway else b"")
        self.asked: list[tuple[int, bytes]] = []

    def __enter__(self) -> Kernel:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def bind(self, address: tuple[int, int]) -> None:
        assert address == (0, 4)  # RTMGRP_NEIGH

    def settimeout(self, seconds: float) -> None:
        assert seconds == neighbour.PATIENCE

    def send(self, data: bytes) -> None:
        ((kind, _, body),) = messages(data)
        self.asked.append((kind, body))

    def recv(self, size: int) -> bytes:
        if [kind for kind, _ in self.asked] == [ROUTE]:
            answer = message(ROUTES, 0, self._route)
            # Others' news first, which says nothing of the way.
            return known(INCOMPLETE) + (answer if self._way else message(2, 0, pack("=i", -101)))
        if not self._said:
            raise TimeoutError
        return self._said.pop(0)


@pytest.fixture
def ask(monkeypatch: pytest.MonkeyPatch) -> object:
    def found(kernel: Kernel) -> bytes | None:
        monkeypatch.setattr(socket, "socket", lambda *_: kernel)
        return neighbour.find(5, SERVER)

    return found


def test_the_gateways_address_is_awaited(ask: object) -> None:
    kernel = Kernel(
        message(2, 0, pack("=i", -2)),  # it knows nobody yet
        known(INCOMPLETE),
        known(REACHABLE, interface=6, hardware=b"\2other"),
        known(REACHABLE, address=SERVER, hardware=b"\2other"),
        known(REACHABLE, hardware=HARDWARE),
    )
    assert ask(kernel) == HARDWARE  # type: ignore[operator]
    assert [kind for kind, _ in kernel.asked] == [ROUTE, USED, ASKED]
    for (_, body), flags in zip(kernel.asked[1:], (1, 0), strict=True):
        assert unpack_from("=BxHiHBB", body) == (socket.AF_INET, 0, 5, 0, flags, 0)
        assert body[12:] == attribute(1, GATEWAY)


def test_who_is_on_the_link_is_asked_for_itself(ask: object) -> None:
    kernel = Kernel(known(REACHABLE, address=SERVER, hardware=HARDWARE), gateway=None)
    assert ask(kernel) == HARDWARE  # type: ignore[operator]


@pytest.mark.parametrize("kernel", [Kernel(known(INCOMPLETE)), Kernel(way=False)])
def test_nobody_is_an_answer(ask: object, kernel: Kernel) -> None:
    assert ask(kernel) is None  # type: ignore[operator]
