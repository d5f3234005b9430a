"""What every dissector must bear."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from censor.dissect.outcome import Foreign, Incomplete

Dissect = Callable[[bytes], object]
Same = Callable[[object, object], bool]
Torture = Callable[..., None]


@pytest.fixture(scope="session")
def torture() -> Torture:
    """Feed a dissector a valid sample in every prefix, byte by byte, cut, and changed.

    `end`: how many bytes of the sample the message needs; fewer must be `Incomplete`.
    `same`: says whether two results show the same message; equality unless given.
    """

    def feed(dissect: Dissect, sample: bytes, end: int, same: Same | None = None) -> None:
        full = dissect(sample)
        assert full is not None
        assert not isinstance(full, (Incomplete, Foreign)), full
        stream = bytearray()
        for size in range(len(sample) + 1):
            assert stream == sample[:size]
            found = dissect(sample[:size])
            assert dissect(bytes(stream)) == found
            if size < end:
                assert isinstance(found, Incomplete), (size, found)
                assert 1 <= found.need <= end - size
            else:
                assert same(found, full) if same else found == full
            for junk in (b"\0", b"\xff" * 40, b"\r\n\r\n", b"A: b\r\n\r\n", sample):
                dissect(sample[:size] + junk)
            stream += sample[size : size + 1]
        for place in range(end):
            for byte in (0, 0x0A, 0x20, 0x3A, 0x41, 0x80, 0xC0, 0xFF):
                dissect(sample[:place] + bytes((byte,)) + sample[place + 1 :])

    return feed
