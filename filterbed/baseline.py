"""Say whether a measurement is exactly what a target's baseline promises.

The control pass is strict: a testbed whose own network is not as declared judges nobody.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

from filterbed import captive

Part = Mapping[str, Any]
Problems = list[str]

#: The least share of a call's packets that must come back from a callee that only echoes. Below 1,
#: because the call ends while the last packets are still on their way.
MEDIA_SHARE: Final = 0.8
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_CERTIFICATES: Final = ("expired", "self-signed", "wrong-name")


@dataclass(frozen=True, slots=True)
class _Case:
    """One measurement under one word; `detail` is what follows the word's colon."""

    measurement: Part
    target: Part
    detail: str
    expected: frozenset[str]

    @property
    def kind(self) -> str:
        return str(self.measurement["kind"])

    @property
    def secure(self) -> bool:
        return str(self.target.get("url", "")).startswith("https:")

    @property
    def first(self) -> str:
        """The part that says whether the server was reached: `quic` where it is asked over that."""
        return "quic" if self.target.get("via") == "h3" else "tcp"

    @property
    def last(self) -> str:
        """The part that says whether its certificate is good."""
        return "quic" if self.first == "quic" else "tls"


def holds(
    word: str, measurement: Part, target: Part, expected_addresses: Sequence[str]
) -> Problems:
    """Return what differs from the baseline word (contract, section 4); empty when nothing does.

    `expected_addresses` are all the name has in the sandbox's zone; those of families the target
    does not ask for are left out here.
    """
    if "error" in measurement:
        return [f"not measured: {measurement['error']}"]
    name, _, detail = word.partition(":")
    check = _WORDS.get(name.strip())
    if check is None:
        known = ", ".join(_WORDS)
        return [f"baseline {word!r} is no word this can check; expected one of {known}"]
    if str(target.get("qtype", "A")).upper() == "AAAA":
        families = [6]
    else:
        families = target.get("families", [4])
    expected = frozenset(
        address
        for address in map(str, map(ipaddress.ip_address, expected_addresses))
        if ipaddress.ip_address(address).version in families
    )
    return check(_Case(measurement, target, detail.strip(), expected))


def _resolved(case: _Case) -> Problems:
    """DNS gives exactly the expected addresses; a target without a name asks no DNS."""
    dns = case.measurement["dns"]
    if dns is None:
        return []
    if dns["rcode"] != "NOERROR":
        return [f"dns {dns['name']}: {dns['rcode']}, expected NOERROR"]
    if case.kind == "dns" and dns["qtype"].upper() not in ("A", "AAAA"):
        return [] if dns["records"] else [f"dns {dns['name']} {dns['qtype']}: no records"]
    found = frozenset(dns["addresses"])
    if found != case.expected:
        return [f"dns {dns['name']}: {_list(found)}, expected {_list(case.expected)}"]
    return []


def _list(words: frozenset[str]) -> str:
    return ", ".join(sorted(words)) or "no address"


def _rows(case: _Case, layer: str, outcome: str) -> Problems:
    """Every row of a layer has this outcome, and there is one at least."""
    rows = case.measurement[layer]
    if not rows:
        return [f"{layer}: nothing was tried, expected {outcome}"]
    return [
        f"{layer} {row['address']}: {_said(row)}, expected {outcome}"
        for row in rows
        if row["outcome"] != outcome
    ]


def _said(row: Part) -> str:
    return f"{row['outcome']} ({row['error']})" if row.get("error") else str(row["outcome"])


def _reached(case: _Case) -> Problems:
    """Names, connections to every address, and TLS are as they should be."""
    problems = _resolved(case) + _rows(case, case.first, "ok")
    if case.secure and case.last != case.first:
        problems += _rows(case, case.last, "ok")
    return problems


def _status(case: _Case, wanted: int) -> Problems:
    rows = case.measurement["http"]
    problems = _rows(case, "http", "ok")
    return problems + [
        f"http {row['address']}: status {row['status']}, expected {wanted}"
        for row in rows
        if row["outcome"] == "ok" and row["status"] != wanted
    ]


def _answers(case: _Case) -> Problems:
    match case.kind:
        case "web":
            return _reached(case) + _status(case, 200)
        case "tcp":
            return _reached(case)
        case "udp":
            return _resolved(case) + _rows(case, "udp", "ok")
        case "sip":
            return _resolved(case) + _part(case, "register", "ok", 200)
        case "call":
            return _up(case) or _media(case)
        case "skype" | "skypeout":
            return _found(case)
        case "dns" if case.target.get("via"):
            return _over_tls(case)
        case "chat":
            return _delivered(case, "ok")
        case _:
            return _resolved(case)


