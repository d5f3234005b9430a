"""Be a chat client that sends one message: an ordinary one, or one that filters what is typed.

TOM-Skype, the edition for China, fetched lists of words from its own server. A message with a word
of the first list was not shown to anybody and uploaded; one with a word of the second was uploaded
only. All of it happened in the client: the network did nothing.

Wire:    to the server, HTTP on port 80: GET /agent/skypever.php?md5=nofile and GET
         /agent/keyfile_u, by the agent Mozilla/3.0 (compatible; Indy Library). To the
         correspondent, TCP 33033: 8 bytes of chance, 2 with the length (big-endian), the message
         masked with the 8; back comes SEEN bytes of the SHA-256 of both.
Limits:  how messages travelled between clients is not documented, nor what an upload looks like: a
         line to the correspondent, masked so that nobody on the way reads it, and GET
         /agent/upload?text=HEX are ours. The lists were encrypted (XOR, later AES-256) and are
         not here; that the first answers the question for the version is ours, too. What is
         received is not filtered. A client that gets no list filters nothing.
Source:  facts cn-tom-skype-filter (Villeneuve 2006 and 2008; Knockel et al. 2011) and
         dpi-skype-tcp-len.
"""

from __future__ import annotations

import hashlib
import random
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from filterbed.probe import web
from filterbed.probe.address import endpoint
from filterbed.probe.skype import GREETING, PORT
from filterbed.probe.stream import BrokenError, Flow, Row, Stream, connect_all, elapsed

AGENT: Final = "Mozilla/3.0 (compatible; Indy Library)"
#: The list of what is kept back and uploaded, and of what is uploaded only.
KEPT_BACK: Final = "/agent/skypever.php?md5=nofile"
WATCHED: Final = "/agent/keyfile_u"
UPLOAD: Final = "/agent/upload?text="
SEEN: Final = 8
#: The longest message, in bytes of UTF-8.
LONGEST: Final = 500


def seal(greeting: bytes, text: str) -> bytes:
    """Write a message as it goes over the line: greeting, length, masked text."""
    data = text.encode()
    return greeting + len(data).to_bytes(2, "big") + mask(greeting, data)


def mask(greeting: bytes, data: bytes) -> bytes:
    """Mask, or unmask, with the greeting's bytes over and over."""
    return bytes(byte ^ greeting[at % len(greeting)] for at, byte in enumerate(data))


def receipt(greeting: bytes, data: bytes) -> bytes:
    """Say that this message, in clear, was read."""
    return hashlib.sha256(greeting + data).digest()[:SEEN]


def answer(data: bytes) -> bytes | None:
    """Be the correspondent: confirm a message once all of it is there."""
    begin = GREETING + 2
    if len(data) < begin:
        return None
    size = int.from_bytes(data[GREETING:begin], "big")
    greeting, sealed = data[:GREETING], data[begin : begin + size]
    return receipt(greeting, mask(greeting, sealed)) if len(sealed) == size else None


@dataclass(slots=True)
class Client:
    """One client in the making of one measurement. `timeout` is seconds for each step."""

    timeout: float
    flows: list[Flow] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)

    def send(self, peer: str, text: str) -> Row:
        """Send a message to a correspondent (ADDRESS or ADDRESS:PORT).

        Returns: `{address, port, outcome, after, seconds}`; `after` is connect or message; the
            outcome is ok once the correspondent confirmed what it read.
        """
        address, port = endpoint(peer, PORT)
        began = time.monotonic()
        ((sock, tcp),) = connect_all([address], port, timeout=self.timeout, flows=self.flows)
        row: Row = {"address": address, "port": port, "outcome": tcp["outcome"], "after": "connect"}
        if sock is not None:
            stream = Stream(sock, began + 2 * self.timeout)
            row |= {"outcome": self._tell(stream, text), "after": "message"}
        return row | {"seconds": elapsed(began)}

    def send_filtered(self, peer: str, text: str, host: str, addresses: Sequence[str]) -> Row:
        """Send a message unless a word of the list is in it; the lists are `host`'s.

        Returns: as `send`, the outcome `withheld` where nothing was sent; and `requests`, what the
            client asked of `host` besides: each `{path, address, outcome, status}`.
        """
        requests: list[Row] = []
        kept_back = self._words(host, addresses, KEPT_BACK, requests)
        watched = self._words(host, addresses, WATCHED, requests)
        withheld = contains(text, kept_back)
        if withheld or contains(text, watched):
            self._fetch(host, addresses, UPLOAD + text.encode().hex(), requests)
        row: Row
        if withheld:
            row = {"outcome": "withheld", "after": "typing", "seconds": 0.0}
        else:
            row = self.send(peer, text)
        return row | {"requests": requests}

    def _tell(self, stream: Stream, text: str) -> str:
        greeting = self.chance.randbytes(GREETING)
        expected = receipt(greeting, text.encode())
        heard = b""
        try:
            stream.send(seal(greeting, text))
            while len(heard) < SEEN:
                heard += stream.receive()
        except BrokenError as error:
            return error.outcome
        except TimeoutError:
            return "timeout"
        finally:
            stream.close()
        return "ok" if heard == expected else "foreign"

    def _words(
        self, host: str, addresses: Sequence[str], path: str, requests: list[Row]
    ) -> list[str]:
        body = self._fetch(host, addresses, path, requests)
        return [word for word in body.decode("utf-8", "replace").split("\n") if word]

    def _fetch(self, host: str, addresses: Sequence[str], path: str, requests: list[Row]) -> bytes:
        """Return what a page holds, empty where there is none, and note the request."""
        for address in addresses[:1]:
            ((sock, tcp),) = connect_all([address], 80, timeout=self.timeout, flows=self.flows)
            row: Row = {"path": path, "address": address, "outcome": tcp["outcome"], "status": None}
            requests.append(row)
            if sock is None:
                continue
            stream = Stream(sock, time.monotonic() + self.timeout)
            try:
                reply, found = web.get(stream, host, path, address=address, agent=AGENT)
            finally:
                stream.close()
            row |= {"outcome": found["outcome"], "status": found["status"]}
            if (row["outcome"], row["status"]) == ("ok", 200):
                return reply.body
        return b""


def contains(text: str, words: Sequence[str]) -> bool:
    """Whether any of the words is in a text, however its letters are written."""
    folded = text.casefold()
    return any(word.casefold() in folded for word in words)
