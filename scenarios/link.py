"""Turn a scenario's `links:` into links of the plan that lose, delay, reorder or double packets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from scenarios import schema
from scenarios.error import Problem, show
from scenarios.places import Places
from topologies.errors import PlanError
from topologies.impair import Impairment, impair
from topologies.plan import Plan, Way

#: Keys of a link that are its own, not a direction's.
WHOLE = ("mtu", "too_big")


def impaired(
    plan: Plan, links: Sequence[schema.Link], places: Places
) -> tuple[Plan, list[Problem]]:
    """Return the plan with its links as the file says; as it was where that is wrong."""
    problems = [p for number, link in enumerate(links) for p in _shape(number, link, places)]
    if problems or not links:
        return plan, problems
    try:
        return impair(plan, [_impairment(link) for link in links]), []
    except PlanError as error:
        return plan, [
            places.problem(
                wrong.path,
                f"{wrong.expected} ({wrong.hint})" if wrong.hint else wrong.expected,
                found=show(wrong.value),
            )
            for wrong in error.problems
        ]


def _shape(number: int, link: schema.Link, places: Places) -> Iterator[Problem]:
    """Check which keys stand together."""
    at = ("links", number)
    both, one = link.between is not None, (link.from_ is not None, link.to is not None)
    if both == any(one) or (any(one) and not all(one)):
        yield places.problem(at, "either `between: [HOST, HOST]`, or `from` and `to`")
    for key in WHOLE if not both else ():
        if key in link.model_fields_set:
            named = key.replace("_", "-")
            yield places.problem((*at, named), "`between`, for this holds in both directions")
    if link.too_big == "silent" and link.mtu is None:
        yield places.problem((*at, "too-big"), "an `mtu` that something is too big for")
    for key, needed in (("burst", link.loss), ("queue", link.rate)):
        if key in link.model_fields_set and not needed:
            cause = {"burst": "loss", "queue": "rate"}[key]
            yield places.problem((*at, key), f"`{cause}` beside it, which it qualifies")
    if link.burst is not None and 0 < link.loss < 1 and link.burst < 1 / (1 - link.loss):
        expected = f"at least {1 / (1 - link.loss):.3g}, the mean of packets lost each by itself"
        yield places.problem((*at, "burst"), expected, found=show(link.burst))


def _impairment(link: schema.Link) -> Impairment:
    one, two = link.between or (link.from_ or "", link.to or "")
    burst = None if link.burst is None else float(link.burst)
    return Impairment(
        one,
        two,
        one_way=link.between is None,
        way=Way(
            jitter=link.jitter,
            loss=link.loss,
            burst=burst,
            rate=link.rate,
            queue=link.queue,
            reorder=link.reorder,
            duplicate=link.duplicate,
        ),
        delay=link.delay,
        mtu=link.mtu,
        silent=link.too_big == "silent",
    )
