"""Load a policy document: find everything that is wrong with it, or compile it into rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import replace
from http import HTTPStatus
from ipaddress import ip_address, ip_network
from typing import Any, Final, assert_never

from censor import document as doc
from censor import rules
from censor.document import PolicyDocument
from censor.errors import PolicyError
from censor.problem import Problem, problems
from censor.rules import App, Policy
from censor.wire import Protocol, TcpFlag

__all__ = ["InvalidPolicy", "Policy", "PolicyDocument", "Problem", "load", "problems", "scaled"]

#: How long after the trigger an injection leaves, in seconds, where a policy does not say.
LATENCY: Final = {"on-path": 0.002, "in-path": 0.0}

_PROTOCOLS: Final = {
    "tcp": frozenset({int(Protocol.TCP)}),
    "udp": frozenset({int(Protocol.UDP)}),
    "icmp": frozenset({int(Protocol.ICMP), int(Protocol.ICMP6)}),
}
_RCODES: Final = {None: 0, "servfail": 2, "nxdomain": 3, "refused": 5}
_LETTERS: Final = {flag.name[0]: int(flag) for flag in TcpFlag if flag.name} | {
    "E": int(TcpFlag.ECE),
    "C": int(TcpFlag.CWR),
}


class InvalidPolicy(PolicyError):
    """A document that cannot be used; `details` holds every problem."""

    def __init__(self, details: Sequence[Problem]) -> None:
        self.details = tuple(details)
        super().__init__(str(problem) for problem in self.details)


def load(document: Mapping[str, Any]) -> Policy:
    """Compile a document.

    Raises: InvalidPolicy, with every problem at once.
    """
    found = problems(document)
    if found:
        raise InvalidPolicy(found)
    return _policy(PolicyDocument.model_validate(document))


def scaled(document: Mapping[str, Any], clock_rate: float) -> dict[str, Any]:
    """Return the document with durations in seconds, and those of memory divided by `clock_rate`.

    Divided are how long residual memories last and after what silence a flow is forgotten; latency
    stays real.

    Raises: InvalidPolicy.
    """
    found = problems(document)
    if found:
        raise InvalidPolicy(found)
    copy = deepcopy(dict(document))
    if "latency" in copy:
        copy["latency"] = doc.seconds(copy["latency"])
    if "idle" in copy.get("limits", {}):
        copy["limits"]["idle"] = doc.seconds(copy["limits"]["idle"])
    elif clock_rate != 1:
        copy.setdefault("limits", {})["idle"] = doc.LimitsDocument().idle
    if clock_rate != 1:
        copy["limits"]["idle"] /= clock_rate
    for rule in copy.get("rules", ()):
        for act in rule["then"] if isinstance(rule["then"], list) else [rule["then"]]:
            if act.get("residual"):
                length = doc.seconds(act["residual"]["seconds"]) / clock_rate
                act["residual"]["seconds"] = length
    return copy


def _policy(document: PolicyDocument) -> Policy:
    in_path = document.position == "in-path"
    latency = LATENCY[document.position] if document.latency is None else document.latency
    compiled = [_rule(rule, document) for rule in document.rules]
    tcp = document.tcp
    require = {True: "full", False: "none"}.get(tcp.require_handshake is True, "none")
    if tcp.require_handshake == "syn":
        require = "syn"
    return Policy(
        in_path=in_path,
        latency=latency,
        tcp=rules.Tcp(tcp.reassemble, tcp.overlap, require, tcp.verify_checksum, tcp.limit),
        readings=_readings(document),
        limits=rules.Limits(**document.limits.model_dump()),
        exceptions=tuple(rule for rule in compiled if rule.allows),
        rules=tuple(rule for rule in compiled if not rule.allows),
    )


def _readings(document: PolicyDocument) -> Mapping[App, rules.Reading]:
    def over(words: Iterable[str]) -> frozenset[int]:
        return frozenset().union(*(_PROTOCOLS[word] for word in words))

    dns, http, tls, sip = document.dns, document.http, document.tls, document.sip
    return {
        App.DNS: rules.Reading(
            _port_set(dns.ports), over(dns.over), questions=dns.several_questions
        ),
        App.HTTP: rules.Reading(_port_set(http.ports), over(["tcp"]), later=http.requests == "all"),
        App.TLS: rules.Reading(
            _port_set(tls.ports), over(["tcp"]), later=False, records=tls.join_records
        ),
        App.SIP: rules.Reading(_port_set(sip.ports), over(sip.over)),
    }


def _rule(rule: doc.Rule, document: PolicyDocument) -> rules.Rule:
    acts = tuple(_act(act, document) for act in rule.then if not isinstance(act, doc.Allow))
    return rules.Rule(rule.id, _when(rule.when), acts, rule.chance)


def _when(when: doc.When) -> rules.When:
    app, names = next(
        (
            (app, names)
            for app, names in (
                (App.DNS, when.dns_name),
                (App.HTTP, when.http_host),
                (App.TLS, when.tls_sni),
                (App.SIP, when.sip_host),
            )
            if names is not None
        ),
        (None, None),
    )
    if when.dns_qtype is not None:
        app = App.DNS
    if when.sip_method is not None:
        app = App.SIP
    return rules.When(
        client=_prefixes(when.client_address),
        server=_prefixes(when.server_address),
        client_ports=None if when.client_port is None else _port_set(when.client_port),
        server_ports=None if when.server_port is None else _port_set(when.server_port),
        protocols=None if when.protocol is None else _PROTOCOLS[when.protocol],
        inside={"outbound": True, "inbound": False, "both": None}[when.direction],
        app=app,
        name=None if names is None else _names(names),
        methods=None
        if when.sip_method is None
        else frozenset(method.upper() for method in when.sip_method),
        qtypes=None
        if when.dns_qtype is None
        else frozenset(q if isinstance(q, int) else doc.QTYPES[q] for q in when.dns_qtype),
        negated=None if when.negated is None else _when(when.negated),
    )


def _names(names: doc.Names) -> rules.Names:
    def plain(words: Iterable[str]) -> Iterable[str]:
        return (word.lower().strip(".") for word in words)

    substrings = tuple(word.lower() for word in names.substring)
    return rules.Names(frozenset(plain(names.exact)), frozenset(plain(names.suffix)), substrings)


def _prefixes(networks: Iterable[str] | None) -> rules.Prefixes | None:
    if networks is None:
        return None
    parsed = (ip_network(text) for text in networks)
    return rules.Prefixes.of((net.network_address.packed, net.prefixlen) for net in parsed)


def _port_set(ports: Sequence[int | str] | str) -> frozenset[int] | None:
    if isinstance(ports, str):
        return None
    chosen: set[int] = set()
    for port in ports:
        low, _, high = str(port).partition("-")
        chosen.update(range(int(low), int(high or low) + 1))
    return frozenset(chosen)


def _number(value: int | str | doc.RandomRange) -> rules.Number:
    if isinstance(value, doc.RandomRange):
        return rules.Number(min(value.random), max(value.random))
    if isinstance(value, int):
        return rules.Number(value, value)
    return rules.Number(0, 0, mirror=True) if value == "mirror" else rules.Number(0, 0xFFFF)


def _act(
    act: doc.Drop | doc.Reset | doc.DnsAnswer | doc.BlockPage, document: PolicyDocument
) -> rules.Act:
    match act:
        case doc.Drop():
            own: rules.Act = rules.Drop(act.drop == "flow", rules.Toward(act.toward))
        case doc.Reset():
            own = rules.Reset(
                toward=rules.Toward(act.toward),
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
            own = rules.BlockPage(
                response=_response(act),
                ending=act.then,
                reset_server=act.reset_server,
                header=_header(act),
                drop=_drops(act, document),
            )
        case _:
            assert_never(act)
    return own if act.residual is None else _with_residual(own, act.residual, document)


def _with_residual(act: rules.Act, residual: doc.Residual, document: PolicyDocument) -> rules.Act:
    if residual.then is not None:
        then = _act(residual.then, document)
    elif isinstance(act, rules.Drop):
        then = replace(act, flow=False)
    else:
        then = act
    memory = rules.Residual(
        key=residual.key,
        seconds=residual.seconds,
        renew=residual.renew,
        data_only=residual.on == "data",
        then=(then,),
    )
    return replace(act, residual=memory)


def _header(act: doc.Forgery) -> rules.Header:
    return rules.Header(_number(act.ttl), _number(act.ip_id), act.df)


def _drops(act: doc.Forgery, document: PolicyDocument) -> bool:
    """An answer forged in-path stands instead of the real one unless the policy says otherwise."""
    if act.request is None:
        return document.position == "in-path"
    return act.request == "drop"


def _answer(act: doc.DnsAnswer, document: PolicyDocument) -> rules.DnsAnswer:
    listed = document.pools[act.addresses] if isinstance(act.addresses, str) else act.addresses
    raw = [ip_address(text).packed for text in listed or ()]
    pick = {"one": 1, "all": None}[act.pick] if isinstance(act.pick, str) else act.pick
    return rules.DnsAnswer(
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
