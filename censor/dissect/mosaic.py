"""Put together a message whose pieces name their own offsets and come in any order."""

from __future__ import annotations

from typing import Final, Literal

#: How much of a message is kept, in bytes. ClientHellos with post-quantum keys have about 2,000.
LIMIT: Final = 16_384


class Mosaic:
    """The first `limit` bytes of a message, as far as they arrived.

    overlap: which copy of a byte counts when two pieces disagree about it.
    overflowed: a piece reached beyond the limit; what lay beyond it is not kept.

    Limits: costs at most 2 bytes of memory a byte of the message, gaps included.
    Source: RFC 9000 section 19.6 (CRYPTO frames), RFC 6347 section 4.2.3 (fragments of DTLS).
    """

    __slots__ = ("_data", "_have", "_prefix", "limit", "overflowed", "overlap")

    def __init__(self, limit: int = LIMIT, overlap: Literal["first", "last"] = "first") -> None:
        self.limit = limit
        self.overlap = overlap
        self.overflowed = False
        self._data = bytearray()
        self._have = bytearray()  # 1 where a byte of `_data` arrived
        self._prefix = 0

    @property
    def size(self) -> int:
        """Return how many bytes of memory it keeps, gaps included."""
        return len(self._data) + len(self._have)

    @property
    def length(self) -> int:
        """Return how many bytes there are before the first gap."""
        return self._prefix

    @property
    def prefix(self) -> bytes:
        """Return a copy of the bytes before the first gap."""
        return bytes(self._data[: self._prefix])

    def place(self, offset: int, piece: bytes) -> None:
        """Put a piece where it belongs; `offset` is not negative."""
        stop = offset + len(piece)
        if stop > self.limit:
            self.overflowed = True
            stop = self.limit
        size = stop - offset
        if size <= 0:
            return
        data = self._data
        have = self._have
        if len(data) < stop:
            lacking = bytes(stop - len(data))
            data += lacking
            have += lacking
        earlier = have[offset:stop]
        fresh = piece[:size]
        if self.overlap == "first" and any(earlier):
            fresh = bytes(
                old if held else new
                for held, old, new in zip(earlier, data[offset:stop], fresh, strict=True)
            )
        data[offset:stop] = fresh
        have[offset:stop] = b"\1" * size
        if offset <= self._prefix < stop:
            gap = have.find(0, stop)
            self._prefix = len(have) if gap < 0 else gap
