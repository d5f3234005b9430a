"""Judge registrations, calls and datagrams against the control's."""

from __future__ import annotations

from typing import Final

from filterbed.probe import hearing
from filterbed.probe.address import endpoint
from filterbed.probe.verdict import Part, Verdict, blocked, bogon, down, ok, unknown

#: An answer that took less than this share of the registrar's quickest, and MARGIN seconds less, is
#: from nearer.
SOON: Final = 0.7
MARGIN: Final = 0.003
#: So many packets after a BYE are no stragglers.
TALKING: Final = 3
#: As `filterbed.probe.callee` says it by RTCP.
THEY_HUNG_UP: Final = "the other side hung up"
_UNREACHABLE = ("refused", "unreachable")  # ICMP, as the datagram's socket reports it


def register(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the registrations; None when ours is good."""
    here, there = local["sip"]["register"], control["sip"]["register"]
    if here is None or here["outcome"] == "ok":
        return None
    repeated = (proof.get("sip_again") or here)["answers"]
    return _compare("sip.register", here, there, _codes(repeated), _other_ttl(here))


def _other_ttl(part: Part) -> str:
    """Say that the final answer took another way than the answers before it, or nothing."""
    ttls = [answer["ttl"] for answer in part["answers"] if answer.get("ttl") is not None]
    if part.get("ttl") is None or part["ttl"] == ttls[0]:
        return ""
    return f"its TTL is {part['ttl']}, that of the challenge {ttls[0]}"


def _codes(answers: list[Part]) -> bool:
    """Whether one request drew two final answers that contradict each other."""
    seen: dict[str, set[int]] = {}
    for answer in answers:
        if answer["code"] >= 200:
            seen.setdefault(answer["cseq"], set()).add(answer["code"])
    return any(len(codes) > 1 for codes in seen.values())


def _compare(
    word: str, here: Part, there: Part | None, contradicted: bool, stranger: str = ""
) -> Verdict:
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
    if stranger:
        return blocked(f"{word}.reject", f"{said}; {stranger}")
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
    if unasked := _unasked(here, there):
        return unasked
    if here["outcome"] != "ok":
        return _unanswered(here, there, local["sip"]["register"])
    return _ended(here, there) or _cornered(here, there) or hearing.media(here, there)


def _unasked(here: Part, there: Part | None) -> Verdict | None:
    """Judge a call from outside that was not to be had, because REFER failed; else None."""
    asked, other = here.get("refer"), (there or {}).get("refer")
    if asked is None or asked["outcome"] == "ok":
        return None
    if other is None:
        return unknown(f"REFER: {_said(asked)} here, and the control did not get as far")
    said = f"REFER: {_said(asked)} here, {_said(other)} at the control"
    if (asked["outcome"], asked["code"]) == (other["outcome"], other["code"]):
        return down(said)
    if asked["outcome"] == "timeout" and other["code"] is not None:
        return blocked("sip", said)
    return unknown(f"{said}: nobody was asked to ring")


def _cornered(here: Part, there: Part | None) -> Verdict | None:
    """Judge a call that was heard and heard nothing, because it named an address nobody can reach.

    A translator of ours is to blame, and nobody else; unless one who would have told us a better
    address was silent here and is not silent to the control. None for every other call.
    """
    path, media = here.get("path"), here.get("media")
    if not path or not media:
        return None
    if media["from_callee"]["received"] or not media["to_callee"]["received"]:
        return None
    reachable = path["how"] == "turn" or not bogon(endpoint(path["offered"], 0)[0])
    dependent = (path.get("stun") or {}).get("mapping") == "dependent"
    if reachable and not dependent:
        return None
    said = f"the address offered for the audio, {path['offered']}, leads to nobody"
    known = (there or {}).get("path") or {}
    for name in ("turn", "stun"):
        one, other = path.get(name), known.get(name)
        if one and other and other["outcome"] == "ok" and one["outcome"] in ("timeout", "refused"):
            return blocked(f"{name}.timeout", f"{name} answers the control and not us; {said}")
    return down(f"{said}: a translator on our side")


def _unanswered(here: Part, there: Part | None, registrar: Part | None) -> Verdict:
    stranger = _stranger(here, registrar) if here["code"] is not None else ""
    answers = here.get("answers", [])
    found = _compare("sip.invite", here, there, _codes(answers), stranger)
    if found.locus != "unknown" or registrar is None or not registrar["server"]:
        return found
    known = {**(there or {}), "server": registrar["server"]}
    if here["server"]:
        return _rejected("sip.invite", here, known, found.detail)
    return found


def _stranger(here: Part, registrar: Part | None) -> str:
    """Say why the final answer cannot be the registrar's, or nothing.

    The registration has just shown where the registrar is: by address, by how much of the TTL is
    left of its packets, by how soon it answers at best.
    """
    if registrar is None:
        return ""
    for key, what in (("answered_by", "sender"), ("ttl", "TTL")):
        one, other = here.get(key), registrar.get(key)
        if None not in (one, other) and one != other:
            return f"its {what} is {one}, the registrar's {other}"
    trips = [answer["seconds"] for answer in registrar["answers"] if "ttl" in answer]
    final = [a["seconds"] for a in here.get("answers", ()) if a["code"] == here["code"]]
    if trips and final and len(here["answers"]) == 1 and final[0] < SOON * min(trips) - MARGIN:
        return f"it came after {final[0]:.3f} s, the registrar's never before {min(trips):.3f} s"
    return ""


def _ended(here: Part, there: Part | None) -> Verdict | None:
    """Judge a call that a BYE ended, or a callee that was made to believe so; else None."""
    told = (here.get("account") or {}).get("ended_by")
    left = here.get("rtcp_bye")
    if left and left["reason"] == THEY_HUNG_UP and left["before_ours"]:
        return blocked("sip.bye", "the callee was sent a BYE that was not ours, and left")
    if not here["cut"] or told == "us":
        return None
    if told == "them":
        return blocked("sip.bye", "both ends were sent a BYE, and neither says it sent one")
    if (here.get("after_bye") or 0) >= TALKING:
        said = f"{here['after_bye']} packets came after the BYE: whom it names goes on talking"
        return blocked("sip.bye", said)
    if there is not None and not there["cut"]:
        return blocked("sip.bye", "the call was ended by a BYE here, not at the control")
    return None


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
    asked = local["udp"][0].get("asks") or "udp"
    word = f"{asked}.timeout" if "timeout" in lost else "ip.unreachable"
    return blocked(word, f"{', '.join(sorted(lost))} here, answered at the control")
