"""Find acts of a policy document that are well formed and still make no sense."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from censor.action import act_word
from censor.complaint import Path, Problem, guess


def objections(
    document: Mapping[str, Any],
    path: Path,
    act: Mapping[str, Any],
    topics: set[str],
    rule: Mapping[str, Any],
    on_path: bool,
) -> Iterable[Problem]:
    """Find what is well formed in an act and still makes no sense."""
    kind = act_word(act)
    cure = "an act that only injects, for the position is on-path"
    if on_path and kind == "drop":
        yield Problem((*path, "drop"), act["drop"], cure, "an in-path box may drop")
    if on_path and act.get("request") == "drop":
        yield Problem((*path, "request"), "drop", "pass, for the position is on-path")
    if kind == "dns-answer":
        yield from _answer_problems(document, path, act, topics)
    if kind == "block-page" and "http" not in topics:
        yield Problem((*path, "inject"), "block-page", "a rule with http.host in its `when`")
    when = rule.get("when")
    if kind == "reset" and isinstance(when, Mapping) and when.get("protocol") in ("udp", "icmp"):
        yield Problem((*path, "inject"), "reset", "a rule about tcp", "only TCP can be reset")
    residual = act.get("residual")
    if isinstance(residual, Mapping):
        then = residual.get("then")
        if then is None and kind not in ("drop", "reset"):
            yield Problem(
                (*path, "residual"),
                None,
                "`then`: what the memory does",
                "only drop and reset go on by themselves",
            )
        if isinstance(then, Mapping):
            if then.get("residual") is not None:
                yield Problem(
                    (*path, "residual", "then", "residual"), "...", "nothing: use `renew`"
                )
            inner = (*path, "residual", "then")
            yield from objections(document, inner, then, topics, {}, on_path)


def _answer_problems(
    document: Mapping[str, Any], path: Path, act: Mapping[str, Any], topics: set[str]
) -> Iterable[Problem]:
    if "dns" not in topics:
        yield Problem((*path, "inject"), "dns-answer", "a rule with dns.name in its `when`")
    said = [key for key in ("addresses", "rcode", "empty") if act.get(key) is not None]
    if len(said) != 1:
        yield Problem(path, said, "exactly one of addresses, rcode and empty")
    pools = document.get("pools")
    names = pools if isinstance(pools, Mapping) else {}
    pool = act.get("addresses")
    if isinstance(pool, str) and pool not in names:
        expected = f"a list of addresses or a pool: {', '.join(names) or 'there are none'}"
        yield Problem((*path, "addresses"), pool, expected, guess(pool, names))
