"""Ask a SIP registrar over UDP, to register above all, with digest authentication.

Wire:    RFC 3261 sections 10 and 17.1.2 (retransmission at 0.5 s, doubling), RFC 2617 digest.
Limits:  UDP only; no SRV or NAPTR records, no `auth-int`, MD5 and SHA-256.

Every answer is kept, in order of arrival: a forged answer that races the registrar's own shows as
two that contradict each other.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import select
import socket
import time
from dataclasses import dataclass, field
from typing import Final

from filterbed.probe import datagram
from filterbed.probe.address import family, shown
from filterbed.probe.stream import Flow, Row, elapsed, note, outcome

PORT: Final = 5060
AGENT: Final = "filterbed-probe"
T1: Final = 0.5
_PAIR = re.compile(r'(\w+)\s*=\s*(?:"([^"]*)"|([^\s,]+))')
_HASHES: Final = {"MD5": hashlib.md5, "SHA-256": hashlib.sha256}


@dataclass(frozen=True, slots=True)
class Account:
    """Whom to register, and where: `domain` is the registrar as the target names it."""

    domain: str
    user: str
    password: str
    address: str
    port: int = PORT


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message's start line and headers (lower-case names, compact forms written out)."""

    start: str
    headers: dict[str, str]
    body: str

    @property
    def code(self) -> int | None:
        """Return the status code; None for a request."""
        words = self.start.split(" ", 2)
        known = len(words) > 1 and words[0] == "SIP/2.0" and re.fullmatch("[1-6][0-9]{2}", words[1])
        return int(words[1]) if known else None

    @property
    def method(self) -> str:
        """Return the method its CSeq names, upper case; empty if none."""
        return self.headers.get("cseq", "").rpartition(" ")[2].upper()


_COMPACT: Final = {"v": "via", "f": "from", "t": "to", "i": "call-id", "l": "content-length"}


def parse(data: bytes) -> Message | None:
    """Read a message; None if it has no start line of SIP."""
    head, _, body = data.decode("utf-8", "replace").replace("\r\n", "\n").partition("\n\n")
    start, *lines = head.lstrip("\n").split("\n")
    if "SIP/2.0" not in start:
        return None
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name = name.strip().lower()
        headers.setdefault(_COMPACT.get(name, name), value.strip())
    return Message(start.strip(), headers, body)


@dataclass(frozen=True, slots=True)
class Request:
    """What a request says beside who sends it: `lines` are headers written out."""

    method: str
    uri: str
    to: str
    lines: tuple[str, ...] = ()


@dataclass(slots=True)
class _Dialog:
    account: Account
    sock: socket.socket
    request: Request
    local: str
    port: int
    call: str = field(default_factory=lambda: secrets.token_hex(12))
    tag: str = field(default_factory=lambda: secrets.token_hex(6))
    answers: list[Row] = field(default_factory=list)


def register(account: Account, *, timeout: float, flows: list[Flow], window: float = 0.0) -> Row:
    """Register for a minute; return the `sip.register` part of a measurement.

    The whole takes at most `timeout` + 0.5 s, so that the default leaves room for the second
    retransmission. `window` seconds are spent listening for more answers after the last.
    """
    with socket.socket(family(account.address), socket.SOCK_DGRAM) as sock:
        try:
            sock.connect((account.address, account.port))
        except OSError as error:
            return _row(account) | {"outcome": outcome(error), "seconds": 0.0}
        note(flows, "udp", sock, account.address, account.port)
        datagram.prepare(sock)
        # One contact a machine, so that measuring again renews a binding instead of adding one.
        contact = f"<sip:{account.user}@{shown(sock.getsockname()[0])}:{PORT}>;expires=60"
        asked = registration(account, contact)
        return ask(sock, account, asked, timeout=timeout, window=window)[0]


def registration(account: Account, contact: str, *more: str) -> Request:
    """Write the REGISTER that binds a contact to the account."""
    domain = shown(account.domain)
    lines = (f"Contact: {contact}", *more)
    return Request("REGISTER", f"sip:{domain}", f"sip:{account.user}@{domain}", lines)


def ask(
    sock: socket.socket, account: Account, request: Request, *, timeout: float, window: float = 0.0
) -> tuple[Row, Message | None]:
    """Send a request from a socket connected to the registrar; return its part, and the answer.

    A challenge is met once.
    """
    began = time.monotonic()
    row = _row(account)
    final: Message | None = None
    dialog = _Dialog(account, sock, request, *sock.getsockname()[:2])
    row["answers"] = dialog.answers
    try:
        final = _converse(dialog, began + timeout + T1)
        if final is not None:
            row |= {"code": final.code, "server": server(final)}
            row |= {"answered_by": dialog.answers[-1]["from"]}
            row |= {"ttl": dialog.answers[-1]["ttl"]}
            row["outcome"] = "ok" if (final.code or 0) < 300 else "rejected"
        row["seconds"] = elapsed(began)
        if window:
            _linger(dialog, time.monotonic() + window)
    except OSError as error:
        row["outcome"] = outcome(error)
    row.setdefault("seconds", elapsed(began))
    return row, final


