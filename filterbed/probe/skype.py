"""Be a client of Skype's legacy network, as far as it is documented: find a supernode, log in, call
a telephone.

A client knows its supernodes by address and asks no DNS. It sends each a datagram; where none
answers it opens TCP connections to the same port, then to 80, then to 443. Through the login server
it logs in with five bytes each way that look like the beginning of TLS; calls to telephones go
over UDP through a gateway (SkypeOut).

Source:  facts dpi-skype-bootstrap (host cache, port 33033; 2006), dpi-skype-fallback (the ladder;
         Solovjovs 2013), dpi-skype-login-sig (the five bytes; Baset & Schulzrinne 2006),
         dpi-skype-udp-som (a datagram's third byte; nDPI 2015), dpi-skype-tcp-len (8 bytes first),
         dpi-skypeout-12340 (the gateways' port; 2009).
Limits:  what those bytes carry is not known and here chance; one round of the ladder, not five, and
         the measurement's time-out instead of 5 s for datagrams. No account is asked for.
"""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from filterbed.probe.address import endpoint, family
from filterbed.probe.stream import (
    BrokenError,
    Flow,
    Row,
    Stream,
    connect_all,
    elapsed,
    note,
    outcome,
)

PORT: Final = 33033
GATEWAY_PORT: Final = 12340
#: Ports of TCP a client falls back to, in this order; the first is a supernode's own.
LADDER: Final = (PORT, 80, 443)
LOGIN: Final = bytes.fromhex("1603010000")
WELCOME: Final = bytes.fromhex("1703010000")
#: The third byte of a datagram that begins something, and of one that answers.
BEGINS, ANSWERS = 0x02, 0x03
#: A first byte that the naive rule of 2015 takes for SNMP; a message number here has another.
_SNMP: Final = 0x30
GREETING: Final = 8
#: A call: so many datagrams, one every so many seconds.
TALK: Final = 25
PACE: Final = 0.02


@dataclass(slots=True)
class Client:
    """One client in the making of one measurement. `timeout` is seconds for each step."""

    timeout: float
    flows: list[Flow] = field(default_factory=list)
    chance: random.Random = field(default_factory=random.Random)

    def bootstrap(self, hosts: Sequence[str]) -> Row:
        """Find a supernode among `hosts` (ADDRESS or ADDRESS:PORT).

        Returns: `{outcome, by, steps}`: `by` is udp, tcp-33033, tcp-80 or tcp-443, None where no
            step led anywhere; `steps` what was tried, each `{by, address, port, outcome, seconds}`.
        """
        ends = [endpoint(host, PORT) for host in hosts]
        steps = self._ask(ends)
        if all(step["outcome"] != "ok" for step in steps):
            for port in LADDER:
                steps += self._knock([address for address, _ in ends], port)
                if steps[-1]["outcome"] == "ok" or any(
                    step["outcome"] == "ok" for step in steps[-len(ends) :]
                ):
                    break
        by = next((step["by"] for step in steps if step["outcome"] == "ok"), None)
        return {"outcome": "ok" if by else _worst(steps), "by": by, "steps": steps}

    def log_in(self, server: str) -> Row:
        """Log in: `{address, port, outcome, after, seconds}`; `after` is connect or login."""
        address, port = endpoint(server, PORT)
        began = time.monotonic()
        ((sock, tcp),) = connect_all([address], port, timeout=self.timeout, flows=self.flows)
        row: Row = {"address": address, "port": port, "outcome": tcp["outcome"], "after": "connect"}
        if sock is not None:
            row |= {"outcome": self._exchange(sock, LOGIN, WELCOME), "after": "login"}
        return row | {"seconds": elapsed(began)}

    def call(self, gateway: str) -> Row:
        """Talk through a gateway: `{address, port, outcome, sent, received, seconds}`."""
        address, port = endpoint(gateway, GATEWAY_PORT)
        began = time.monotonic()
        sent = received = 0
        word = "timeout"
        with socket.socket(family(address), socket.SOCK_DGRAM) as sock:
            try:
                sock.connect((address, port))
                note(self.flows, "udp", sock, address, port)
                until = began
                for _ in range(TALK):
                    sock.send(self.datagram())
                    sent += 1
                    until += PACE
                    received += _count(sock, until)
                received += _count(sock, time.monotonic() + self.timeout, sent - received)
                word = "ok" if received else "timeout"
            except OSError as error:
                word = outcome(error)
        row: Row = {"address": address, "port": port, "outcome": word}
        return row | {"sent": sent, "received": received, "seconds": elapsed(began)}

    def datagram(self) -> bytes:
        """Write a datagram that begins something: number, 0x02, and 15 to 25 bytes of noise."""
        first = self.chance.choice([byte for byte in range(256) if byte != _SNMP])
        noise = self.chance.randbytes(self.chance.randint(15, 25))
        return bytes((first, self.chance.randrange(256), BEGINS)) + noise

    def _ask(self, ends: Sequence[tuple[str, int]]) -> list[Row]:
        """Send each host a datagram, again at half the time-out, and wait for the first answer."""
        began = time.monotonic()
        rows = [
            {"by": "udp", "address": address, "port": port, "outcome": "timeout", "seconds": 0.0}
            for address, port in ends
        ]
        socks = [self._open(address, port) for address, port in ends]
        words = [self.datagram() for _ in ends]
        try:
            for _ in range(2):
                _tell(socks, words, rows)
                until = time.monotonic() + self.timeout / 2
                while (left := until - time.monotonic()) > 0 and _open_still(rows):
                    ready, _, _ = select.select(socks, [], [], left)
                    for sock in ready:
                        at = socks.index(sock)
                        _hear(sock, words[at], rows[at], began)
                    if any(row["outcome"] == "ok" for row in rows):
                        return rows
        finally:
            for sock in socks:
                sock.close()
        return rows

    def _open(self, address: str, port: int) -> socket.socket:
        sock = socket.socket(family(address), socket.SOCK_DGRAM)
        sock.setblocking(False)
        sock.connect((address, port))
        note(self.flows, "udp", sock, address, port)
        return sock

    def _knock(self, addresses: Sequence[str], port: int) -> list[Row]:
        """Open TCP connections to all, and greet those that are up."""
        rows = []
        found = connect_all(addresses, port, timeout=self.timeout, flows=self.flows)
        for sock, tcp in found:
            row = {"by": f"tcp-{port}", **tcp}
            if sock is not None:
                greeting = self.chance.randbytes(GREETING)
                row["outcome"] = self._exchange(sock, greeting, greeting[:2])
            rows.append(row)
        return rows

    def _exchange(self, sock: socket.socket, say: bytes, expect: bytes) -> str:
        """Say something and wait for an answer that begins as expected; name what came of it."""
        stream = Stream(sock, time.monotonic() + self.timeout)
        heard = b""
        try:
            stream.send(say)
            while len(heard) < len(expect):
                heard += stream.receive()
        except BrokenError as error:
            return error.outcome
        except TimeoutError:
            return "timeout"
        finally:
            stream.close()
        return "ok" if heard.startswith(expect) else "foreign"


