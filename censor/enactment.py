"""Compile the acts of a policy document."""

from __future__ import annotations

from dataclasses import replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import Final, assert_never

from censor import act as acts
from censor import action as doc
from censor.document import PolicyDocument
from censor.quantity import RandomRange
from censor.wire import TcpFlag

_RCODES: Final = {None: 0, "servfail": 2, "nxdomain": 3, "refused": 5}
_LETTERS: Final = {flag.name[0]: int(flag) for flag in TcpFlag if flag.name} | {
    "E": int(TcpFlag.ECE),
    "C": int(TcpFlag.CWR),
}


def _number(value: int | str | RandomRange) -> acts.Number:
    if isinstance(value, RandomRange):
        return acts.Number(min(value.random), max(value.random))
    if isinstance(value, int):
        return acts.Number(value, value)
    return acts.Number(0, 0, mirror=True) if value == "mirror" else acts.Number(0, 0xFFFF)


def enact(
    act: doc.Drop | doc.Reset | doc.DnsAnswer | doc.BlockPage, document: PolicyDocument
) -> acts.Act:
    """Compile one act of a document."""
    match act:
        case doc.Drop():
            own: acts.Act = acts.Drop(act.drop == "flow", acts.Toward(act.toward))
        case doc.Reset():
            own = acts.Reset(
                toward=acts.Toward(act.toward),
                count=act.count or len(act.offsets),
                flags=sum(_LETTERS[letter] for letter in set(act.flags)),
                offsets=tuple(act.offsets),
                window=_number(act.window),
                header=_header(act),
                drop=act.request == "drop",
            )
        case doc.DnsAnswer():
            own = _answer(act, document)
        case doc.BlockPage():
            own = acts.BlockPage(
                response=_response(act),
                ending=act.then,
                reset_server=act.reset_server,
                header=_header(act),
                drop=_drops(act, document),
            )
        case _:
            assert_never(act)
    return own if act.residual is None else _with_residual(own, act.residual, document)


def _with_residual(act: acts.Act, residual: doc.Residual, document: PolicyDocument) -> acts.Act:
    if residual.then is not None:
        then = enact(residual.then, document)
    elif isinstance(act, acts.Drop):
        then = replace(act, flow=False)
    else:
        then = act
    memory = acts.Residual(
        key=residual.key,
        seconds=residual.seconds,
        renew=residual.renew,
        data_only=residual.on == "data",
        then=(then,),
    )
    return replace(act, residual=memory)


def _header(act: doc.Forgery) -> acts.Header:
    return acts.Header(_number(act.ttl), _number(act.ip_id), act.df)


def _drops(act: doc.Forgery, document: PolicyDocument) -> bool:
    """An answer forged in-path stands instead of the real one unless the policy says otherwise."""
    if act.request is None:
        return document.position == "in-path"
    return act.request == "drop"


def _answer(act: doc.DnsAnswer, document: PolicyDocument) -> acts.DnsAnswer:
    listed = document.pools[act.addresses] if isinstance(act.addresses, str) else act.addresses
    raw = [ip_address(text).packed for text in listed or ()]
    pick = {"one": 1, "all": None}[act.pick] if isinstance(act.pick, str) else act.pick
    return acts.DnsAnswer(
        rcode=_RCODES[act.rcode],
        v4=tuple(address for address in raw if len(address) == 4),
        v6=tuple(address for address in raw if len(address) == 16),
        pick=pick,
        answer_ttl=_number(act.answer_ttl),
        authoritative=act.aa,
        recursion=act.ra,
        otherwise=act.otherwise,
        over_tcp=act.over_tcp,
        header=_header(act),
        drop=_drops(act, document),
    )


def _response(page: doc.BlockPage) -> bytes:
    """Write the whole HTTP response out; Source: RFC 9112 section 4."""
    body = page.body.encode()
    try:
        reason = HTTPStatus(page.status).phrase
    except ValueError:
        reason = ""
    fields = {"Content-Type": "text/html; charset=utf-8"} | page.headers
    if page.location is not None:
        fields["Location"] = page.location
    fields |= {"Content-Length": str(len(body)), "Connection": "close"}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {page.status} {reason}\r\n{head}\r\n".encode() + body
