"""Ask one DNS question over UDP, as a stub resolver does, and say what came back.

Wire:    RFC 1035; the question is repeated once, with the same id, at half the time-out.
Limits:  the hosts file and search domains are not looked at; no EDNS, no SRV.
"""

from __future__ import annotations

import ipaddress
import select
import socket
import time
from pathlib import Path
from typing import Any

import dns.exception
import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype

from filterbed.probe.address import endpoint, family
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.stream import Flow, Row, elapsed, note, outcome

PORT = 53
RESOLV_CONF = Path("/etc/resolv.conf")


def nameserver(path: Path = RESOLV_CONF) -> str:
    """Return the first nameserver the system's resolv.conf names."""
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError as error:
        raise MachineError(f"{path}: {error.strerror}; expected the system's resolver") from error
    for line in lines:
        words = line.split()
        if len(words) > 1 and words[0] == "nameserver":
            return words[1]
    raise MachineError(f"{path}: no `nameserver` line; add one, or name a resolver")


def ask(
    name: str,
    qtype: str,
    *,
    server: str | None,
    timeout: float,
    flows: list[Flow],
    window: float = 0.0,
) -> Row:
    """Return the `dns` part of a measurement.

    `server` is ADDRESS or ADDRESS:PORT, or None for the system's. `window` seconds are spent
    listening for more answers after the first; all are in `answers`, in order of arrival. `rcode`
    is the answer's, or `timeout`, `unreachable` (an ICMP error), `reset` (over TCP).
    """
    query = question(name, qtype)
    host, port = endpoint(server or nameserver(), PORT)
    row: Row = {"name": name, "qtype": qtype, "server": host}
    began = time.monotonic()
    answers, failure = _exchange(query, (host, port), timeout, window, flows)
    row["seconds"] = answers[0][1] if answers else elapsed(began)
    if not answers:
        return row | {"rcode": failure, "addresses": [], "records": [], "answers": []}
    first = answers[0][0]
    if first.flags & dns.flags.TC:
        over_tcp = _over_tcp(query, (host, port), timeout, flows)
        if isinstance(over_tcp, str):
            return row | {"rcode": over_tcp, "addresses": [], "records": [], "answers": []}
        first = over_tcp
    told = [{**read(message, qtype), "seconds": seconds} for message, seconds in answers]
    return row | read(first, qtype) | {"answers": told}


def question(name: str, qtype: str) -> dns.message.QueryMessage:
    """Build the query; TargetError if the name or the type is none."""
    try:
        return dns.message.make_query(name, qtype)
    except (dns.exception.DNSException, UnicodeError) as error:
        raise TargetError(
            f"name {name!r}, qtype {qtype!r}: {error}; expected a domain name and a record type"
        ) from error


def _exchange(
    query: dns.message.Message,
    peer: tuple[str, int],
    timeout: float,
    window: float,
    flows: list[Flow],
) -> tuple[list[tuple[dns.message.Message, float]], str]:
    answers: list[tuple[dns.message.Message, float]] = []
    wire = query.to_wire()
    began = time.monotonic()
    sends, end = [began, began + timeout / 2], began + timeout
    with socket.socket(family(peer[0]), socket.SOCK_DGRAM) as sock:
        try:
            sock.connect(peer)
            note(flows, "udp", sock, *peer)
            while (now := time.monotonic()) < end:
                if sends and not answers and now >= sends[0]:
                    sends.pop(0)
                    sock.send(wire)
                wake = min(end, sends[0]) if sends and not answers else end
                if not select.select([sock], [], [], max(0.0, wake - time.monotonic()))[0]:
                    continue
                message = parse(sock.recv(65535), query)
                if message is None:
                    continue
                answers.append((message, elapsed(began)))
                if len(answers) == 1:
                    end = time.monotonic() + window
        except OSError as error:
            # Once an answer is there, an ICMP error about a repeated question is only noise.
            return answers, "timeout" if outcome(error) == "timeout" else "unreachable"
    return answers, "timeout"


def parse(data: bytes, query: dns.message.Message) -> dns.message.Message | None:
    """Read a message; None for what is none, or no answer to the query."""
    try:
        message = dns.message.from_wire(data, ignore_trailing=True, raise_on_truncation=False)
    except (dns.exception.DNSException, ValueError):
        return None
    return message if query.is_response(message) else None


def _over_tcp(
    query: dns.message.Message, peer: tuple[str, int], timeout: float, flows: list[Flow]
) -> dns.message.Message | str:
    with socket.socket(family(peer[0]), socket.SOCK_STREAM) as sock:
        sock.settimeout(timeout)
        try:
            sock.connect(peer)
            note(flows, "tcp", sock, *peer)
            sock.setblocking(False)
            from dns.query import tcp  # here, where it is rare: it brings a QUIC stack along

            return tcp(query, peer[0], timeout=timeout, sock=sock)
        except (OSError, EOFError, dns.exception.DNSException) as error:
            return "reset" if isinstance(error, ConnectionResetError | EOFError) else "timeout"


def read(message: dns.message.Message, qtype: str) -> dict[str, Any]:
    """Return what an answer says: its rcode, addresses and records."""
    addresses: list[str] = []
    records: list[str] = []
    for rrset in message.answer:
        texts = [rdata.to_text() for rdata in rrset]
        if rrset.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA):
            addresses += [str(ipaddress.ip_address(text)) for text in texts]
        elif dns.rdatatype.to_text(rrset.rdtype) == qtype.upper():
            records += texts
    return {
        "rcode": dns.rcode.to_text(message.rcode()),
        "addresses": addresses,
        "records": records,
    }
