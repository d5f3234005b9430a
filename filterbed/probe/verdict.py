"""Judge what was measured here against what was measured at the control, layer by layer.

The first layer at which the two differ decides. Where both fail alike the target is `down`; where
the control failed in its own way nothing is claimed. docs/webcheck.md has the whole table.

`local` and `control` are measurements; `proof` holds the follow-ups that `filterbed.probe.proof`
gathers, and may be empty: then less is claimed.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One answer in the contract's words, and why."""

    verdict: str
    mechanisms: tuple[str, ...] = ()
    locus: str | None = None
    detail: str = ""


def ok(detail: str) -> Verdict:
    """Nothing is in the way."""
    return Verdict("ok", detail=detail)


def down(detail: str) -> Verdict:
    """Broken here as it is at the control."""
    return Verdict("down", detail=detail)


def unknown(detail: str) -> Verdict:
    """The evidence does not reach."""
    return Verdict("unknown", detail=detail)


def blocked(mechanism: str | None, detail: str, *, locus: str = "network") -> Verdict:
    """Interfered with, in this way, at this place."""
    return Verdict("blocked", (mechanism,) if mechanism else (), locus, detail)


_RCODES: Final = {
    "NXDOMAIN": "dns.nxdomain",
    "REFUSED": "dns.refused",
    "SERVFAIL": "dns.servfail",
    "timeout": "dns.timeout",
    "reset": "dns.reset",
}
_TCP: Final = {
    "timeout": "tcp.timeout",
    "refused": "tcp.refused",
    "reset": "tcp.reset",
    "unreachable": "ip.unreachable",
}
_CERTIFICATES: Final = {
    "self-signed": "tls.mitm.self_signed",
    "wrong-name": "tls.mitm.ca_signed",
    "unknown-ca": "tls.mitm",
    "expired": "tls.mitm",
}


def bogon(address: str) -> bool:
    """Whether an address can be nobody's public server."""
    parsed = ipaddress.ip_address(address)
    return not parsed.is_global or parsed.is_multicast


def disjoint(local: Part, control: Part) -> bool:
    """Whether both were given addresses, and not one in common."""
    here, there = _addresses(local), _addresses(control)
    return bool(here) and not here & there


def _addresses(measurement: Part) -> set[str]:
    return set((measurement["dns"] or {}).get("addresses", ()))


