"""Say what a target answers when nobody interferes, and which label that earns.

The words are those of a scenario's `baseline`: answers, dead-name, refused, reset, silent,
expired, self-signed, wrong-name, no-answer, hangs-up, one-way, lossy, congested, stalls, truncates,
delisted, filtered, bogus-name, portal, `status: N`, `redirect: HOST`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Mapping
from urllib.parse import urlsplit

from scenarios import access, chat, schema
from scenarios.ground import Ground
from scenarios.model import Label
from scenarios.strain import HEAD, strain, swallowed
from topologies.page import page
from topologies.service import Conduct, Echo, Resolver, Service, Sip, Skype, SkypePart, Turn, Web

AnyTarget = (
    schema.WebTarget
    | schema.DnsTarget
    | schema.TcpTarget
    | schema.UdpTarget
    | schema.SipTarget
    | schema.CallTarget
    | schema.SkypeTarget
    | schema.SkypeOutTarget
    | schema.ChatTarget
)
#: The ports a service listens on, by transport.
_PORTS: Mapping[type, Mapping[str, Collection[int]]] = {
    Web: {"tcp": {80, 443}, "udp": set()},
    Sip: {"tcp": {5060}, "udp": {5060}},
    Turn: {"tcp": {3478}, "udp": {3478}},
    Resolver: {"tcp": {53, 443, 853}, "udp": {53}},
}
_SKYPE: Mapping[SkypePart, Mapping[str, frozenset[int]]] = {
    "supernode": {"tcp": frozenset({33033, 80, 443}), "udp": frozenset({33033})},
    "login": {"tcp": frozenset({33033, 443}), "udp": frozenset()},
    "gateway": {"tcp": frozenset(), "udp": frozenset({12340})},
    "peer": {"tcp": frozenset({33033}), "udp": frozenset()},
}
_BROKEN = frozenset(
    {
        *("dead-name", "refused", "reset", "silent", "expired", "self-signed", "wrong-name"),
        *("no-answer", "one-way", "stalls", "truncates", "congested", "bogus-name", "portal"),
    }
)
#: What a call meets, by how the callee behaves.
_CONDUCTS: Mapping[Conduct, str] = {
    "answers": "answers",
    "busy": "status: 486",
    "wrong-codec": "status: 488",
    "no-answer": "no-answer",
    "hangs-up": "hangs-up",
    "mute": "one-way",
    "one-way": "one-way",
    "calls-back": "answers",
}


def host_of(target: AnyTarget) -> tuple[str, str]:
    """Return the host a target is about, and the key of the file that says so."""
    match target:
        case schema.WebTarget():
            return urlsplit(target.url).hostname or "", "url"
        case schema.DnsTarget():
            return target.name, "name"
        case schema.SipTarget():
            return target.registrar, "registrar"
        case schema.SkypeTarget():
            return target.login, "login"
        case schema.ChatTarget():
            return target.peer, "peer"
        case _:
            return target.host, "host"


def answer(target: AnyTarget, host: str, ground: Ground, *, version: int = 4) -> str:
    """Return the word for what `target` answers to the plan's node `host`.

    `version` is that of IP, over which it is asked.
    """
    return access.met(target, _answer(target, host, ground), host, ground, version=version)


def _answer(target: AnyTarget, host: str, ground: Ground) -> str:
    if isinstance(target, schema.SkypeTarget):
        return _skype(target, ground)
    if isinstance(target, schema.ChatTarget):
        return chat.answer(target, ground)
    name, _ = host_of(target)
    serving = serves(name, ground)
    if not serving:
        return "dead-name"
    if _bogus(name, host, serving, ground):
        return "bogus-name"
    match target:
        case schema.WebTarget():
            webs = [s for s in serving if isinstance(s, Web)]
            secure = target.url.startswith("https:")
            if not webs:
                return "refused"
            if target.via == "h3" and not webs[0].http3:
                return "refused"  # nobody listens there: its host says port unreachable
            word = _web(webs[0], secure, name, clients(host, ground))
            swallowed = target.via != "h3" and _gone(webs[0], host, ground)
            return "stalls" if word == "answers" and swallowed else word
        case schema.DnsTarget():
            return _asked(target, ground)
        case schema.SipTarget():
            sips = [s for s in serving if isinstance(s, Sip)]
            return _phone(target, sips[0], host, ground) if sips else "refused"
        case schema.UdpTarget():
            return _datagram(target, serving)
        case _:
            return _port(serving, target.kind, target.port)


def serves(name: str, ground: Ground) -> list[Service]:
    """Return the services behind a name or an address."""
    return [s for s in ground.services if name in s.names or name in s.addresses]


def clients(host: str, ground: Ground) -> tuple[str, ...]:
    """Return the addresses from which a node speaks."""
    return ground.plan.seen(host)


def _asked(target: schema.DnsTarget, ground: Ground) -> str:
    """Return what the resolver a question is sent to answers; the usual one always does."""
    asked = [s for s in serves(target.resolver or "", ground) if isinstance(s, Resolver)]
    return asked[0].manner if asked else "answers"


def _bogus(name: str, host: str, serving: list[Service], ground: Ground) -> bool:
    """Whether a node's recursor refuses to believe the signatures of a name."""
    if not any(
        isinstance(s, Web) and s.signature == "expired" and name in s.names for s in serving
    ):
        return False
    # A host that the file places wrongly is left out of the plan: then nothing more is said of it.
    resolvers = {n.resolver for n in ground.plan.nodes if n.name == host and n.resolver}
    asked = [n for n in ground.plan.nodes if resolvers & {*ground.plan.addresses(n.name)}]
    return any(node.validates for node in asked)