def _open_still(rows: Sequence[Row]) -> bool:
    return any(row["outcome"] == "timeout" for row in rows)


def _tell(socks: Sequence[socket.socket], words: Sequence[bytes], rows: Sequence[Row]) -> None:
    for sock, word, row in zip(socks, words, rows, strict=True):
        try:
            sock.send(word)
        except OSError as error:
            row["outcome"] = outcome(error)


def _hear(sock: socket.socket, word: bytes, row: Row, began: float) -> None:
    """Take one datagram; it answers if it has the number of what was said."""
    try:
        data = sock.recv(65535)
    except BlockingIOError:
        return
    except OSError as error:
        row["outcome"] = outcome(error)
        return
    if data[:2] == word[:2] and data[2:3] == bytes((ANSWERS,)):
        row |= {"outcome": "ok", "seconds": elapsed(began)}


def _count(sock: socket.socket, until: float, most: int | None = None) -> int:
    """Count datagrams that come until a moment (monotonic seconds), or until there are `most`."""
    count = 0
    while (most is None or count < most) and (left := until - time.monotonic()) > 0:
        if not select.select([sock], [], [], left)[0]:
            break
        sock.recv(65535)
        count += 1
    return count


def _worst(steps: Sequence[Row]) -> str:
    """Name a failure: an active one says more than silence."""
    words = {str(step["outcome"]) for step in steps}
    order = ("reset", "fin", "foreign", "unreachable", "refused", "timeout")
    return next((word for word in order if word in words), "timeout")


def measure(client: Client, target: Mapping[str, Any]) -> Row:
    """Go as far as the client gets: a supernode, the login, a call where a gateway is named."""
    found = client.bootstrap(target["hosts"])
    row: Row = {"bootstrap": found, "login": None, "gateway": None}
    if found["outcome"] != "ok":
        return row
    entered = row["login"] = client.log_in(target["login"])
    if entered["outcome"] == "ok" and "gateway" in target:
        row["gateway"] = client.call(target["gateway"])
    return row