def _found(case: _Case) -> Problems:
    """A supernode answered datagrams, the login went well, and so did the call if there was one."""
    parts = case.measurement["skype"]
    if parts["bootstrap"]["by"] != "udp":
        return [f"skype: a supernode was found by {parts['bootstrap']['by']}, expected by udp"]
    wanted = ("login", "gateway") if case.kind == "skypeout" else ("login",)
    for name in wanted:
        part = parts[name]
        if part is None or part["outcome"] != "ok":
            return [f"skype {name}: {part['outcome'] if part else 'not tried'}, expected ok"]
    lost = parts["gateway"] and parts["gateway"]["sent"] - parts["gateway"]["received"]
    return [f"skype gateway: {lost} datagrams were not answered, expected none"] if lost else []


def _over_tls(case: _Case) -> Problems:
    """The resolver was reached and trusted, and answered."""
    problems = _rows(case, "tcp", "ok") + _rows(case, "tls", "ok")
    return problems or (_resolved(case) if case.measurement["dns"] else ["dns: not asked"])


def _delivered(case: _Case, outcome: str) -> Problems:
    """The message met this at the client's hands, and an ordinary client's arrived."""
    found = case.measurement["chat"]
    problems = []
    if found["client"]["outcome"] != outcome:
        problems.append(f"chat: {found['client']['outcome']}, expected {outcome}")
    if found["plain"] and found["plain"]["outcome"] != "ok":
        problems.append(f"chat, an ordinary client's: {found['plain']['outcome']}, expected ok")
    return problems + [
        f"chat {row['path']}: {row['outcome']} {row['status'] or ''}".rstrip() + ", expected ok 200"
        for row in found["client"]["requests"]
        if (row["outcome"], row["status"]) != ("ok", 200)
    ]


def _part(case: _Case, name: str, outcome: str, code: int | None) -> Problems:
    part = case.measurement["sip"][name]
    if part is None:
        return [f"sip {name}: not tried, expected {outcome} {code or ''}".rstrip()]
    if (part["outcome"], part["code"]) == (outcome, code):
        return []
    found = f"{part['outcome']} {part['code'] or ''}".rstrip()
    return [f"sip {name}: {found}, expected {outcome} {code or ''}".rstrip()]


def _media(case: _Case) -> Problems:
    call = case.measurement["sip"]["call"]
    problems = ["rtp: the call was ended by a BYE that was not ours"] if call["cut"] else []
    told = call.get("account") is not None  # what the callee sent and heard
    return problems + (_both_ways(call) if told else _echoed(call))


def _both_ways(call: Part) -> Problems:
    """Media went both ways and nothing of it was lost."""
    return [
        f"rtp {name.replace('_', ' ')}: {way['received']} of {way['sent']} came, expected all"
        for name, way in call["media"].items()
        if not way["received"] or way["lost"]
    ]


def _echoed(call: Part) -> Problems:
    sent, heard = call["rtp_sent"], call["rtp_echoed"]
    if not sent or heard < MEDIA_SHARE * sent:
        return [f"rtp: {heard} of {sent} packets came back, expected {MEDIA_SHARE:.0%}"]
    return []


def _up(case: _Case) -> Problems:
    """The call was answered."""
    return _resolved(case) + _part(case, "register", "ok", 200) + _part(case, "call", "ok", 200)


def _one_way(case: _Case) -> Problems:
    """Media goes one way, whichever, and nothing of it is lost."""
    if problems := _up(case):
        return problems
    ways = case.measurement["sip"]["call"]["media"]
    heard = [way for way in ways.values() if way["received"]]
    if len(heard) == 1 and not heard[0]["lost"]:
        return []
    said = ", ".join(f"{way['received']} of {way['sent']} {name}" for name, way in ways.items())
    return [f"rtp: {said}; expected media one way, all of it"]


def _hangs_up(case: _Case) -> Problems:
    """The callee ends the call, says so, and until then all media came."""
    if problems := _up(case):
        return problems
    call = case.measurement["sip"]["call"]
    if not call["cut"] or (call["account"] or {}).get("ended_by") != "us":
        return [f"sip call: {call['end']['why']}, expected a BYE that the callee says it sent"]
    return _both_ways(call)


def _strained(least: float) -> Callable[[_Case], Problems]:
    """Make the check that media came both ways, this share of it at least, though not all."""

    def check(case: _Case) -> Problems:
        if problems := _up(case):
            return problems
        ways = case.measurement["sip"]["call"]["media"]
        said = ", ".join(f"{way['received']} of {way['sent']} {n}" for n, way in ways.items())
        if any(
            not way["received"] or way["received"] < least * way["sent"] for way in ways.values()
        ):
            return [f"rtp: {said}; expected some both ways, at least {least:.0%}"]
        return []

    return check


