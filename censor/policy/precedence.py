"""Find rules that never get their turn, because an earlier one always answers first."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from censor.policy.complaint import Problem
from censor.rule.rules import topic
from censor.rule.sight import CERTIFIED

#: What is asked of later messages, which rules without such a key are not asked about.
_LATER: Final = (*CERTIFIED, "sip.status")


def overtaken(rules: Iterable[tuple[int, Mapping[str, Any]]]) -> Iterable[Problem]:
    """Find them among (place, rule) pairs, in the policy's order.

    Limits: conditions are compared key by key, so a name under another is not known to be one;
        rules about flows alone answer only to packets that their acts can do something with, so
        only exceptions and drops of theirs are looked at.
    """
    known = list(rules)
    for order, (place, rule) in enumerate(known):
        if "when" not in rule or _allows(rule):
            continue
        before = known[:order] + [one for one in known[order + 1 :] if _allows(one[1])]
        for _, other in before:
            if other.get("id") == rule.get("id"):
                continue  # said already
            if _wins(other) and covers(_conditions(other), _conditions(rule)):
                told = f"conditions that {other.get('id')!r} does not meet with all of its own"
                cure = "it is asked first" if _allows(other) else "it comes first, and wins"
                yield Problem(("rules", place, "when"), _conditions(rule), told, cure)
                break


def covers(wide: Mapping[str, Any], narrow: Mapping[str, Any]) -> bool:
    """Say whether whatever meets all of `narrow` meets all of `wide` too, as far as keys tell."""
    if any(key in narrow and key not in wide for key in _LATER):
        return False
    return all(_implied(key, value, narrow) for key, value in wide.items())


def _implied(key: str, value: object, narrow: Mapping[str, Any]) -> bool:
    if key in narrow and narrow[key] == value:
        return True
    if key == "direction" and value == "both":
        return True
    app = topic(key)
    present = value is True and app is not None and key == app.value
    return present and any(str(other).startswith(f"{key}.") for other in narrow)


def _wins(rule: Mapping[str, Any]) -> bool:
    """Say whether a rule that matches is always the last that is asked."""
    if rule.get("continue") or "when" not in rule:
        return False
    if _allows(rule):
        return True
    if rule.get("chance", 1) != 1:
        return False
    if any(topic(str(key)) for key in _conditions(rule)):
        return True
    return any(
        "drop" in act and act.get("toward", "both") == "both" and act.get("chance", 1) == 1
        for act in _acts(rule)
    ) and not any(str(key).startswith("tcp.") for key in _conditions(rule))


def _allows(rule: Mapping[str, Any]) -> bool:
    return any(act.get("allow") for act in _acts(rule))


def _acts(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    then = rule.get("then")
    listed = then if isinstance(then, list) else [then]
    return [act for act in listed if isinstance(act, Mapping)]


def _conditions(rule: Mapping[str, Any]) -> Mapping[str, Any]:
    when = rule.get("when")
    return when if isinstance(when, Mapping) else {}
