"""Judge a page that differs from the control's: the network's, or the server's own?

The evidence (docs/webcheck.md tells why each of them counts):
- a valid certificate: only the server could say it;
- faster: the page was here sooner than one round trip to the server takes;
- kept: the same connection then answered a request under an innocuous name; a forged page leaves
  both ends with sequence numbers that do not fit, or with a RST or FIN;
- cut: after the page, new connections fail;
- via: a proxy on our way speaks for itself when it says that the server cannot be reached, and an
  innocuous request to the same address goes by it too;
- kin / alien: the page names the server software that the control's page names, or does not while
  an innocuous request to the same address does.
"""

from __future__ import annotations

from collections.abc import Sequence

from filterbed.probe import initial
from filterbed.probe.verdict import (
    Part,
    Verdict,
    alike,
    authentic,
    blocked,
    down,
    named,
    ok,
    unknown,
)

#: A page is "faster" when its slowest arrival is below this share of the quickest handshake, by
#: at least MARGIN seconds: scheduling noise only ever lengthens what we measure.
SHARE = 0.7
MARGIN = 0.003
#: What a proxy says of a server that it cannot reach (RFC 9110 sections 15.6.3 to 15.6.5).
UNREACHED = frozenset({502, 503, 504})


def page(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the pages; None when there is none to compare."""
    if not local["http"]:
        return None
    here, there = local["http"][0], (control["http"] or [None])[0]
    if there and here["outcome"] == there["outcome"] != "ok" and here["status"] == there["status"]:
        return down(f"HTTP: {here['outcome']} here and at the control")
    if verdict := _proxied(here, there, local, proof) or _opened(here, there, control):
        return verdict
    if here["status"] is None or _half(here, there):
        layer = "quic" if local.get("quic") else "tls" if local["tls"] else "http"
        return _failed(here, there, proof, layer)
    if there is None or there["status"] is None:
        if here["status"] < 400:
            return ok(f"{here['status']} here, though the control got no page")
        return unknown(f"{here['status']} here, and the control got no page to compare with")
    if here.get("results") == 0 == there.get("results"):
        return down("the store finds nothing here or at the control")
    if here.get("results") == 0 and there.get("results") and server(here, there, local, proof):
        said = f"the store finds nothing here, {there['results']} at the control"
        return blocked("app.store.delisted", said, locus="server_side")
    if alike(here, there) or (here["status"] == there["status"] >= 400):
        said = f"{here['status']} here and at the control"
        return down(said) if here["status"] >= 400 else ok(said)
    return _differs(here, there, local, proof)


def _proxied(here: Part, there: Part | None, local: Part, proof: Part) -> Verdict | None:
    """Judge what a proxy says of the server behind it; None where none is shown to be there.

    A proxy that stands before the server says Via to everybody, or has the server's certificate;
    a forger's Via is in the forged answer alone, or comes with the marks of a forgery.
    """
    other = proof.get("other_name") or {}
    if here["status"] not in UNREACHED or not here.get("via") or authentic(local):
        return None
    if (there or {}).get("via") or other.get("via") != here["via"]:
        return None
    said = f"a proxy on our way ({here['via']}) says {here['status']}"
    if there is None or there["status"] is None:
        return down(f"{said}, and the control is not answered either")
    if there["status"] >= 400:
        forged = network(here, there, local, proof)
        return None if forged else down(f"{said}, and the control does not get further")
    # Behind a true proxy a censor may leave our connection silent; nobody makes it swift.
    if faster(here, local, proof.get("again", ())):
        return None
    return blocked("http", f"{said}, and the control is answered {there['status']}")


def _opened(here: Part, there: Part | None, control: Part) -> Verdict | None:
    """Judge a connection that somebody opened for a server with which nobody can connect."""
    tried = [row["outcome"] for row in control["tcp"] if row["address"] == here["address"]]
    if here["status"] is not None or there or not tried or "ok" in tried:
        return None
    said = f"{here['outcome']} here, and at the control nothing opens at all"
    return down(f"HTTP: {said}: not the server opened our connection")


def same_page(local: Part, control: Part) -> bool:
    """Whether both fetched a page, and the same one."""
    pages = [part["http"][0] for part in (local, control) if part["http"]]
    return len(pages) == 2 and all(row["status"] for row in pages) and alike(*pages)


def _half(here: Part, there: Part | None) -> bool:
    """Whether the control's page began to arrive and was cut short."""
    if here["outcome"] == "ok" or there is None or there["outcome"] != "ok":
        return False
    same = (here["status"], here["location"]) == (there["status"], there["location"])
    return same and here["title"] in (None, there["title"])


def _failed(here: Part, there: Part | None, proof: Part, layer: str) -> Verdict:
    """Judge a request that got no answer; inside TLS the network saw no more than TLS."""
    if there is None:
        return unknown(f"HTTP: {here['outcome']} here, and the control got no further")
    said = f"HTTP: {here['outcome']} here, {there['status'] or there['outcome']} at the control"
    if there["status"] is None:
        same = here["outcome"] == there["outcome"]
        return down(said) if same else unknown(f"{said}: both fail")
    match here["outcome"]:
        case outcome if layer == "quic":
            return initial.broken(outcome, proof, said)
        case "reset" if layer == "http" and here["after"] == "connect":
            return blocked("tcp.reset", said)
        case "reset" if named(proof):
            return blocked("http.reset.host", f"{said}; under another Host it passes")
        case ("reset" | "fin" | "timeout") as outcome:
            return blocked(f"{layer}.{outcome}", said)
    return blocked(layer, said)


def _differs(here: Part, there: Part, local: Part, proof: Part) -> Verdict:
    said = f"{_shown(here)} here, {_shown(there)} at the control"
    why = network(here, there, local, proof)
    if why:
        return blocked(_network_word(here), f"{said}; {why}")
    why = server(here, there, local, proof)
    if here["status"] < 300:
        return ok(f"{said}; {why}") if why else unknown(f"{said}; nothing tells whose page it is")
    if there["status"] >= 400:
        return down(f"{said}; refused everywhere") if here["status"] >= 400 else ok(said)
    if here["status"] >= 500:
        return unknown(f"{said}: a server's trouble, or somebody's")
    redirect = here["status"] < 400
    if why:
        word = "http.redirect.geo" if redirect else "http.error.geo"
        return blocked(word, f"{said}; {why}", locus="server_side")
    word = "http.redirect" if redirect else "http"
    return blocked(word, f"{said}; nothing tells who sent it", locus="unknown")


def _shown(row: Part) -> str:
    told = row["location"] or row["title"]
    return f"{row['status']} ({told})" if told else f"{row['status']}, {row['length']} bytes"


def _network_word(here: Part) -> str:
    if here["location"]:
        return "http.redirect"
    return "http.blockpage" if here["length"] else "http.error"


def network(here: Part, there: Part, local: Part, proof: Part) -> str:
    """Say what shows that the page came from the network; empty if nothing does."""
    if authentic(local):
        return ""
    rounds: Sequence[Part] = proof.get("again", ())
    if faster(here, local, rounds):
        return "it came sooner than the server could answer"
    pages = [one for one in rounds if one["status"] is not None]
    if rounds and not pages:
        return "after it no connection got through"
    if not pages or any(one["kept"] for one in pages):
        return ""
    if _alien(here, there, proof):
        return "the connection was dead after it, and other answers from there are another server's"
    if not any(one["closing"] for one in pages) and not _kin(here, there):
        return "the connection was dead after it, unannounced"
    return ""


def server(here: Part, there: Part, local: Part, proof: Part) -> str:
    """Say what shows that the page is the server's own; empty if nothing does."""
    if authentic(local):
        return "its certificate is valid: the server said it"
    rounds: Sequence[Part] = proof.get("again", ())
    kept = bool(rounds) and all(one["kept"] for one in rounds)
    if kept and (_kin(here, there) or not there["server"]):
        return "the server kept the connection and answered the next request on it"
    return ""


def faster(here: Part, local: Part, rounds: Sequence[Part]) -> bool:
    """Whether every copy of the page was here before the server's could be."""
    trips = [row["seconds"] for row in local["tcp"] if row["address"] == here["address"]]
    trips += [one["connect"] for one in rounds if one["connect"] is not None]
    firsts = [here["first"], *(one["first"] for one in rounds)]
    arrived = [first for first in firsts if first is not None]
    if not trips or not arrived:
        return False
    quickest = min(trips)
    return bool(max(arrived) < min(SHARE * quickest, quickest - MARGIN))


def _kin(here: Part, there: Part) -> bool:
    return bool(here["server"]) and here["server"] == there["server"]


def _alien(here: Part, there: Part, proof: Part) -> bool:
    other = proof.get("other_name") or {}
    same = bool(there["server"]) and other.get("server") == there["server"]
    return same and here["server"] != there["server"]
