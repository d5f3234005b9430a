"""What SSH clients begin with."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.outcome import Incomplete
from censor.dissect.ssh import LIMIT, Identification, NotSsh, dissect

LINE = b"SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"


def test_a_real_line(torture: Callable[..., None]) -> None:
    found = Identification("2.0", "OpenSSH_9.2p1", "Debian-2+deb12u3", len(LINE))
    assert dissect(LINE + b"\0\0\5") == found
    torture(dissect, LINE, len(LINE))


def test_old_lines_and_bare_ones() -> None:
    assert dissect(b"SSH-1.99-x\n") == Identification("1.99", "x", "", 11)
    assert dissect(b"SSH-2.0-\n") == Identification("2.0", "", "", 9)


def test_a_line_that_has_not_ended() -> None:
    assert dissect(b"SSH-2.0-Open") == Incomplete()
    assert dissect(b"SSH-2.0-Open", partial=True) == Identification("2.0", "Open", "", 12)


@pytest.mark.parametrize(
    "stream", [b"SSH2", b"GET / HTTP/1.1", b"SSH-\n", b"SSH-2.0\n", b"SSH-2.0-" + b"x" * LIMIT]
)
def test_others(stream: bytes) -> None:
    assert isinstance(dissect(stream), NotSsh)


@given(st.binary(max_size=300))
def test_arbitrary_bytes_are_answered(data: bytes) -> None:
    assert isinstance(dissect(data, partial=True), (Identification, Incomplete, NotSsh))
