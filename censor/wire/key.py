"""Name a flow by its two ends, the same in both directions."""

from __future__ import annotations

from struct import Struct

#: A flow, packed: two addresses, the lower end's first, their ports (2 bytes each), the protocol.
#: A tuple of the five, with what is in it, would take five times the memory.
Key = bytes

_Ends = tuple[bytes, bytes, int, int, int]

_four = Struct("!4s4sHHB")
_six = Struct("!16s16sHHB")


def join(src: bytes, sport: int, dst: bytes, dport: int, protocol: int) -> Key:
    """Return the key of the flow between two ends, whichever comes first."""
    pack = _four.pack if len(src) == 4 else _six.pack
    if src < dst or (src == dst and sport <= dport):
        return pack(src, dst, sport, dport, protocol)
    return pack(dst, src, dport, sport, protocol)


def split(key: Key) -> _Ends:
    """Return the lower end's address, the other's, their ports in that order, the protocol."""
    found: _Ends = (_four if len(key) == _four.size else _six).unpack(key)
    return found
