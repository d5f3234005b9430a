"""Load a policy document: find everything that is wrong with it, or compile it into rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from typing import Any, Final

from censor.errors import PolicyError
from censor.follow.fragment import Ip
from censor.follow.tcb import Tcp
from censor.policy import clause, listing
from censor.policy import document as doc
from censor.policy.action import Allow
from censor.policy.complaint import Problem
from censor.policy.document import PolicyDocument
from censor.policy.enactment import Setting, enact
from censor.policy.meaning import compile_when, readings
from censor.policy.problem import problems
from censor.policy.quantity import seconds
from censor.rule import rules
from censor.rule.odds import Clock, Odds
from censor.rule.rules import Policy

__all__ = ["InvalidPolicy", "Policy", "PolicyDocument", "Problem", "load", "problems", "scaled"]

#: How long after the trigger an injection leaves, in seconds, where a policy does not say.
LATENCY: Final = {"on-path": 0.002, "in-path": 0.0}
_REQUIRE: Final[Mapping[bool | str, str]] = {
    True: "full",
    False: "none",
    "syn": "syn",
    "either": "either",
}
_SEES: Final = {"both": None, "outbound": True, "inbound": False}


class InvalidPolicy(PolicyError):
    """A document that cannot be used; `details` holds every problem."""

    def __init__(self, details: Sequence[Problem]) -> None:
        self.details = tuple(details)
        super().__init__(str(problem) for problem in self.details)


def load(document: Mapping[str, Any]) -> Policy:
    """Compile a document.

    Raises: InvalidPolicy, with every problem at once.
    """
    with listing.kept():
        found = problems(document)
        if found:
            raise InvalidPolicy(found)
        return _policy(PolicyDocument.model_validate(document))


def scaled(document: Mapping[str, Any], clock_rate: float) -> dict[str, Any]:
    """Return the document with durations in seconds, and those of memory divided by `clock_rate`.

    Divided are when residual memories begin and how long they and burdens last, after how long a
    flow is cut or a call ended, after what silence it is forgotten, and the clock's hour; latency,
    delay, jitter and rates stay real.

    Raises: InvalidPolicy.
    """
    found = problems(document)
    if found:
        raise InvalidPolicy(found)
    copy = deepcopy(dict(document))
    for holder, key in ((copy, "latency"), (copy.get("ip", {}), "wait")):
        if key in holder:
            holder[key] = seconds(holder[key])
    if "idle" in copy.get("limits", {}):
        copy["limits"]["idle"] = seconds(copy["limits"]["idle"])
    elif clock_rate != 1:
        copy.setdefault("limits", {})["idle"] = doc.LimitsDocument().idle
    if clock_rate != 1:
        copy["limits"]["idle"] /= clock_rate
    if "hour" in copy.get("clock", {}):
        copy["clock"]["hour"] = seconds(copy["clock"]["hour"])
    elif clock_rate != 1 and any(_hourly(rule) for rule in copy.get("rules", ())):
        copy.setdefault("clock", {})["hour"] = doc.Clock().hour
    if clock_rate != 1 and "hour" in copy.get("clock", {}):
        copy["clock"]["hour"] /= clock_rate
    for rule in copy.get("rules", ()):
        for act in rule["then"] if isinstance(rule["then"], list) else [rule["then"]]:
            for holder, key, memory in _durations(act):
                holder[key] = seconds(holder[key]) / (clock_rate if memory else 1)
    return copy


def _hourly(rule: Mapping[str, Any]) -> bool:
    """Say whether a rule looks at the clock."""
    chance = rule.get("chance")
    return isinstance(chance, Mapping) and "by_hour" in chance


def _durations(act: dict[str, Any]) -> Iterable[tuple[dict[str, Any], str, bool]]:
    """Yield where durations stand in an act, and whether a faster clock shortens them."""
    for holder, key, memory in (
        (act.get("residual"), "seconds", True),
        (act.get("residual"), "after", True),
        (act.get("cut"), "seconds", True),
        (act, "for", True),
        (act, "delay", False),
        (act, "jitter", False),
        (act, "queue", False),
        (act, "latency", False),
        (act, "after", act.get("inject") != "probe"),
    ):
        if isinstance(holder, dict) and holder.get(key) is not None:
            yield holder, key, memory
    then = (act.get("residual") or {}).get("then") or []
    for one in then if isinstance(then, list) else [then]:
        yield from _durations(one)


def _policy(document: PolicyDocument) -> Policy:
    in_path = document.position == "in-path"
    latency = LATENCY[document.position] if document.latency is None else document.latency
    compiled = [_rule(rule, document) for rule in document.rules]
    return Policy(
        in_path=in_path,
        latency=latency,
        tcp=_tcp(document.tcp),
        readings=readings(document),
        limits=rules.Limits(**document.limits.model_dump()),
        exceptions=tuple(rule for rule in compiled if rule.allows),
        rules=tuple(rule for rule in compiled if not rule.allows),
        sees=_SEES[document.sees],
        ip=_ip(document),
    )


def _ip(document: PolicyDocument) -> Ip:
    ip = document.ip
    walks, limit = ip.extension_headers == "walk", document.limits.fragments
    return Ip(ip.fragments, ip.overlap, ip.most, ip.wait, walks, limit)


def _tcp(tcp: clause.TcpBehaviour) -> Tcp:
    return Tcp(
        reassemble=tcp.reassemble,
        overlap=tcp.overlap,
        require=_REQUIRE[tcp.require_handshake],
        verify_checksum=tcp.verify_checksum,
        limit=tcp.limit,
        window=None if tcp.window == "any" else tcp.window,
        packets=None if tcp.packets == "all" else tcp.packets,
        both=tcp.reads == "both",
        adopt=frozenset(tcp.adopt),
        resync=frozenset(tcp.resync),
        resync_at=tcp.resync_at,
        teardown=frozenset(tcp.teardown),
        ends_at=tcp.ends_at,
        min_ttl=tcp.min_ttl,
        ignore=frozenset(tcp.ignore),
    )


def _rule(rule: doc.Rule, document: PolicyDocument) -> rules.Rule:
    in_path = document.position == "in-path"
    acts = tuple(
        enact(act, Setting(f"{rule.id}.then[{index}]", in_path, document.pools))
        for index, act in enumerate(rule.then)
        if not isinstance(act, Allow)
    )
    chance = rule.chance if isinstance(rule.chance, float) else 1.0
    odds = _odds(rule, document.clock)
    return rules.Rule(rule.id, compile_when(rule.when), acts, chance, rule.goes_on, odds)


def _odds(rule: doc.Rule, clock: doc.Clock) -> Odds | None:
    chance = rule.chance
    if isinstance(chance, float):
        return None
    hours, _, minutes = clock.start.partition(":")
    by_hour = (chance.of or 1.0,) if chance.by_hour is None else tuple(chance.by_hour)
    return Odds(rule.id, by_hour, chance.per, Clock(int(hours) + int(minutes) / 60, clock.hour))