def _web(web: Web, secure: bool, name: str, client: Iterable[str]) -> str:
    if web.manner in ("refused", "silent", "reset"):
        return web.manner
    if secure and web.certificate != "valid":
        return web.certificate
    if secure and name not in web.names:
        return "wrong-name"
    if web.store and any(_within(address, web.store.absent) for address in client):
        return "delisted"
    status, location = web.status, web.location
    for rule in web.geo:
        if any(_within(address, rule.prefixes) for address in client):
            status, location = rule.status, rule.location
            break
    else:
        if web.manner in ("stalls", "truncates"):
            return web.manner
    if location is not None:
        return f"redirect: {urlsplit(location).hostname}"
    return "answers" if status == 200 else f"status: {status}"


def _gone(web: Web, host: str, ground: Ground) -> bool:
    size = HEAD + len(page(web.title, web.id))
    return swallowed(ground.plan, host, web.node, size)


def _phone(target: schema.SipTarget, sip: Sip, host: str, ground: Ground) -> str:
    if sip.manner != "answers" or not isinstance(target, schema.CallTarget):
        return sip.manner
    if (target.user or next(iter(dict(sip.users)))) in sip.unpaid:
        return "status: 403"
    met = _CONDUCTS[sip.conduct(target.callee)]
    if met == "answers" and ":" not in sip.addresses[0] and not _heard(target, host, ground):
        return "one-way"
    return met if met != "answers" else strain(ground.plan, host, sip.node)


def _heard(target: schema.CallTarget, host: str, ground: Ground) -> bool:
    """Whether a caller can name an address at which its audio arrives."""
    gateway = ground.plan.gateway(host)
    if gateway is None or _helps(target.turn, ground):
        return True
    return gateway.nat == "cone" and _helps(target.stun, ground)


def _helps(name: str | None, ground: Ground) -> bool:
    """Whether somebody answers STUN and TURN under this name."""
    serving = serves(name, ground) if name else []
    return any(isinstance(one, Turn) and one.manner == "answers" for one in serving)


def parts(target: schema.SkypeTarget) -> tuple[tuple[str, SkypePart, str], ...]:
    """Return the services a Skype client uses, in order: key, part, and the service's id."""
    found: list[tuple[str, SkypePart, str]] = [("hosts", "supernode", id) for id in target.hosts]
    found.append(("login", "login", target.login))
    if isinstance(target, schema.SkypeOutTarget):
        found.append(("gateway", "gateway", target.gateway))
    return tuple(found)


def skype(ground: Ground, id: str, part: SkypePart) -> Skype | None:
    """Return a part of Skype's network by its id; None where no service is that."""
    known = [s for s in ground.services if isinstance(s, Skype) and s.part == part]
    return next((service for service in known if service.id == id), None)


def _skype(target: schema.SkypeTarget, ground: Ground) -> str:
    """Return what the first part that fails answers: supernodes fail together only."""
    held = [(key, skype(ground, id, part)) for key, part, id in parts(target)]
    for wanted in ("hosts", "login", "gateway"):
        manners = {service.manner for key, service in held if service and key == wanted}
        if manners == {"silent"}:
            return "silent"
    return "answers"


def _within(address: str, prefixes: Iterable[str]) -> bool:
    one = ipaddress.ip_address(address)
    return any(one in ipaddress.ip_network(prefix) for prefix in prefixes)


def _datagram(target: schema.UdpTarget, serving: list[Service]) -> str:
    """Return what a datagram meets: a server answers what it understands."""
    found = _port(serving, "udp", target.port)
    here = [one for one in serving if target.port in _listening(one)["udp"]]
    understood = any(isinstance(one, Turn) for one in here) == (target.asks == "stun")
    understood &= not any(isinstance(one, Web) for one in here)
    return "silent" if found == "answers" and not understood else found


def _port(serving: list[Service], transport: str, port: int) -> str:
    """Return what a bare connection or datagram meets; a server's own RST comes only later."""
    for service in serving:
        if port in _listening(service)[transport]:
            return service.manner if service.manner in ("refused", "silent") else "answers"
    return "refused"


def _listening(service: Service) -> Mapping[str, Collection[int]]:
    if isinstance(service, Echo):
        return {"tcp": (), "udp": (service.port,)}
    if isinstance(service, Web) and service.http3:
        return {"tcp": {80, 443}, "udp": {443}}
    return _SKYPE[service.part] if isinstance(service, Skype) else _PORTS[type(service)]


def label(word: str, control: str) -> Label:
    """Return the label a word earns, given what the control is answered.

    What everybody meets is `ok` or `down`; a refusal or a redirect that the control does not meet
    is the server's choice of its clients: blocked, server_side. But a proxy's word that a server
    cannot be reached, where the control cannot reach it either, is no refusal of anybody.
    """
    if word == "delisted":
        if word == control:
            return Label("down")
        return Label("blocked", frozenset({"app.store.delisted"}), "server_side")
    if word == "filtered":
        return Label("blocked", frozenset({"app"}), "client_side")
    if word in _BROKEN:
        return Label("down")
    kind, _, detail = word.partition(": ")
    refusing = kind == "status" and int(detail) >= 400
    if refusing and control in _BROKEN and int(detail) in access.GATEWAY:
        return Label("down")
    if word != control and (refusing or kind == "redirect"):
        mechanism = "http.redirect.geo" if kind == "redirect" else "http.error.geo"
        return Label("blocked", frozenset({mechanism}), "server_side")
    return Label("down" if refusing else "ok")
