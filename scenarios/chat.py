"""Check a chat target, say what becomes of its message, and write it as a tool sees it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from scenarios import schema
from scenarios.error import Path, Problem, either, nearest, show
from scenarios.ground import Ground
from scenarios.places import Places
from topologies.service import Skype, Web


def answer(target: schema.ChatTarget, ground: Ground) -> str:
    """Return `filtered` where the client keeps the message back, else what the peer answers."""
    lists = _filter(target, ground)
    text = target.message.casefold()
    if lists and lists.lists and any(w.casefold() in text for w in lists.lists.kept_back):
        return "filtered"
    peer = _peers(ground).get(target.peer)
    return peer.manner if peer else "answers"


def problems(target: object, at: Path, ground: Ground, places: Places) -> Iterator[Problem]:
    """Check that correspondent and lists are there, and lists where the client asks for some."""
    if not isinstance(target, schema.ChatTarget):
        return
    peers, filters = _peers(ground), _filters(ground)
    if target.peer not in peers:
        expected = f"a service of kind skype, part peer: {either(peers)}"
        hint = nearest(target.peer, peers)
        yield places.problem((*at, "peer"), expected, found=show(target.peer), hint=hint)
    if (target.filter is None) is (target.client == "tom"):
        expected = "a filter where the client is tom, and none where it is not"
        yield places.problem((*at, "client"), expected, found=show(target.client))
    elif target.filter is not None and target.filter not in filters:
        expected = f"a service of kind web with lists: {either(filters)}"
        hint = nearest(target.filter, filters)
        yield places.problem((*at, "filter"), expected, found=show(target.filter), hint=hint)


def fields(target: schema.ChatTarget, ground: Ground) -> dict[str, Any]:
    """Write the correspondent as its address, and the filter as the name it is known by."""
    found: dict[str, Any] = {"message": target.message, "client": target.client}
    found["peer"] = _peers(ground)[target.peer].addresses[0]
    if (lists := _filter(target, ground)) is not None:
        found["filter"] = lists.names[0]
    return found


def _filter(target: schema.ChatTarget, ground: Ground) -> Web | None:
    return _filters(ground).get(target.filter) if target.filter else None


def _peers(ground: Ground) -> dict[str, Skype]:
    return {s.id: s for s in ground.services if isinstance(s, Skype) and s.part == "peer"}


def _filters(ground: Ground) -> dict[str, Web]:
    return {s.id: s for s in ground.services if isinstance(s, Web) and s.lists is not None}
