"""Which way a call's media is offered, by what the helpers said."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from filterbed.probe import path, stun, turn
from filterbed.probe.path import Help

OWN = "127.0.0.1"
SEEN, OTHER, RELAYED = "1.2.3.4:5000", "1.2.3.4:6000", ("5.6.7.8", 50000)
SERVERS = (("127.0.0.2", 9), ("127.0.0.3", 9))


@pytest.mark.parametrize(
    ("mapped", "relayed", "how", "offered"),
    [
        (None, None, "direct", "own"),
        (["own", "own"], True, "direct", "own"),
        ([SEEN, SEEN], True, "stun", SEEN),
        ([SEEN], None, "stun", SEEN),
        ([SEEN, OTHER], True, "turn", "5.6.7.8:50000"),
        ([SEEN, OTHER], None, "stun", SEEN),
        ([], True, "turn", "5.6.7.8:50000"),
        (None, True, "turn", "5.6.7.8:50000"),
        ([], False, "direct", "own"),
    ],
)
def test_the_best_is_offered(
    monkeypatch: pytest.MonkeyPatch,
    mapped: list[str] | None,
    relayed: bool | None,
    how: str,
    offered: str,
) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sound:
        sound.bind((OWN, 0))
        own = f"{OWN}:{sound.getsockname()[1]}"

        def bind(*_: Any, **__: Any) -> dict[str, Any]:
            seen = [own if text == "own" else text for text in mapped or ()]
            dependent = "dependent" if len(set(seen)) > 1 else "independent"
            return {"mapped": seen, "mapping": dependent if len(seen) > 1 else None}

        def allocate(relay: turn.Relay) -> dict[str, Any]:
            relay.relayed = RELAYED if relayed else None
            return {"outcome": "ok" if relayed else "timeout"}

        monkeypatch.setattr(stun, "bind", bind)
        monkeypatch.setattr(turn.Relay, "allocate", allocate)
        monkeypatch.setattr(turn.Relay, "reach", lambda *_: True)
        server = turn.Server("127.0.0.4", 9, "a", "b") if relayed is not None else None
        helpers = Help(SERVERS if mapped is not None else (), server)
        with path.find(sound, OWN, helpers, timeout=0.1) as found:
            found.reach(("9.9.9.9", 4000))
        port = int(own.rpartition(":")[2])
        assert (found.how, found.row["offered"]) == (how, own if offered == "own" else offered)
        asked = [flow[3:] for flow in found.aside]
        expected = [list(one) for one in SERVERS] if mapped is not None else []
        assert asked == expected + ([["127.0.0.4", 9]] if server else [])
        direct = [["udp", OWN, port, "9.9.9.9", 4000]]
        assert found.flows == ([] if how == "turn" else direct)
        assert found.row.get("reached") == (True if how == "turn" else None)
