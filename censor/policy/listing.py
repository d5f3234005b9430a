"""Read lists of names, patterns and prefixes from files: one entry a line.

Blank lines, and what follows "# " or stands behind a "#" that begins a line, are left out.
`inet_pton` only turns text into bytes; no socket is opened here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import AF_INET, AF_INET6, inet_pton
from typing import Final
from weakref import WeakValueDictionary

#: The longest list read, in bytes. A million names have about 20,000,000.
LIMIT: Final = 256 << 20

_COMMENT = re.compile(r"(?m)(?:^|[ \t])#.*$")


class ListError(ValueError):
    """A list that cannot be used: which file, which line, and why."""


#: Sets of names that a policy holds, by file, its last change, its size, and whether in lower case:
#: several rules that name one list share it.
_HELD: Final[WeakValueDictionary[tuple[str, int, int, bool], frozenset[str]]] = (
    WeakValueDictionary()
)


#: What each `kept` under way keeps; the outermost has all.
_KEPT: Final[list[list[frozenset[str]]]] = []


@contextmanager
def kept() -> Iterator[None]:
    """Keep every set of names that is read meanwhile, so that who checks a policy reads its lists
    for who compiles it."""
    _KEPT.append([])
    try:
        yield
    finally:
        _KEPT.pop()


def names(path: str, *, lower: bool) -> frozenset[str]:
    """Return the entries of a file as names, without a final dot; the same set while it is in use.

    Raises: ListError.
    """
    try:
        found = Path(path).stat()
    except OSError as fault:
        raise ListError(f"{path}: {fault.strerror}") from fault
    key = (path, found.st_mtime_ns, found.st_size, lower)
    held = _HELD.get(key)
    if held is None:
        held = _HELD[key] = frozenset(word.strip(".") for word in read(path, lower=lower))
    if _KEPT:
        _KEPT[0].append(held)
    return held


def read(path: str, *, lower: bool = False) -> list[str]:
    """Return the entries of a file, without white space around them; in lower case if so asked.

    Raises: ListError.
    """
    try:
        if Path(path).stat().st_size > LIMIT:
            raise ListError(f"{path}: more than {LIMIT} bytes")
        text = Path(path).read_text("utf-8")
    except OSError as fault:
        raise ListError(f"{path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise ListError(f"{path}: {fault}, expected UTF-8") from fault
    if "#" in text:
        text = _COMMENT.sub("", text)
    if lower:
        text = text.lower()
    return [entry for line in text.split("\n") if (entry := line.strip())]


def prefixes(path: str) -> Iterator[tuple[bytes, int]]:
    """Return the prefixes of a file, as (raw address, length in bits).

    Raises: ListError for a line that is none, or has bits behind its prefix.
    """
    for line in read(path):
        try:
            yield prefix(line)
        except ValueError as fault:
            raise ListError(f"{path}: {line!r} is no address or prefix: {fault}") from fault


def prefix(text: str) -> tuple[bytes, int]:
    """Read "address" or "address/bits", a quarter of the time `ipaddress` takes.

    Raises: ValueError.
    """
    address, slash, length = text.partition("/")
    try:
        raw = inet_pton(AF_INET6 if ":" in address else AF_INET, address)
    except OSError:
        raise ValueError("the address cannot be read") from None
    size = 8 * len(raw)
    if not slash:
        return raw, size
    if not (length.isascii() and length.isdigit() and int(length) <= size):
        raise ValueError(f"a length from 0 to {size} must follow the slash")
    bits = int(length)
    if int.from_bytes(raw, "big") & ((1 << size - bits) - 1):
        raise ValueError("it has host bits set")
    return raw, bits