def resolution(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the answers of DNS; None when the local one can be gone on with."""
    here, there = local["dns"], control["dns"]
    if here is None or there is None:
        return None
    if there["rcode"] in ("timeout", "unreachable", "reset"):
        if here["rcode"] == there["rcode"]:
            return down(f"no resolver answers for {here['name']}, here or at the control")
        return unknown(f"the control's resolver says {there['rcode']}: nothing to compare with")
    if here["rcode"] != "NOERROR":
        if here["rcode"] == there["rcode"]:
            return down(f"{here['rcode']} here and at the control")
        mechanism = _RCODES.get(here["rcode"], "dns")
        return blocked(mechanism, f"{here['rcode']} here, {there['rcode']} at the control")
    return _answers(local, control, proof)


def upstream(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare how the name of a resolver was found that is asked over TLS; None if it was."""
    here, there = local.get("resolver"), control.get("resolver")
    return resolution({**local, "dns": here}, {**control, "dns": there}, {})


def _answers(local: Part, control: Part, proof: Part) -> Verdict | None:
    here, there = _addresses(local), _addresses(control)
    if local["dns"]["qtype"].upper() not in ("A", "AAAA"):
        return _records(local["dns"], control["dns"])
    if not here:
        if not there:
            return down("no addresses here, none at the control")
        return blocked("dns.injection.nodata", f"no addresses here, {_list(there)} at the control")
    if not disjoint(local, control):
        return None
    said = f"{_list(here)} here, {_list(there) or control['dns']['rcode']} at the control"
    if any(map(bogon, here)) and not any(map(bogon, there)):
        return blocked("dns.injection.bogon", said)
    return _stranger(local, control, proof, said)


def _records(here: Part, there: Part) -> Verdict | None:
    if here["records"] or not there["records"]:
        return None
    return blocked("dns.injection.nodata", f"no records here, {len(there['records'])} there")


def _stranger(local: Part, control: Part, proof: Part, said: str) -> Verdict | None:
    """Judge addresses the control was not given: another of the site's own, or a forgery?"""
    elsewhere, genuine = proof.get("elsewhere"), proof.get("genuine", control)
    if serves(local, genuine) or (elsewhere and serves(elsewhere, genuine)):
        return None
    page = _page(local) or _page(elsewhere or local)
    twice = contradictory(proof.get("answers", ()), _addresses(control))
    if control["dns"]["rcode"] == "SERVFAIL" and not twice:
        return unknown(f"{said}: its resolver fails, and nothing vouches for the address")
    if page is not None and (twice or elsewhere):
        return blocked(*_posing(page, said))
    if twice:
        return blocked("dns.injection.other", f"{said}; the control's came later here, too")
    if elsewhere is None:
        return unknown(f"{said}; nobody else looked at the address")
    if not answers(genuine) and (_addresses(control) or answers(elsewhere)):
        return unknown(f"{said}; neither address serves anything that tells them apart")
    return blocked("dns.injection.other", f"{said}; the address does not serve the name, there too")


_WORDS: Final = ("block", "forbidden", "prohibited", "denied", "restricted", "blacklist", "censor")


def _posing(page: Part, said: str) -> tuple[str, str]:
    title = (page["title"] or "").lower()
    if page["status"] in (200, 403, 451) and any(word in title for word in _WORDS):
        return "dns.injection.blockpage", f"{said}; there stands a page titled {page['title']!r}"
    return "dns.injection", f"{said}; another page stands there"


def contradictory(answers: Any, genuine: set[str]) -> bool:
    """Whether several answers came to one question, of which one agrees with the control's."""
    found = [set(answer["addresses"]) for answer in answers]
    return any(one & genuine for one in found) and any(one and not one & genuine for one in found)


def _page(measurement: Part) -> Part | None:
    return next((row for row in measurement["http"] if row["status"]), None)


def answers(measurement: Part) -> bool:
    """Whether anything at all came back from the addresses."""
    sip = measurement["sip"]["register"]
    return (
        any(row["outcome"] == "ok" for row in (*measurement["tcp"], *measurement["udp"]))
        or any(row["after"] == "answer" for row in measurement.get("quic", ()))
        or _page(measurement) is not None
        or (sip is not None and sip["code"] is not None)
    )


def serves(measurement: Part, genuine: Part) -> bool:
    """Whether the addresses measured serve the name: a valid certificate, the same page, ..."""
    if authentic(measurement):
        return True
    register = measurement["sip"]["register"]
    if register is not None and register["outcome"] == "ok":
        return True
    if measurement["kind"] in ("tcp", "udp"):
        return answers(measurement)
    one, other = _page(measurement), _page(genuine)
    return one is not None and other is not None and alike(one, other)


def authentic(measurement: Part) -> bool:
    """Whether somebody with a valid certificate answered, over TCP or over QUIC."""
    rows = (*measurement["tls"], *measurement.get("quic", ()))
    return any(row["outcome"] == "ok" for row in rows)


def alike(one: Part, other: Part) -> bool:
    """Whether two answers are one page: same status, and the same target, title or size."""
    if one["status"] != other["status"]:
        return False
    if one["location"] or other["location"]:
        return bool(one["location"] == other["location"])
    if one["title"] or other["title"]:
        return bool(one["title"] == other["title"])
    short, long = sorted((one["length"], other["length"]))
    return bool(one["sha256"] == other["sha256"]) or short >= 0.7 * long > 0


def connection(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the connections; None when one of ours is up."""
    return reach("tcp", _TCP, local, control, proof)


def reach(
    part: str, words: Mapping[str, str], local: Part, control: Part, proof: Part
) -> Verdict | None:
    """Compare a part's rows by address; None when one of ours is good.

    `words`: outcome -> mechanism.
    """
    rows = local.get(part, ())
    if not rows or any(row["outcome"] == "ok" for row in rows):
        return None
    seen = dict[str, str]()
    for measurement in (proof.get("elsewhere"), control):
        seen |= {row["address"]: row["outcome"] for row in (measurement or {}).get(part, ())}
    lost = [row for row in rows if seen.get(row["address"]) == "ok"]
    if lost:
        mechanisms = tuple(sorted({words[row["outcome"]] for row in lost}))
        where = _list({row["address"] for row in lost})
        detail = f"{where}: {_list({row['outcome'] for row in lost})} here, open at the control"
        return Verdict("blocked", mechanisms, "network", detail)
    if not any(row["address"] in seen for row in rows):
        return unknown("the control tried none of the addresses that fail here")
    if "ok" in seen.values():
        return unknown("the addresses given here fail everywhere, those given there are open")
    here = {row["outcome"] for row in rows}
    if here == set(seen.values()):
        return down(f"{_list(here)} here and at the control")
    return unknown(f"{_list(here)} here, {_list(set(seen.values()))} at the control: both fail")


def handshake(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the TLS handshakes; None when ours is good, or there is none."""
    if not local["tls"] or local["tls"][0]["outcome"] == "ok":
        return None
    here, there = local["tls"][0], (control["tls"] or [None])[0]
    said = here["error"] or here["outcome"]
    if there is None:
        return unknown(f"{said} here, and the control did not get as far as TLS")
    if (here["outcome"], here["error"]) == (there["outcome"], there["error"]):
        return down(f"TLS: {said} here and at the control")
    if here["outcome"] == "invalid" and here["error"]:
        detail = f"certificate: {said} here, {there['error'] or there['outcome']} at the control"
        return blocked(_CERTIFICATES[here["error"]], detail)
    if there["outcome"] not in ("ok", "invalid"):
        return unknown(f"TLS: {said} here, {there['outcome']} at the control: both fail")
    return _broken(here, proof, f"TLS: {said} after {here['after']} here, done at the control")


def _broken(here: Part, proof: Part, said: str) -> Verdict:
    match here["outcome"], here["after"]:
        case "reset", "connect":
            return blocked("tcp.reset", said)
        case "reset", _ if named(proof):
            return blocked("tls.reset.sni", f"{said}; with another server name it passes")
        case ("reset" | "fin" | "timeout") as outcome, _:
            return blocked(f"tls.{outcome}", said)
    return blocked("tls", said)


def named(proof: Part) -> bool:
    """Whether the name was shown to be the trigger: another passed, then it was reset again.

    The second reset matters: without it the first may have been a residual block, set off by
    something else and over by the time the other name was tried.
    """
    other, same = proof.get("other_name"), proof.get("same_name")
    if other is None or same is None:
        return False
    return other["outcome"] in ("ok", "alert", "invalid") and same["outcome"] == "reset"


def _list(words: set[str]) -> str:
    return ", ".join(sorted(words))


Layer = Callable[[Part, Part, Part], Verdict | None]
