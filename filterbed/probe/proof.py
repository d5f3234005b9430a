"""Gather what a verdict would need beyond the two measurements: the follow-ups.

`wanted` says which, `gather` makes them. Each is chosen so that a residual block, which an earlier
trigger of ours may have set off, can only weaken the claim: a follow-up that fails proves nothing.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from filterbed.probe import dot, resolve, sip, tls, web
from filterbed.probe.address import endpoint, shown
from filterbed.probe.initial import stalled
from filterbed.probe.measure import TIMEOUT
from filterbed.probe.page import MARGIN, same_page
from filterbed.probe.stream import BrokenError, Row, Stream, connect_all, elapsed
from filterbed.probe.target import Url, url
from filterbed.probe.verdict import Part, bogon, contradictory, disjoint

#: A name nobody has a reason to block; RFC 2606 reserves it.
INNOCENT: Final = "www.example.org"
#: Seconds to listen for a second answer: longer than a trip around the world.
WINDOW: Final = 0.4
ROUNDS: Final = 2

Ask = Callable[[Row], Row]  # a target object -> the control's measurement


def wanted(local: Part, control: Part) -> frozenset[str]:
    """Name the follow-ups that could deepen a verdict; most targets want none."""
    if "error" in local or "error" in control:
        return frozenset()
    if disjoint(local, control):
        forged = any(map(bogon, local["dns"]["addresses"]))
        return frozenset() if forged else frozenset({"elsewhere", "answers"})
    register = local["sip"]["register"]
    if register is not None and register["outcome"] == "rejected":
        return frozenset({"sip_again"})
    if local.get("quic"):
        here_only = stalled(local) and not stalled(control)
        return frozenset({"other_name"} if here_only else ())
    if any(row["outcome"] == "reset" and row["after"] != "connect" for row in local["tls"]):
        return frozenset({"other_name"})
    if not local["http"] or local["tls"] or same_page(local, control):
        return frozenset()
    if local["http"][0]["status"] is None:
        reset = local["http"][0]["outcome"] == "reset" and local["http"][0]["after"] != "connect"
        return frozenset({"other_name"} if reset else ())
    return frozenset({"other_name", "again"})


def gather(
    names: frozenset[str], target: Row, local: Part, control: Part, ask: Ask, resolver: str | None
) -> Row:
    """Make the follow-ups named; return the `proof` that `judge` reads."""
    proof: Row = {}
    if "answers" in names:
        asked = local["dns"]
        proof["answers"] = resolve.ask(
            asked["name"],
            asked["qtype"],
            server=resolver,
            timeout=TIMEOUT,
            flows=[],
            window=WINDOW,
        )["answers"]
        if contradictory(proof["answers"], set(control["dns"]["addresses"])):
            return proof
    if "elsewhere" in names and local["kind"] == "dns":
        proof["elsewhere"] = _served(target, local["dns"]["addresses"], ask)
        proof["genuine"] = _served(target, control["dns"]["addresses"], ask)
    elif "elsewhere" in names:
        proof["elsewhere"] = _usable(ask({**target, "addresses": local["dns"]["addresses"]}))
    if "sip_again" in names:
        proof["sip_again"] = _register(target, local)
    if "other_name" in names and local.get("quic"):
        where, address = url(target["url"]), local["quic"][0]["address"]
        proof["other_name"] = _over_quic(INNOCENT, where, address)
        proof["same_name"] = _over_quic(where.host, where, address)
    elif "other_name" in names:
        where, address = _where(target), (local["tls"] or local["http"])[0]["address"]
        proof["other_name"] = _under(INNOCENT, where, address)
        if "again" not in names:
            proof["same_name"] = _under(None, where, address)
    if "again" in names:
        address = local["http"][0]["address"]
        trip = min(row["seconds"] for row in local["tcp"] if row["address"] == address)
        proof["again"] = [_again(url(target["url"]), address, trip) for _ in range(ROUNDS)]
    return {name: part for name, part in proof.items() if part is not None}


def _where(target: Row) -> Url:
    """Return where the handshake was that failed: a page's server, or a resolver's port."""
    if target["kind"] != "dns":
        return url(target["url"])
    host, port = endpoint(target["resolver"], dot.PORTS[target["via"]])
    return Url(secure=True, host=host, port=port, path="/", authority=host)


def _usable(measurement: Row) -> Row | None:
    return None if "error" in measurement else measurement


def _served(target: Row, addresses: list[str], ask: Ask) -> Row | None:
    """Ask the control what the addresses serve under the name, over HTTP and HTTPS, as one."""
    if not addresses:
        return None
    name = shown(target["name"].rstrip("."))
    both = [
        ask({"kind": "web", "url": f"{scheme}://{name}/", "addresses": addresses})
        for scheme in ("http", "https")
    ]
    if any("error" in one for one in both):
        return None
    return {**both[0], **{part: both[0][part] + both[1][part] for part in ("tcp", "tls", "http")}}


def _register(target: Row, local: Part) -> Row:
    host, port = endpoint(target["registrar"], sip.PORT)
    account = sip.Account(
        host, target["user"], target["password"], local["sip"]["register"]["address"], port
    )
    return sip.register(account, timeout=TIMEOUT, flows=[], window=WINDOW)


def _open(address: str, port: int) -> tuple[Stream | None, Row]:
    sock, row = connect_all([address], port, timeout=TIMEOUT, flows=[])[0]
    stream = Stream(sock, time.monotonic() + TIMEOUT) if sock else None
    return stream, row


def _under(name: str | None, where: Url, address: str) -> Row | None:
    """Do the same at the same address under another name, or its own; None if nothing connects."""
    stream, _ = _open(address, where.port)
    if stream is None:
        return None
    try:
        if where.secure:
            said = name or where.host
            _, row = tls.handshake(stream, said, verify=False, address=address, port=where.port)
            return row
        return web.get(stream, name or where.authority, where.path, address=address)[1]
    finally:
        stream.close()


def _over_quic(name: str, where: Url, address: str) -> Row:
    """Fetch the page over QUIC under a name; the row of the last step tells how it ended."""
    from filterbed.probe import quic  # as filterbed.probe.measure does

    shaken, answered = quic.fetch(
        address, where, timeout=TIMEOUT, flows=[], name=name, verify=False
    )
    return answered or shaken


def _again(where: Url, address: str, trip: float) -> Row:
    """Fetch the page once more, then ask for something innocuous on the same connection."""
    row: dict[str, Any] = {"connect": None, "first": None, "status": None}
    row |= {"closing": False, "kept": False}
    stream, tried = _open(address, where.port)
    if stream is None:
        return row
    row["connect"] = tried["seconds"]
    try:
        reply, _ = web.get(stream, where.authority, where.path, address=address)
        row |= {"first": reply.first, "status": reply.status, "closing": reply.closing}
        if reply.status is not None and not reply.rest:
            row["kept"] = _kept(stream, min(trip, tried["seconds"]))
    finally:
        stream.close()
    return row


def _kept(stream: Stream, trip: float) -> bool:
    """Whether the server answers one more request on the connection, and not too soon."""
    stream.deadline = time.monotonic() + max(0.5, 8 * trip)
    began = time.monotonic()
    reply = web.Reply()
    try:
        stream.send(web.request(INNOCENT, "/"))
        web.read(stream, reply, began)
    except (BrokenError, web.NotHttpError):
        return False
    return elapsed(began) > trip / 2 - MARGIN
