"""Measure targets as plainly as possible, and say only what happened.

`python -P -m filterbed.probe.measure` reads JSON lines of targets and writes JSON lines of
measurements, in the order they finish. The form is in docs/design.md, "Measurements".
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from typing import Any

from filterbed.probe import (
    call,
    chat,
    datagram,
    dot,
    incoming,
    path,
    resolve,
    sip,
    skype,
    softphone,
    stun,
    tls,
    turn,
    web,
)
from filterbed.probe.address import endpoint, family, literal
from filterbed.probe.errors import ProbeError
from filterbed.probe.stream import Flow, Row, Stream, connect_all
from filterbed.probe.target import Url, check, url

#: Above one second, so that the kernel has repeated a lost SYN once.
TIMEOUT = 1.5
CONCURRENCY = 16
#: What a datagram holds where the target does not say.
PAYLOAD = b"filterbed\n"


@dataclass(slots=True)
class Run:
    """One measurement in the making."""

    target: Mapping[str, Any]
    timeout: float
    resolver: str | None
    row: Row
    flows: list[Flow] = field(default_factory=list)


def measure(target: Any, *, timeout: float = TIMEOUT, resolver: str | None = None) -> Row:
    """Measure one target.

    Args:
        timeout: seconds for each step (a DNS answer, a connection, a handshake, a page, a
            registration), so that a measurement whose every step fails takes one of them.
        resolver: the DNS server's address; None takes the system's.
    Raises: TargetError for a target that is none, MachineError when this machine lacks something.
    """
    target = check(target)
    row: Row = {"target": target.get("target", ""), "kind": target["kind"], "t_start": time.time()}
    row |= {"t_end": 0.0, "flows": [], "dns": None, "tcp": [], "tls": [], "http": [], "udp": []}
    row["quic"] = []
    row["sip"] = {"register": None, "call": None}
    row["aside"] = []
    run = Run(target, timeout, resolver, row)
    _KINDS[target["kind"]](run)
    row["flows"] = run.flows
    row["t_end"] = time.time()
    return row


def lookup(run: Run, host: str) -> list[str]:
    """Return a host's addresses as the target wants them found, noting the `dns` part."""
    if given := run.target.get("addresses"):
        return list(given)
    if address := literal(host):
        return [address]
    wanted = ["AAAA" if version == 6 else "A" for version in run.target.get("families", [4])]
    rows = [_ask(run, host, qtype) for qtype in wanted]
    run.row["dns"] = rows[0] | {"addresses": [a for row in rows for a in row["addresses"]]}
    if len(rows) > 1:
        run.row["dns"]["also"] = rows[1:]
    return list(dict.fromkeys(run.row["dns"]["addresses"]))


def _ask(run: Run, name: str, qtype: str) -> Row:
    return resolve.ask(
        name,
        qtype,
        server=run.resolver,
        timeout=run.timeout,
        flows=run.flows,
        window=float(run.target.get("window", 0.0)),
    )


def _dns(run: Run) -> None:
    if run.target.get("via") is not None:
        _encrypted(run)
        return
    run.row["dns"] = _ask(run, run.target["name"], run.target["qtype"])


def _encrypted(run: Run) -> None:
    """Ask a resolver over TLS; the question for its own name becomes the part `resolver`."""
    via = run.target["via"]
    host, port = endpoint(run.target["resolver"], dot.PORTS[via])
    sock = _connect(run, host, port)
    run.row["resolver"], run.row["dns"] = run.row["dns"], None
    if sock is None:
        return
    stream = Stream(sock, time.monotonic() + run.timeout)
    address = sock.getpeername()[0]
    try:
        channel, row = tls.handshake(
            stream, host, verify=True, address=address, port=port, alpn=dot.ALPN[via]
        )
        run.row["tls"].append(row)
        if channel is not None:
            stream.deadline = time.monotonic() + run.timeout
            name, qtype = run.target["name"], run.target["qtype"]
            run.row["dns"] = dot.ask(channel, via, host, name, qtype)
    finally:
        stream.close()


