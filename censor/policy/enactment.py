"""Compile the acts of a policy document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any, Final, assert_never

from censor.policy import action as doc
from censor.policy.quantity import RandomRange, Varied
from censor.rule import act as acts
from censor.rule.takeover import Forgery
from censor.wire.number import TcpFlag

_RCODES: Final = {None: 0, "servfail": 2, "nxdomain": 3, "refused": 5}
_LETTERS: Final = {flag.name[0]: int(flag) for flag in TcpFlag if flag.name} | {
    "E": int(TcpFlag.ECE),
    "C": int(TcpFlag.CWR),
    "N": 0x100,  # the nonce sum of RFC 3540, historic
}

#: Codes of "destination unreachable" in ICMP and in ICMPv6.
#: Source: https://www.iana.org/assignments/icmp-parameters, RFC 1812 section 5.2.7.1, RFC 4443
#: section 3.1.
_CODES: Final[Mapping[str | int, tuple[int, int]]] = {
    "net": (0, 0),
    "host": (1, 3),
    "port": (3, 4),
    "net-prohibited": (9, 1),
    "host-prohibited": (10, 1),
    "admin-prohibited": (13, 1),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """Where an act stands: its name in the policy, the box's position, the policy's pools."""

    name: str
    in_path: bool
    pools: Mapping[str, Sequence[str]]

    def number(self, value: int | str | RandomRange | Varied, field: str) -> acts.Number:
        """Compile a header field."""
        if isinstance(value, int):
            return acts.Number(value, value)
        if isinstance(value, str):
            return acts.Number(0, 0, mirror=True) if value == "mirror" else acts.Number(0, 0xFFFF)
        if value.random is not None:
            return acts.Number(min(value.random), max(value.random))
        if isinstance(value, Varied) and value.cycle is not None:
            low, high = min(value.cycle), max(value.cycle)
            return acts.Number(low, high, step=value.step, name=f"{self.name}.{field}")
        return acts.Number(0, 0, mirror=True, shift=getattr(value, "mirror", None) or 0)

    def maybe(self, value: int | str | Varied | None, field: str) -> acts.Number | None:
        """Compile a header field that may be left alone."""
        return None if value is None else self.number(value, field)


def enact(act: doc.AnyAct, setting: Setting) -> acts.Act:
    """Compile one act of a document."""
    own = replace(_enact(act, setting), name=setting.name, chance=act.chance)
    return own if act.residual is None else _with_residual(own, act.residual, setting)


def _enact(act: doc.AnyAct, setting: Setting) -> acts.Act:
    match act:
        case doc.Drop():
            return acts.Drop(act.drop == "flow", acts.Toward(act.toward))
        case doc.Reset() | doc.Fin():
            return acts.Reset(
                toward=acts.Toward(act.toward),
                count=act.count or len(act.offsets),
                flags=tcp_flags(act.flags),
                offsets=tuple(act.offsets),
                window=setting.number(act.window, "window"),
                header=_header(act, setting),
                drop=act.request == "drop",
                payload=bytes.fromhex(act.payload),
                own_number=act.base == "own",
            )
        case doc.SynAck():
            window = setting.number(act.window, "window")
            return acts.SynAck(window, _header(act, setting), act.request == "drop")
        case doc.Impostor():
            return acts.Impostor(
                window=setting.number(act.window, "window"),
                header=_header(act, setting),
                drop=_drops(act, setting),
                data=act.data,
                reset_flags=tcp_flags(act.reset_flags),
                response=_response(act) if act.data == "page" else b"",
                ending=act.then,
            )
        case doc.Probe():
            return acts.Probe(
                sources=tuple(ip_address(text).packed for text in act.sources),
                after=act.after,
                confirm=frozenset(act.confirm),
                window=setting.number(act.window, "window"),
                header=_header(act, setting),
                drop=act.request == "drop",
            )
        case doc.DnsAnswer():
            waits = act.when != "before"
            return replace(
                _answer(act, setting),
                over_tcp=act.over_tcp,
                moment=act.when,
                drop=_drops(act, setting) and not waits,
            )
        case doc.RewriteAnswer():
            return replace(_answer(act, setting), moment="instead", over_tcp=act.over_tcp)
        case doc.BlockPage():
            return acts.BlockPage(
                response=_response(act),
                ending=act.then,
                reset_server=act.reset_server,
                header=_header(act, setting),
                drop=_drops(act, setting),
                reset_flags=tcp_flags(act.reset_flags),
            )
        case doc.Unreachable():
            code, code6 = _CODES.get(act.code, (act.code, act.code))
            return acts.Unreachable(
                code=int(code),
                code6=int(code6),
                sources=tuple(ip_address(text).packed for text in act.sources),
                header=_header(act, setting),
                drop=_drops(act, setting),
            )
        case doc.SipResponse():
            header, drop = _header(act, setting), _drops(act, setting)
            return acts.SipResponse(act.status, act.reason, header, drop)
        case doc.SipBye() | doc.SipCancel():
            toward = acts.Toward(act.toward) if isinstance(act, doc.SipBye) else acts.Toward.BOTH
            return acts.SipEnd(
                cancel=isinstance(act, doc.SipCancel),
                toward=toward,
                header=_header(act, setting),
                drop=act.request == "drop",
                after=act.after,
            )
        case doc.Intercept():
            return acts.Intercept(Forgery(act.issuer, own=act.signed == "self"))
        case _:
            return _burden(act, setting)


def _burden(act: doc.AnyBurden, setting: Setting) -> acts.Act:
    aim: dict[str, Any] = {"toward": acts.Toward(act.toward), "lasting": act.lasting}
    match act:
        case doc.Police():
            return acts.Police(rate=act.police / 8, burst=act.burst, per=act.per, **aim)
        case doc.Shape():
            return acts.Shape(
                rate=act.shape / 8, burst=act.burst, queue=act.queue, per=act.per, **aim
            )
        case doc.Delay():
            return acts.Delay(seconds=act.delay, jitter=act.jitter, **aim)
        case doc.Thin():
            return acts.Thin(loss=act.thin, **aim)
        case doc.Cut():
            packets = act.cut.packets
            return acts.Cut(
                packets=None if packets is None else setting.number(packets, "packets"),
                size=act.cut.bytes,
                seconds=act.cut.seconds,
                counting=acts.Toward(act.counting),
                data_only=act.data_only,
                per=act.per,
                **aim,
            )
        case doc.RewriteReset():
            return acts.RewriteReset(flags=tcp_flags(act.flags), **aim)
        case doc.RewriteHeader():
            return acts.RewriteHeader(
                ttl=setting.maybe(act.ttl, "ttl"),
                ip_id=setting.maybe(act.ip_id, "ip_id"),
                window=setting.maybe(act.window, "window"),
                flags=None if act.flags is None else tcp_flags(act.flags),
                spoil=act.spoil,
                bad_checksum=act.bad_checksum,
                **aim,
            )
        case _:
            assert_never(act)


def tcp_flags(letters: str) -> int:
    """Return flags by their letters."""
    return sum(_LETTERS[letter] for letter in set(letters))


def _with_residual(act: acts.Act, residual: doc.Residual, setting: Setting) -> acts.Act:
    if residual.then is not None:
        then = tuple(
            enact(one, replace(setting, name=f"{setting.name}.then[{index}]"))
            for index, one in enumerate(residual.then)
        )
    elif isinstance(act, acts.Drop):
        then = (replace(act, flow=False),)
    else:
        then = (act,)
    memory = acts.Residual(
        key=residual.key,
        seconds=residual.seconds,
        renew=residual.renew,
        data_only=residual.on == "data",
        then=then,
        after=residual.after,
    )
    return replace(act, residual=memory)


def _header(act: doc.Forgery, setting: Setting) -> acts.Header:
    ttl, ip_id = setting.number(act.ttl, "ttl"), setting.number(act.ip_id, "ip_id")
    return acts.Header(ttl, ip_id, act.df, act.latency)


def _drops(act: doc.Forgery, setting: Setting) -> bool:
    """An answer forged in-path stands instead of the real one unless the policy says otherwise."""
    return setting.in_path if act.request is None else act.request == "drop"


def _answer(act: doc.Answer, setting: Setting) -> acts.DnsAnswer:
    listed = setting.pools[act.addresses] if isinstance(act.addresses, str) else act.addresses
    raw = [ip_address(text).packed for text in listed or ()]
    picks: Mapping[str | int, int | None] = {"one": 1, "all": None, "in-turn": 1}
    return acts.DnsAnswer(
        rcode=_RCODES[act.rcode],
        v4=tuple(address for address in raw if len(address) == 4),
        v6=tuple(address for address in raw if len(address) == 16),
        pick=picks[act.pick] if isinstance(act.pick, str) else act.pick,
        answer_ttl=setting.number(act.answer_ttl, "answer_ttl"),
        authoritative=act.aa,
        recursion=act.ra,
        otherwise=act.otherwise,
        over_tcp="nothing",
        header=_header(act, setting),
        drop=_drops(act, setting),
        in_turn=act.pick == "in-turn",
        cname=None if act.cname is None else _name(act.cname),
    )


def _name(text: str) -> bytes:
    """Write a domain name out; Source: RFC 1035 section 3.1."""
    labels = text.rstrip(".").split(".")
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


def _response(page: doc.Page) -> bytes:
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
