"""Judge registrations, calls and datagrams against the control's."""

from __future__ import annotations

from filterbed.probe.verdict import Part, Verdict, blocked, down, ok, unknown

#: Media is thinned out when less than this share came back here and more than CLEAR at the control.
THIN = 0.5
CLEAR = 0.9
_UNREACHABLE = ("refused", "unreachable")  # ICMP, as the datagram's socket reports it


def register(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the registrations; None when ours is good."""
    here, there = local["sip"]["register"], control["sip"]["register"]
    if here is None or here["outcome"] == "ok":
        return None
    repeated = (proof.get("sip_again") or here)["answers"]
    return _compare("sip.register", here, there, _codes(repeated))


def _codes(answers: list[Part]) -> bool:
    """Whether one request drew two final answers that contradict each other."""
    seen: dict[str, set[int]] = {}
    for answer in answers:
        if answer["code"] >= 200:
            seen.setdefault(answer["cseq"], set()).add(answer["code"])
    return any(len(codes) > 1 for codes in seen.values())


def _compare(word: str, here: Part, there: Part | None, contradicted: bool) -> Verdict:
    if there is None:
        return unknown(f"{word}: {_said(here)} here, and the control did not get as far")
    said = f"{word}: {_said(here)} here, {_said(there)} at the control"
    if (here["outcome"], here["code"]) == (there["outcome"], there["code"]):
        return down(said)
    if here["outcome"] == "timeout" and there["code"] is not None:
        return blocked(f"{word}.timeout", said)
    if there["outcome"] != "ok":
        return unknown(f"{said}: both fail")
    if here["outcome"] in _UNREACHABLE:
        return blocked("ip.unreachable", said)
    if contradicted:
        return blocked(f"{word}.reject", f"{said}; two answers contradict each other")
    return _rejected(word, here, there, said)


def _rejected(word: str, here: Part, there: Part, said: str) -> Verdict:
    if there["server"] and here["server"] == there["server"]:
        return blocked(None, f"{said}; by the same server software", locus="server_side")
    if there["server"]:
        return blocked(f"{word}.reject", f"{said}; not by the server the control speaks to")
    return blocked(word, f"{said}; nothing tells who sent it", locus="unknown")


def _said(part: Part) -> str:
    return f"{part['outcome']} {part['code']}" if part["code"] else str(part["outcome"])


def call(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the calls and their media; None when there was none to make."""
    here, there = local["sip"]["call"], control["sip"]["call"]
    if here is None:
        return None
    if here["outcome"] != "ok":
        return _compare("sip.invite", here, there, False)
    if here["cut"] and there is not None and not there["cut"]:
        return blocked("sip.bye", "the call was ended by a BYE here, not at the control")
    return _media(here, there)


def _media(here: Part, there: Part | None) -> Verdict:
    said = f"{here['rtp_received']} packets heard of {here['rtp_sent']} sent"
    if share(here) > THIN:
        return ok(said)
    if there is None or there["outcome"] != "ok":
        return unknown(f"{said}, and the control could not call")
    said += f"; {there['rtp_received']} of {there['rtp_sent']} at the control"
    if not there["rtp_received"]:
        return unknown(said) if here["rtp_received"] else down(said)
    if not here["rtp_received"]:
        return blocked("rtp.timeout", said)
    if not here["rtp_echoed"] and there["rtp_echoed"]:
        return blocked("rtp.oneway", f"{said}; the callee speaks but does not hear us")
    return blocked("rtp.loss", said) if share(there) > CLEAR else unknown(f"{said}: both lossy")


def share(part: Part) -> float:
    """Return how much of what was sent came back, 0 to 1."""
    return float(part["rtp_echoed"]) / part["rtp_sent"] if part["rtp_sent"] else 0.0


def datagram(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare datagrams sent and answered; None when there were none."""
    here = {row["address"]: row["outcome"] for row in local["udp"]}
    if not here:
        return None
    if "ok" in here.values():
        return ok("answered")
    there: dict[str, str] = {}
    for measurement in (proof.get("elsewhere"), control):
        there |= {row["address"]: row["outcome"] for row in (measurement or {"udp": ()})["udp"]}
    lost = {here[address] for address in here if there.get(address) == "ok"}
    if not lost:
        same = set(here.values()) == set(there.values())
        return down("unanswered here and at the control") if same else unknown("both fail")
    word = "udp.timeout" if "timeout" in lost else "ip.unreachable"
    return blocked(word, f"{', '.join(sorted(lost))} here, answered at the control")
