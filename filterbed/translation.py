"""Read what a gateway's kernel said of each translation, and find a flow's other face by it.

A client behind a gateway knows its sockets by its own address and port; the rest of the network
sees the gateway's. The kernel tells of each new flow both ways it is addressed. A transparent proxy
on a gateway ends its client's connections and begins others; its log says which became which.

Source: conntrack(8), `-E -e NEW -o timestamp`; `topologies.services.squid` for the proxy's log.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Final

from filterbed.header import PROTOCOLS, TCP, Flow, flow_key, raw

#: A flow as its client knows it -> as others see it, each way it ever was.
Translations = Mapping[Flow, tuple[Flow, ...]]

NONE: Final[Translations] = {}
_ENDS: Final = re.compile(r"src=(\S+) dst=(\S+) sport=([0-9]+) dport=([0-9]+)")
_PROTOCOL: Final = re.compile(r"\[NEW\] (\S+)")
#: conntrack's words when the kernel told more than it could hear.
DEAF: Final = "ENOBUFS"
#: Words of a proxy's log up to the last that is read here: the time, then four addresses and ports.
_PROXIED: Final = 9


def read(lines: Iterable[str]) -> Translations:
    """Read the kernel's record; lines about what is no translation of TCP or UDP say nothing.

    Raises: ValueError where the record has holes.
    """
    found: dict[Flow, list[Flow]] = defaultdict(list)
    for line in lines:
        if DEAF in line:
            raise ValueError(f"the kernel told of more translations than were heard: {line[:200]}")
        word, ends = _PROTOCOL.search(line), _ENDS.findall(line)
        if word is None or word[1] not in PROTOCOLS or len(ends) != 2:
            continue
        (client, server, port, there), (_, public, _, outer) = ends
        number, far = PROTOCOLS[word[1]], (raw(server), int(there))
        inner = flow_key(number, (raw(client), int(port)), far)
        seen = flow_key(number, (raw(public), int(outer)), far)
        if seen != inner and seen not in found[inner]:
            found[inner].append(seen)
    return {inner: tuple(seen) for inner, seen in found.items() if seen}


def proxied(lines: Iterable[str]) -> Translations:
    """Read a proxy's log; lines about what it answered by itself say nothing."""
    found: dict[Flow, list[Flow]] = defaultdict(list)
    for line in lines:
        words = line.split()
        if len(words) < _PROXIED or "-" in words[1:_PROXIED]:
            continue
        client, asked, ours, there = ((raw(words[n]), int(words[n + 1])) for n in (1, 3, 5, 7))
        found[flow_key(TCP, client, asked)].append(flow_key(TCP, ours, there))
    return {inner: tuple(dict.fromkeys(seen)) for inner, seen in found.items()}


def joined(parts: Iterable[Translations]) -> Translations:
    """Put several records together; no two have a flow of a client's in common."""
    return {inner: seen for part in parts for inner, seen in part.items()}