def _connect(run: Run, host: str, port: int) -> socket.socket | None:
    """Try every address; keep the first that answered, in the resolver's order."""
    kept: socket.socket | None = None
    tried = connect_all(lookup(run, host), port, timeout=run.timeout, flows=run.flows)
    for sock, row in tried:
        run.row["tcp"].append(row)
        if sock is not None and kept is None:
            kept = sock
        elif sock is not None:
            sock.close()
    return kept


def _tcp(run: Run) -> None:
    if sock := _connect(run, run.target["host"], run.target["port"]):
        sock.close()


def _web(run: Run) -> None:
    where = url(run.target["url"])
    if run.target.get("via") == "h3":
        _over_quic(run, where)
        return
    sock = _connect(run, where.host, where.port)
    if sock is None:
        return
    stream = Stream(sock, time.monotonic() + run.timeout)
    try:
        _page(run, where, stream)
    finally:
        stream.close()


def _over_quic(run: Run, where: Url) -> None:
    """Try every address at once; keep the page of the first whose handshake is done."""
    from filterbed.probe import quic  # a tenth of a second, for those who need it

    addresses = lookup(run, where.host)
    with ThreadPoolExecutor(max(1, len(addresses))) as pool:
        jobs = [
            pool.submit(quic.fetch, one, where, timeout=run.timeout, flows=run.flows)
            for one in addresses
        ]
    tried = [job.result() for job in jobs]
    run.row["quic"] = [row for row, _ in tried]
    run.row["http"] = [page for _, page in tried if page is not None][:1]


def _page(run: Run, where: Url, stream: Stream) -> None:
    address = stream.sock.getpeername()[0]
    if not where.secure:
        run.row["http"].append(web.get(stream, where.authority, where.path, address=address)[1])
        return
    channel, row = tls.handshake(stream, where.host, verify=True, address=address, port=where.port)
    run.row["tls"].append(row)
    if row["error"] is not None:
        channel = _unverified(run, where, address, row)
    if channel is None:
        return
    channel.stream.deadline = time.monotonic() + run.timeout
    try:
        run.row["http"].append(web.get(channel, where.authority, where.path, address=address)[1])
    finally:
        channel.close()


def _unverified(run: Run, where: Url, address: str, row: Row) -> tls.Secure | None:
    """Connect again without verification, to see what page a bad certificate leads to."""
    sock = connect_all([address], where.port, timeout=run.timeout, flows=run.flows)[0][0]
    if sock is None:
        return None
    stream = Stream(sock, time.monotonic() + run.timeout)
    channel, second = tls.handshake(
        stream, where.host, verify=False, address=address, port=where.port
    )
    row["certificate"] = second.get("certificate")
    if channel is None:
        stream.close()
    return channel


def _udp(run: Run) -> None:
    host, port = run.target["host"], run.target["port"]
    payload = bytes.fromhex(run.target.get("payload") or PAYLOAD.hex())
    asks = run.target.get("asks")
    if asks == "stun":
        payload = stun.write(stun.request(stun.Method.BINDING))
    for address in lookup(run, host):
        row = datagram.exchange(address, port, payload, timeout=run.timeout, flows=run.flows)
        run.row["udp"].append(row | {"asks": asks})


def _sip(run: Run) -> None:
    host, _ = endpoint(run.target["registrar"], sip.PORT)
    if addresses := lookup(run, host):
        run.row["sip"]["register"] = sip.register(
            _account(run, addresses[0]),
            timeout=run.timeout,
            flows=run.flows,
            window=float(run.target.get("window", 0.0)),
        )


def _call(run: Run) -> None:
    if run.target.get("direction") == "in":
        _both(run, incoming.answer)
        return
    if run.target.get("client") == softphone.NAME:
        _both(run, softphone.place)
        return
    _sip(run)
    registered = run.row["sip"]["register"]
    if registered and registered["outcome"] == "ok":
        account = _account(run, registered["address"])
        run.row["sip"]["call"] = call.place(account, run.target["callee"], **_talk(run, account))


def _both(run: Run, hold: Callable[..., tuple[Row, Row | None]]) -> None:
    """Have one client register and hold the call, so that both are its own."""
    host, _ = endpoint(run.target["registrar"], sip.PORT)
    if addresses := lookup(run, host):
        account = _account(run, addresses[0])
        parts = hold(account, run.target["callee"], **_talk(run, account))
        run.row["sip"] = dict(zip(("register", "call"), parts, strict=True))


