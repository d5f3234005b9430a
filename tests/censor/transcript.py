"""What tests that are transcripts share: short policies, and what a censor found."""

from __future__ import annotations

from typing import Any


def policy(*rules: Any, **more: Any) -> dict[str, Any]:
    listed = [{"id": f"r{n}", **rule} for n, rule in enumerate(rules)]
    return {"position": "in-path", "rules": listed, **more}


def triggers(talk: Any) -> list[Any]:
    return [event.trigger for event in talk.events() if event.event == "matched"]
