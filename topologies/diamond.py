"""Draw a diamond: two ways between clients and the rest of the world, the box on one of them.

    vantage --- edge --+-- censor ===+-- core --- servers, resolver, DNS, control
                       +-- bypass ===+            vantages abroad

Both ways are equally long and equally late. Which of them packets take is the topology's own
(`fork`, `detour`); what both share is here.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

from topologies import side
from topologies.address import LINE_BACKBONE, TRANSIT
from topologies.draft import Draft
from topologies.place import Place, Vantage
from topologies.plan import Box, Plan

FIXED = ("edge", "censor", "bypass", "core", *side.OUTSIDE)


def diamond(
    topology: str,
    delay: float,
    vantages: Mapping[str, Vantage],
    places: Mapping[str, Place],
    *,
    out: str = "censor",
    back: str = "censor",
    spread: Collection[str] = (),
    notes: tuple[str, ...],
) -> Plan:
    """Draw it.

    Args:
        delay: seconds one way, between core and either of the two.
        out: which of `censor` and `bypass` packets to the core take.
        back: which of them packets from the core take.
        spread: the nodes, of `edge` and `core`, that use both.
        notes: which way packets take, in words.
    """
    draft = Draft(topology, side.reserved(places))
    draft.node("edge", "router", asn=LINE_BACKBONE.asn)
    draft.node("censor", "box", asn=LINE_BACKBONE.asn)
    draft.node("bypass", "router", asn=LINE_BACKBONE.asn)
    draft.node("core", "router", asn=TRANSIT.asn)
    # Of equally short ways the one whose link comes first is taken (`route.routes`).
    facing, behind = {}, {}
    for way in _first(out):
        facing[way] = draft.link("edge", way, LINE_BACKBONE)[1]
    for way in _first(back):
        behind[way] = draft.link(way, "core", LINE_BACKBONE, delay)[0]
    side.inside(draft, "edge", vantages, places)
    side.outside(draft, "core", vantages, places)
    box = Box("censor", (facing["censor"],), (behind["censor"],))
    return draft.plan(root="core", boxes=(box,), spread=spread, notes=notes)


def _first(way: str) -> tuple[str, str]:
    return ("censor", "bypass") if way == "censor" else ("bypass", "censor")