def _account(run: Run, address: str) -> sip.Account:
    host, port = endpoint(run.target["registrar"], sip.PORT)
    return sip.Account(host, run.target["user"], run.target["password"], address, port)


def _talk(run: Run, account: sip.Account) -> dict[str, Any]:
    """Say how a call is to be held, whoever calls."""
    return {
        "seconds": float(run.target.get("seconds", 2.0)),
        "codec": str(run.target.get("media", "pcmu")).upper(),
        "timeout": run.timeout,
        "flows": run.flows,
        "helpers": _helpers(run, family(account.address)),
        "aside": run.row["aside"],
    }


def _helpers(run: Run, kind: socket.AddressFamily) -> path.Help:
    """Find the addresses of those who help the call's media out; who has none does not help."""
    found: dict[str, list[tuple[str, int]]] = {}
    qtype = "AAAA" if kind == socket.AF_INET6 else "A"
    for key in ("stun", "turn"):
        if text := run.target.get(key):
            host, port = endpoint(text, stun.PORT)
            known = [literal(host)] if literal(host) else _ask(run, host, qtype)["addresses"]
            found[key] = [(address, port) for address in known if address]
    server = None
    if found.get("turn"):
        who = (run.target.get("turn_user") or "", run.target.get("turn_password") or "")
        server = turn.Server(*found["turn"][0], *who)
    return path.Help(tuple(found.get("stun", ())[:2]), server)


def _skype(run: Run) -> None:
    run.row["skype"] = skype.measure(skype.Client(run.timeout, run.flows), run.target)


def _chat(run: Run) -> None:
    """Send a message; where the client kept it back, an ordinary one sends the same after it."""
    client = chat.Client(run.timeout, run.flows)
    peer, text = run.target["peer"], run.target["message"]
    if run.target["client"] == "skype":
        run.row["chat"] = {"client": client.send(peer, text) | {"requests": []}, "plain": None}
        return
    host = run.target["filter"]
    row = client.send_filtered(peer, text, host, lookup(run, host))
    plain = client.send(peer, text) if row["outcome"] == "withheld" else None
    run.row["chat"] = {"client": row, "plain": plain}


_KINDS: dict[str, Callable[[Run], None]] = {
    "web": _web,
    "dns": _dns,
    "tcp": _tcp,
    "udp": _udp,
    "sip": _sip,
    "call": _call,
    "skype": _skype,
    "skypeout": _skype,
    "chat": _chat,
}


def _safe(line: str, timeout: float, resolver: str | None) -> Row:
    """Measure one input line; what cannot be measured is answered with `error`."""
    named: Row = {"target": ""}
    try:
        target = json.loads(line)
        if isinstance(target, dict):
            named |= {key: target[key] for key in ("target", "kind") if key in target}
        return measure(target, timeout=timeout, resolver=resolver)
    except (ProbeError, OSError, ValueError, RecursionError) as error:
        return named | {"error": f"{error}; in {line.strip()[:200]}"}


def measure_lines(
    lines: Iterable[str], *, timeout: float, resolver: str | None, concurrency: int
) -> Iterable[Row]:
    """Measure each line's target, several at once; yield as they finish."""
    with ThreadPoolExecutor(concurrency) as pool:
        jobs = [pool.submit(_safe, line, timeout, resolver) for line in lines if line.strip()]
        for job in as_completed(jobs):
            yield job.result()


def main(argv: list[str] | None = None) -> int:
    """Run as a program; exit 1 when a line was no target."""
    parser = argparse.ArgumentParser(prog="filterbed.probe.measure", description=__doc__)
    parser.add_argument("--concurrency", type=int, default=CONCURRENCY)
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for each step")
    parser.add_argument("--resolver", help="address of the DNS server; the system's by default")
    options = parser.parse_args(argv)
    status = 0
    for row in measure_lines(
        sys.stdin,
        timeout=options.timeout,
        resolver=options.resolver,
        concurrency=options.concurrency,
    ):
        print(json.dumps(row), flush=True)
        status |= "error" in row
    return status


if __name__ == "__main__":
    sys.exit(main())