def _row(account: Account) -> Row:
    row: Row = {"address": account.address, "port": account.port, "outcome": "timeout"}
    return row | {"code": None, "server": None, "answered_by": None, "ttl": None, "answers": []}


def _converse(dialog: _Dialog, deadline: float) -> Message | None:
    """Send the request and, once challenged, again with credentials; return the final answer."""
    final = _transact(dialog, 1, "", deadline)
    if final is not None and final.code in (401, 407):
        header = _credentials(final, dialog.account, dialog.request)
        if header:
            return _transact(dialog, 2, header, deadline)
    return final


def _transact(dialog: _Dialog, number: int, header: str, deadline: float) -> Message | None:
    wire = _request(dialog, number, header)
    began, interval = time.monotonic(), T1
    dialog.sock.send(wire)
    again = began + interval
    while (now := time.monotonic()) < deadline:
        if now >= again:
            dialog.sock.send(wire)
            interval *= 2
            again = now + interval
        message = _receive(dialog, min(again, deadline), began)
        if message is None or not message.headers.get("cseq", "").startswith(f"{number} "):
            continue
        if (message.code or 0) >= 200:
            return message
    return None


def _receive(dialog: _Dialog, until: float, began: float) -> Message | None:
    """Return the next answer of this dialog, noted in `answers`; None when `until` has passed."""
    patience = max(0.001, until - time.monotonic())
    if not select.select([dialog.sock], [], [], patience)[0]:
        return None
    got = datagram.receive(dialog.sock)
    message = parse(got.data) if got else None
    if (
        got is None
        or message is None
        or message.code is None
        or message.headers.get("call-id") != dialog.call
    ):
        return None
    dialog.answers.append(
        {
            "code": message.code,
            "cseq": message.headers.get("cseq", "").partition(" ")[0],
            "server": server(message),
            "from": f"{shown(got.address)}:{got.port}",
            "ttl": got.ttl,
            "seconds": elapsed(began),
        }
    )
    return message


def _linger(dialog: _Dialog, until: float) -> None:
    began = time.monotonic()
    while time.monotonic() < until:
        _receive(dialog, until, began)


def server(message: Message) -> str | None:
    """Return what the sender calls itself."""
    return message.headers.get("server") or message.headers.get("user-agent")


def _request(dialog: _Dialog, number: int, header: str) -> bytes:
    account, request = dialog.account, dialog.request
    lines = [
        f"{request.method} {request.uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {shown(dialog.local)}:{dialog.port};rport"
        f";branch=z9hG4bK{secrets.token_hex(8)}",
        "Max-Forwards: 70",
        f"From: <sip:{account.user}@{shown(account.domain)}>;tag={dialog.tag}",
        f"To: <{request.to}>",
        f"Call-ID: {dialog.call}",
        f"CSeq: {number} {request.method}",
        *request.lines,
        f"User-Agent: {AGENT}",
    ]
    lines += [header] if header else []
    return ("\r\n".join([*lines, "Content-Length: 0"]) + "\r\n\r\n").encode()


def _credentials(challenge: Message, account: Account, asking: Request) -> str:
    """Answer a digest challenge; empty when it is one we cannot answer."""
    proxy = challenge.code == 407
    text = challenge.headers.get("proxy-authenticate" if proxy else "www-authenticate", "")
    scheme, _, rest = text.partition(" ")
    asked = {name.lower(): quoted or bare for name, quoted, bare in _PAIR.findall(rest)}
    hasher = _HASHES.get(asked.get("algorithm", "MD5").upper())
    if scheme.lower() != "digest" or "nonce" not in asked or hasher is None:
        return ""

    def digest(*parts: str) -> str:
        return hasher(":".join(parts).encode()).hexdigest()

    realm, nonce = asked.get("realm", ""), asked["nonce"]
    secret = digest(account.user, realm, account.password)
    request = digest(asking.method, asking.uri)
    fields = {"username": account.user, "realm": realm, "nonce": nonce, "uri": asking.uri}
    if "auth" in asked.get("qop", "").replace(" ", "").split(","):
        client = secrets.token_hex(8)
        fields["response"] = digest(secret, nonce, "00000001", client, "auth", request)
        fields["cnonce"] = client
    else:
        fields["response"] = digest(secret, nonce, request)
    if "opaque" in asked:
        fields["opaque"] = asked["opaque"]
    written = ", ".join(f'{name}="{value}"' for name, value in fields.items())
    written += f", algorithm={asked.get('algorithm', 'MD5')}"
    written += ", qop=auth, nc=00000001" if "cnonce" in fields else ""
    return f"{'Proxy-' if proxy else ''}Authorization: Digest {written}"