def _no_answer(case: _Case) -> Problems:
    """The callee rings and does not answer."""
    problems = _resolved(case) + _part(case, "register", "ok", 200)
    return problems + _part(case, "call", "timeout", 180)


def _named(rcode: str) -> Callable[[_Case], Problems]:
    """Make the check that the name leads to this answer of DNS."""

    def check(case: _Case) -> Problems:
        dns = case.measurement["dns"]
        found = dns["rcode"] if dns else "not asked"
        return [] if found == rcode else [f"dns: {found}, expected {rcode}"]

    return check


def _nobody(outcome: str) -> Callable[[_Case], Problems]:
    """Make the check that nothing listens (`refused`) or nothing answers (`timeout`)."""

    def check(case: _Case) -> Problems:
        match case.kind:
            case "dns" if not case.target.get("via"):
                rcode = "REFUSED" if outcome == "refused" else "timeout"
                found = case.measurement["dns"]["rcode"]
                return [] if found == rcode else [f"dns: {found}, expected {rcode}"]
            case "udp":
                return _resolved(case) + _rows(case, "udp", outcome)
            case "sip" | "call":
                return _resolved(case) + _part(case, "register", outcome, None)
            case "skype" | "skypeout":
                tried = [part for part in case.measurement["skype"].values() if part is not None]
                found = tried[-1]["outcome"]
                return [] if found == outcome else [f"skype: {found}, expected {outcome}"]
            case "chat":
                return _delivered(case, outcome)
            case _:
                return _resolved(case) + _rows(case, case.first, outcome)

    return check


def _reset(case: _Case) -> Problems:
    """The server's own RST once it has read the request, or the ClientHello."""
    problems = _resolved(case) + _rows(case, "tcp", "ok")
    last = "http" if case.measurement["http"] or not case.secure else "tls"
    return problems + _rows(case, last, "reset")


def _delisted(case: _Case) -> Problems:
    """A store's search is answered, and finds nothing."""
    return _answers(case) + [
        f"http {row['address']}: {row['results']} results, expected a search that finds none"
        for row in case.measurement["http"]
        if row["results"] != 0
    ]


def _unfinished(outcome: str, after: str) -> Callable[[_Case], Problems]:
    """Make the check that a request was taken, and its answer came this far and no further."""

    def check(case: _Case) -> Problems:
        problems = _reached(case) + _rows(case, "http", outcome)
        return problems + [
            f"http {row['address']}: {outcome} after {row['after']}, expected after {after}"
            for row in case.measurement["http"]
            if row["after"] != after
        ]

    return check


def _answered_with(case: _Case) -> Problems:
    if not case.detail.isdecimal():
        return [f"baseline 'status: {case.detail}': expected a status, 100 to 699"]
    code = int(case.detail)
    if case.kind in ("sip", "call"):
        name = "register" if case.kind == "sip" else "call"
        return _resolved(case) + _part(case, name, "ok" if code < 300 else "rejected", code)
    return _reached(case) + _status(case, code)


def _redirected(case: _Case) -> Problems:
    problems = _reached(case) + _rows(case, "http", "ok")
    for row in case.measurement["http"]:
        host = urlsplit(row["location"] or "").hostname
        if row["status"] not in _REDIRECTS or host != case.detail.lower():
            found = f"{row['status']} to {row['location']}"
            problems.append(f"http {row['address']}: {found}, expected 3xx to {case.detail}")
    return problems


def _certificate(error: str) -> Callable[[_Case], Problems]:
    def check(case: _Case) -> Problems:
        problems = _resolved(case)
        if case.last != case.first:
            problems += _rows(case, case.first, "ok")
        rows = case.measurement[case.last]
        if not rows:
            return [*problems, f"{case.last}: nothing was tried, expected {error}"]
        return problems + [
            f"{case.last} {row['address']}: {_said(row)}, expected invalid ({error})"
            for row in rows
            if row["error"] != error
        ]

    return check


_WORDS: Final[Mapping[str, Callable[[_Case], Problems]]] = {
    "answers": _answers,
    "dead-name": _named("NXDOMAIN"),
    "bogus-name": _named("SERVFAIL"),
    "refused": _nobody("refused"),
    "silent": _nobody("timeout"),
    "reset": _reset,
    "lossy": _strained(0.7),
    "congested": _strained(0.0),
    "delisted": _delisted,
    "filtered": lambda case: _resolved(case) + _delivered(case, "withheld"),
    "portal": lambda case: captive.holds(case.measurement, case.target),
    "stalls": _unfinished("timeout", "request"),
    "truncates": _unfinished("fin", "answer"),
    "status": _answered_with,
    "redirect": _redirected,
    "no-answer": _no_answer,
    "hangs-up": _hangs_up,
    "one-way": _one_way,
    **{word: _certificate(word) for word in _CERTIFICATES},
}
