"""What is noted about one packet: one verdict, and events that name it."""

from __future__ import annotations

from typing import Any

from censor.engine.decision import Verdict


def test_a_packet_is_dropped_once_and_so_is_what_repeats_it(Talk: Any, get: Any) -> None:
    acts = [{"drop": "packet"}, {"inject": "reset", "request": "drop", "toward": "client"}]
    rule = {"id": "r", "when": {"http.host": {"suffix": ["blocked.example"]}}, "then": acts}
    talk = Talk({"position": "in-path", "rules": [rule]})
    tcp = talk.connection()
    assert tcp.say(get("blocked.example")).verdict is Verdict.DROP
    assert talk.words() == ["matched", "dropped", "injected"]
    again = tcp.segment(get("blocked.example"), seq=1001)
    assert (again.verdict, again.injections) == (Verdict.DROP, ())
    assert all(event.n in (4, 5) for event in talk.events())


def test_a_memory_that_has_begun_goes_on(Talk: Any, get: Any) -> None:
    """Set again, it lasts longer, and does not begin anew."""
    memory = {"seconds": 10, "after": 5, "key": "pair"}
    rule = {"id": "r", "when": {"http.host": {"suffix": ["blocked.example"]}},
            "then": {"inject": "reset", "residual": memory}}  # fmt: skip
    talk = Talk({"position": "on-path", "rules": [rule]})
    talk.connection(sport=1).say(get("blocked.example"))
    talk.now += 6
    talk.connection(sport=2).say(get("blocked.example"))
    first, second = (event.detail for event in talk.events() if event.event == "residual")
    assert second["since"] == first["since"]
    assert second["until"] > first["until"] + 6
