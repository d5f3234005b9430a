"""Load a policy document: find everything that is wrong with it, or compile it into rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from ipaddress import ip_network
from typing import Any, Final

from censor import document as doc
from censor import rules
from censor.action import Allow
from censor.complaint import Problem
from censor.document import PolicyDocument
from censor.enactment import enact
from censor.errors import PolicyError
from censor.problem import problems
from censor.quantity import seconds
from censor.rules import App, Policy
from censor.wire import Protocol

__all__ = ["InvalidPolicy", "Policy", "PolicyDocument", "Problem", "load", "problems", "scaled"]

#: How long after the trigger an injection leaves, in seconds, where a policy does not say.
LATENCY: Final = {"on-path": 0.002, "in-path": 0.0}

_PROTOCOLS: Final = {
    "tcp": frozenset({int(Protocol.TCP)}),
    "udp": frozenset({int(Protocol.UDP)}),
    "icmp": frozenset({int(Protocol.ICMP), int(Protocol.ICMP6)}),
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
        copy["latency"] = seconds(copy["latency"])
    if "idle" in copy.get("limits", {}):
        copy["limits"]["idle"] = seconds(copy["limits"]["idle"])
    elif clock_rate != 1:
        copy.setdefault("limits", {})["idle"] = doc.LimitsDocument().idle
    if clock_rate != 1:
        copy["limits"]["idle"] /= clock_rate
    for rule in copy.get("rules", ()):
        for act in rule["then"] if isinstance(rule["then"], list) else [rule["then"]]:
            if act.get("residual"):
                length = seconds(act["residual"]["seconds"]) / clock_rate
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
    acts = tuple(enact(act, document) for act in rule.then if not isinstance(act, Allow))
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
