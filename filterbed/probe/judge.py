"""Judge one target: walk the layers of its kind, and let the first that differs decide."""

from __future__ import annotations

from filterbed.probe import application, initial
from filterbed.probe.page import page
from filterbed.probe.verdict import (
    Layer,
    Part,
    Verdict,
    connection,
    handshake,
    ok,
    resolution,
    unknown,
    upstream,
)
from filterbed.probe.voice import call, datagram, register

_LAYERS: dict[str, tuple[Layer, ...]] = {
    "web": (resolution, connection, handshake, initial.handshake, page),
    "dns": (upstream, connection, handshake, resolution),
    "tcp": (resolution, connection),
    "udp": (resolution, datagram),
    "sip": (resolution, register),
    "call": (resolution, register, call),
    "skype": (application.login, application.reached),
    "skypeout": (application.login, application.call, application.reached),
    "chat": (application.message,),
}


def judge(local: Part, control: Part, proof: Part | None = None) -> Verdict:
    """Return the verdict on one target; pure.

    Either measurement may be `{"error": reason}` instead: then nothing is claimed.
    """
    for where, measurement in (("here", local), ("at the control", control)):
        if "error" in measurement:
            return unknown(f"not measured {where}: {measurement['error']}")
    for layer in _LAYERS[local["kind"]]:
        verdict = layer(local, control, proof or {})
        if verdict is not None:
            return verdict
    return _reached(local)


def _reached(local: Part) -> Verdict:
    """Say what it means that no layer differed."""
    if local["kind"] == "web":
        return unknown("no page was fetched here")
    return ok("as at the control")
