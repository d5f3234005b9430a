"""Judge an application's own login and calls against the control's.

What an application shows its user is that it cannot log in, or that calls fail; which packets were
lost on the way stands in the detail. Where it finds another way by itself nothing is blocked.
"""

from __future__ import annotations

from typing import Final

from filterbed.probe.verdict import Part, Verdict, blocked, down, ok, unknown

#: What a way that fails otherwise than by silence is called.
_ACTIVE = {
    "reset": "proto.reset",
    "fin": "proto.reset",
    "refused": "tcp.refused",
    "unreachable": "ip.unreachable",
    "foreign": "app",
}


def login(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare how a supernode was found and the login went; None when both went well."""
    here, there = local["skype"], control["skype"]
    for part, what in (("bootstrap", "no supernode answers"), ("login", "the login fails")):
        verdict = _compare(here[part], there[part], what, "app.login")
        if verdict is not None:
            return verdict
    return None


def call(local: Part, control: Part, proof: Part) -> Verdict | None:
    """Compare the call to a telephone; None when it went well."""
    here, there = local["skype"]["gateway"], control["skype"]["gateway"]
    return _compare(here, there, "the gateway is silent", "app.call")


def reached(local: Part, control: Part, proof: Part) -> Verdict:
    """Say that all went well, and whether by another way than at the control."""
    here, there = local["skype"]["bootstrap"]["by"], control["skype"]["bootstrap"]["by"]
    if here == there:
        return ok("as at the control")
    return ok(f"a supernode was found by {here} here, by {there} at the control")


#: What a message that is not confirmed is called, by how far it got.
_UNSENT: Final = {
    "timeout": "tcp.timeout",
    "refused": "tcp.refused",
    "reset": "tcp.reset",
    "unreachable": "ip.unreachable",
}
_UNREAD: Final = {"reset": "proto.reset", "fin": "proto.reset"}


def message(local: Part, control: Part, proof: Part) -> Verdict:
    """Say whether a message arrived, and else who kept it back: the network, or the client.

    A client that filters sends nothing, here or at the control, so that the two agree; what tells
    is that an ordinary client's message arrives, from here.
    """
    here, there = local["chat"]["client"], control["chat"]["client"]
    asked = ", ".join(row["path"] for row in here["requests"])
    besides = f"; besides, the client asked for {asked}" if asked else ""
    if here["outcome"] == "ok":
        return ok(f"the message arrived{besides}")
    if here["outcome"] == "withheld":
        plain = local["chat"]["plain"]["outcome"]
        if plain != "ok":
            return unknown(f"the client sent nothing; an ordinary client's message: {plain}")
        said = "the client sent nothing, an ordinary client's message arrives"
        return blocked("app", said + besides, locus="client_side")
    said = f"{here['outcome']} after {here['after']} here, {there['outcome']} at the control"
    if here["outcome"] == there["outcome"]:
        return down(said)
    if there["outcome"] != "ok":
        return unknown(f"{said}: both fail")
    words = _UNSENT if here["after"] == "connect" else _UNREAD
    return blocked(words.get(here["outcome"], "app"), said)


def _compare(here: Part | None, there: Part | None, what: str, word: str) -> Verdict | None:
    if here is None or here["outcome"] == "ok":
        return None
    if there is None:
        return unknown(f"{what}: {here['outcome']} here, and the control did not get as far")
    said = f"{what}: {here['outcome']} here, {there['outcome']} at the control"
    if here["outcome"] == there["outcome"]:
        return down(said)
    if there["outcome"] != "ok":
        return unknown(f"{said}: both fail")
    return blocked(_ACTIVE.get(here["outcome"], f"{word}.timeout"), said)
