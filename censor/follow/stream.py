"""Put the bytes of one direction of a TCP connection back in order, within bounds."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from functools import cache
from operator import itemgetter
from typing import Final, Literal

#: Which copy of a byte counts when two segments disagree about it.
Overlap = Literal["first", "last"]

#: How much of a direction is kept, in bytes. A request's head or a ClientHello fits well.
LIMIT: Final = 16_384

#: How many islands of bytes ahead of a gap are remembered.
ISLANDS: Final = 64

_start = itemgetter(0)
_stop = itemgetter(1)
_SPACE: Final = 1 << 32
_HALF: Final = 1 << 31


class _Beyond:
    """What is known of a stream behind its first gap, which most never have.

    ahead: bytes at their place in the stream. islands: where they are: sorted, apart, not
    touching. end: where the FIN is.
    """

    __slots__ = ("ahead", "end", "islands")

    def __init__(self) -> None:
        self.ahead = bytearray()
        self.islands: list[tuple[int, int]] = []
        self.end: int | None = None


@cache
def _alike(limit: int, overlap: Overlap, reassemble: bool) -> tuple[int, Overlap, bool]:
    """Return how streams are kept, as one object for all that are kept alike."""
    return limit, overlap, reassemble


class Stream:
    """The first `limit` bytes of one direction, as far as they arrived without a gap.

    data: the contiguous prefix. base: sequence number of its first byte, None until known.
    overflowed: nothing more will be added: the limit was reached, or more than `ISLANDS` separate
        pieces lay ahead of a gap.
    wanted: how long `data` must be before its readers find more in it than the last time; theirs
        to set, and nothing once bytes they have read are changed.

    Without `reassemble` nothing is put together: `data` is each segment's payload by itself.

    Limits: a stream picked up without its SYN begins at the first payload seen; what lies before
        that is ignored, and so is what lies beyond the limit.
    Source: RFC 9293 section 3.4 (sequence numbers wrap at 2^32); RFC 6528. Which copy wins differs
        by host and censor: Ptacek and Newsham, "Insertion, Evasion, and Denial of Service", 1998.
    """

    __slots__ = ("_beyond", "_kept", "base", "data", "overflowed", "wanted")

    def __init__(
        self,
        limit: int = LIMIT,
        overlap: Overlap = "first",
        reassemble: bool = True,
        *,
        base: int | None = None,
    ) -> None:
        self._kept = _alike(limit, overlap, reassemble)
        self.base = base
        #: A first segment is kept as it came: most streams need no second one.
        self.data: bytes | bytearray = b""
        self.overflowed = False
        self.wanted = 0
        self._beyond: _Beyond | None = None

    @property
    def reassemble(self) -> bool:
        """Whether segments are put together."""
        return self._kept[2]

    @property
    def finished(self) -> bool:
        """Say whether the FIN was seen and every byte before it is in `data`."""
        end = self.length
        return end is not None and len(self.data) >= end

    @property
    def length(self) -> int | None:
        """Return how many bytes come before the FIN; None before it was seen."""
        return None if self._beyond is None else self._beyond.end

    @property
    def size(self) -> int:
        """Return how many bytes of memory it keeps, those beyond a gap included."""
        return len(self.data) + (0 if self._beyond is None else len(self._beyond.ahead))

    @property
    def pending(self) -> int:
        """Return how many bytes wait beyond a gap."""
        islands = [] if self._beyond is None else self._beyond.islands
        return sum(stop - start for start, stop in islands)

    def feed(self, seq: int, payload: bytes, syn: bool = False, fin: bool = False) -> bytes | None:
        """Take one segment.

        Returns: the bytes it added to `data`; b"" where it only changed bytes that were there
            (overlap "last"); None where `data` is as before.
        """
        if syn:
            seq = (seq + 1) % _SPACE
        if self.base is None:
            if not (payload or syn or fin):
                return None
            self.base = seq
        limit, _, reassemble = self._kept
        if not reassemble:
            return self._replace(payload)
        offset = (seq - self.base) % _SPACE
        if offset >= _HALF:
            offset -= _SPACE
        if fin and self.length is None and offset + len(payload) >= 0:
            self._past().end = offset + len(payload)
        if not payload:
            return None
        data = self.data
        if (
            offset == len(data)
            and offset + len(payload) < limit
            and not (self._beyond and self._beyond.islands)
            and not self.overflowed
        ):
            if data:
                self._own().extend(payload)
            else:
                self.data = payload
            return payload
        return self._place(offset, payload)

    def _replace(self, payload: bytes) -> bytes | None:
        if not payload:
            return None
        self.data = payload[: self._kept[0]]
        return self.data

    def _own(self) -> bytearray:
        """Return `data` as what can be changed."""
        data = self.data
        if not isinstance(data, bytearray):
            data = self.data = bytearray(data)
        return data

    def _past(self) -> _Beyond:
        """Return what is known behind the gap, as what can be changed."""
        if self._beyond is None:
            self._beyond = _Beyond()
        return self._beyond

    def _place(self, offset: int, payload: bytes) -> bytes | None:
        """Put a segment that is not simply the next one where it belongs."""
        limit, overlap, _ = self._kept
        here = len(self.data)
        start = max(offset, 0)
        stop = min(offset + len(payload), limit)
        rewritten = False
        if start < here and start < stop and overlap == "last":
            rewritten = self._rewrite(start, payload[start - offset : min(stop, here) - offset])
        start = max(start, here)
        if start < stop and not self.overflowed:
            piece = payload[start - offset : stop - offset]
            if start == here and not (self._beyond and self._beyond.islands):
                self._own().extend(piece)
            else:
                self._store(self._past(), start, stop, piece)
            if len(self.data) >= limit:
                self._give_up()
        if len(self.data) > here:
            return bytes(self.data[here:])
        return b"" if rewritten else None

    def _rewrite(self, start: int, piece: bytes) -> bool:
        stop = start + len(piece)
        if self.data[start:stop] == piece:
            return False
        self._own()[start:stop] = piece
        self.wanted = 0
        return True

    def _store(self, beyond: _Beyond, start: int, stop: int, piece: bytes) -> None:
        """Remember bytes beyond a gap, and join the islands they touch."""
        ahead, islands = beyond.ahead, beyond.islands
        if len(ahead) < stop:
            ahead += bytes(stop - len(ahead))
        first = bisect_left(islands, start, key=_stop)
        last = bisect_right(islands, stop, key=_start)
        touched = islands[first:last]
        earlier = []
        if self._kept[1] == "first":
            for low, high in touched:
                low, high = max(low, start), min(high, stop)
                earlier.append((low, high, ahead[low:high]))
        ahead[start:stop] = piece
        for low, high, old in earlier:
            ahead[low:high] = old
        if touched:
            start = min(start, touched[0][0])
            stop = max(stop, touched[-1][1])
        islands[first:last] = [(start, stop)]
        self._advance(ahead, islands)

    def _advance(self, ahead: bytearray, islands: list[tuple[int, int]]) -> None:
        """Move the first island into `data` if it has been reached; bound how many are left."""
        if islands[0][0] <= len(self.data):
            _, stop = islands.pop(0)
            self._own().extend(ahead[len(self.data) : stop])
        if len(islands) > ISLANDS:
            self._give_up()

    def _give_up(self) -> None:
        """Add nothing more, and forget what lies beyond a gap but not where the FIN is."""
        self.overflowed = True
        if self._beyond is not None:
            end, self._beyond = self._beyond.end, None
            if end is not None:
                self._past().end = end
