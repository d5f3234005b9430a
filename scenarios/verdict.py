"""Write out who sees what: every (vantage, target) has exactly one truth at every moment."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from scenarios import access, baseline, chat, family, schema, taxonomy, telephone
from scenarios.error import Path, Problem, either, nearest, show
from scenarios.ground import Ground
from scenarios.model import Label, Truth
from scenarios.places import Places
from topologies.service import Resolver, Sip, Skype, Turn

Pair = tuple[str, str]
#: The end of time.
FOREVER = float("inf")


@dataclass(frozen=True, slots=True)
class Said:
    """One truth entry as it applies to one pair, from `start` to `end` (seconds)."""

    index: int
    start: float
    end: float
    truth: Truth


def members(document: schema.Document, word: str) -> tuple[str, ...]:
    """Return the vantages a word contains: a vantage, city, carrier, `inside` or `abroad`."""
    if word in document.vantages:
        return (word,)
    return tuple(name for name, vantage in document.vantages.items() if word in _words(vantage))


def _words(vantage: schema.Vantage) -> tuple[str, ...]:
    side = "abroad" if vantage.abroad else "inside"
    return tuple(word for word in (vantage.city, vantage.carrier, side) if word)


def places_of(document: schema.Document) -> list[str]:
    """List the words that contain a vantage."""
    words = dict.fromkeys(document.vantages)
    for vantage in document.vantages.values():
        words |= dict.fromkeys(_words(vantage))
    return list(words)


def baselines(
    document: schema.Document, ground: Ground, places: Places
) -> tuple[dict[str, dict[str, str]], list[Problem]]:
    """Return target -> host -> baseline word, `control` among the hosts, and what is wrong.

    A target's baseline is what its services really answer; where the file says something else,
    the file is wrong.
    """
    words: dict[str, dict[str, str]] = {}
    problems: list[Problem] = []
    for name, target in document.targets.items():
        hosts = (*document.vantages, "control")
        (version, *_) = family.families(target, ground)
        words[name] = {
            host: baseline.answer(target, host, ground, version=version) for host in hosts
        }
        problems += _mistaken(document, name, target, words[name], ground, places)
    return words, problems


def _mistaken(
    document: schema.Document,
    name: str,
    target: baseline.AnyTarget,
    real: Mapping[str, str],
    ground: Ground,
    places: Places,
) -> Iterator[Problem]:
    if refused := [*access.problems(target, ("targets", name), ground, places)]:
        yield from refused
        return
    at: Path = ("targets", name, "baseline")
    said = dict.fromkeys(real, target.baseline.get("else", "answers"))
    keyed: dict[str, str] = {}
    for word, answer in target.baseline.items():
        hosts = ("control",) if word == "control" else members(document, word)
        if word != "else" and not hosts:
            known = ["else", "control", *places_of(document)]
            yield places.problem(
                (*at, word), f"a vantage, city or carrier, or else: {either(known)}",
                found=show(word), hint=nearest(word, known), key=True,
            )  # fmt: skip
        for host in hosts:
            if host in keyed and said[host] != answer:
                expected = f"one baseline for {host}; {keyed[host]!r} says {said[host]!r}"
                yield places.problem((*at, word), expected, found=show(answer), key=True)
            keyed[host] = word
            said[host] = answer
    wrong = {host: word for host, word in real.items() if said[host] != word}
    if set(wrong.values()) == {"dead-name"}:
        host, key = baseline.host_of(target)
        served = [n for s in ground.services for n in (*s.names, *s.addresses)]
        yield places.problem(
            ("targets", name, key), "a name that a service has (or baseline: dead-name)",
            found=show(host), hint=nearest(host, served),
        )  # fmt: skip
        return
    for host, word in wrong.items():
        where = (*at, keyed.get(host, "else"))
        where = where if places.has(where) else at
        yield places.problem(
            where, f"{word!r}, which the services answer to {host}", found=show(said[host])
        )
        return
    if isinstance(target, schema.WebTarget) and target.via and target.url.startswith("http:"):
        expected = f"https://..., which {target.via} is for"
        yield places.problem(("targets", name, "url"), expected, found=show(target.url))
    yield from _account(target, ("targets", name), ground, places)
    yield from _overlay(target, ("targets", name), ground, places)
    yield from chat.problems(target, ("targets", name), ground, places)
    yield from _resolver(target, ("targets", name), ground, places)


def _account(
    target: baseline.AnyTarget, at: Path, ground: Ground, places: Places
) -> Iterator[Problem]:
    """Check that a SIP target's user and callee are known where it registers."""
    serving = baseline.serves(baseline.host_of(target)[0], ground)
    sips = [service for service in serving if isinstance(service, Sip)]
    if not isinstance(target, schema.SipTarget) or not sips:
        return
    yield from family.reached(target, sips[0], at, ground, places)
    users = dict(sips[0].users)
    if target.user is not None and target.user not in users:
        expected = f"a user of {sips[0].id}: {either(users)}"
        hint = nearest(target.user, users)
        yield places.problem((*at, "user"), expected, found=show(target.user), hint=hint)
    elif target.password not in (None, users[target.user or next(iter(users))]):
        expected = f"the password {sips[0].id} knows, which is taken where none is said"
        yield places.problem((*at, "password"), expected, found=show(target.password))
    if isinstance(target, schema.CallTarget):
        yield from _helpers(target, at, ground, places)
        yield from telephone.direction(target, sips[0], at, places)
        yield from telephone.client(target, at, places)
    if isinstance(target, schema.CallTarget) and sips[0].called(target.callee) is None:
        known = (*sips[0].callees, *sips[0].numbers)
        expected = f"a callee of {sips[0].id}: {either(known)}"
        hint = nearest(target.callee, known)
        yield places.problem((*at, "callee"), expected, found=show(target.callee), hint=hint)


def _helpers(
    target: schema.CallTarget, at: Path, ground: Ground, places: Places
) -> Iterator[Problem]:
    """Check that those a call asks for help are there."""
    relays = [service for service in ground.services if isinstance(service, Turn)]
    known = [name for service in relays for name in (*service.names, *service.addresses)]
    for key in ("stun", "turn"):
        name = getattr(target, key)
        if name is not None and name not in known:
            names = either(known) if known else "there is none"
            expected = f"a name of a service of kind turn: {names}"
            hint = nearest(name, known)
            yield places.problem((*at, key), expected, found=show(name), hint=hint)


def _overlay(
    target: baseline.AnyTarget, at: Path, ground: Ground, places: Places
) -> Iterator[Problem]:
    """Check that what a Skype client is to use are those parts of its network."""
    if not isinstance(target, schema.SkypeTarget):
        return
    for number, (key, part, id) in enumerate(baseline.parts(target)):
        if baseline.skype(ground, id, part) is None:
            known = [s.id for s in ground.services if isinstance(s, Skype) and s.part == part]
            where: Path = (*at, key, number) if key == "hosts" else (*at, key)
            expected = f"a service of kind skype, part {part}: {either(known)}"
            yield places.problem(where, expected, found=show(id), hint=nearest(id, known))


def _resolver(
    target: baseline.AnyTarget, at: Path, ground: Ground, places: Places
) -> Iterator[Problem]:
    """Check that who is asked over TLS is a resolver, and named where TLS is asked for."""
    if not isinstance(target, schema.DnsTarget):
        return
    known = [n for s in ground.services if isinstance(s, Resolver) for n in s.names]
    if (target.via is None) is not (target.resolver is None):
        key = "via" if target.resolver is None else "resolver"
        yield places.problem((*at, key), "via and resolver, or neither", key=True)
    elif target.resolver is not None and target.resolver not in known:
        expected = f"a name of a service of kind resolver: {either(known) if known else 'none'}"
        hint = nearest(target.resolver, known)
        yield places.problem((*at, "resolver"), expected, found=show(target.resolver), hint=hint)


def truths(
    document: schema.Document,
    words: Mapping[str, Mapping[str, str]],
    mistaken: Collection[str],
    places: Places,
) -> tuple[dict[Pair, list[Said]], list[Problem]]:
    """Return, for every pair, its truths in the order of time, and everything that is wrong.

    Args:
        words: target -> host -> baseline word.
        mistaken: targets whose baseline is wrong already; what they are is not told twice.
    """
    said: dict[Pair, list[Said]] = {(v, t): [] for v in document.vantages for t in document.targets}
    problems: list[Problem] = []
    for index, entry in enumerate(document.truth):
        at: Path = ("truth", index)
        problems += _entry(document, entry, at, places)
        start, end = (*(entry.during or (0.0,)), FOREVER)[:2]
        label = Label(entry.verdict, frozenset(entry.mechanisms), entry.locus)
        mismatched = False
        for pair in _pairs(document, entry):
            own = words[pair[1]]
            base = baseline.label(own[pair[0]], own["control"])
            mismatch = _mismatch(label, base, pair, own[pair[0]])
            if mismatch and not mismatched and pair[1] not in mistaken:
                key = "locus" if entry.verdict == base.verdict else "verdict"
                found = f"{entry.verdict} {entry.locus or ''}".strip()
                problems.append(places.problem((*at, key), mismatch, found=found))
                mismatched = True
            truth = Truth(label, base, by_log=entry.decided_by == "log")
            said[pair].append(Said(index, start, end, truth))
    for told in said.values():
        told.sort(key=lambda one: (one.start, one.index))
    problems += _missing(document, said, places)
    problems += _doubled(said, places)
    return said, problems


def _pairs(document: schema.Document, entry: schema.Truth) -> list[Pair]:
    words = entry.from_ or list(document.vantages)
    vantages = dict.fromkeys(v for word in words for v in members(document, word))
    targets = [t for t in dict.fromkeys(entry.target) if t in document.targets]
    return [(vantage, target) for target in targets for vantage in vantages]


def _entry(
    document: schema.Document, entry: schema.Truth, at: Path, places: Places
) -> Iterator[Problem]:
    """Check one truth by itself."""
    known = places_of(document)
    listed: tuple[tuple[str, list[str], list[str], str], ...] = (
        ("target", entry.target, list(document.targets), "a target"),
        ("from", entry.from_, known, "a vantage, or the city or carrier of one"),
        ("mechanisms", entry.mechanisms, list(taxonomy.nodes()), "a node of the taxonomy"),
    )
    for key, values, choices, what in listed:
        for index, value in enumerate(values):
            if value not in choices:
                where = (*at, key, index) if places.has((*at, key, index)) else (*at, key)
                some = "" if key == "mechanisms" else f": {either(choices)}"
                hint = nearest(value, choices)
                yield places.problem(where, what + some, found=show(value), hint=hint)
    if entry.verdict == "blocked":
        if entry.locus is None:
            yield places.problem(at, "a locus, for the verdict is blocked")
        if not entry.mechanisms:
            yield places.problem(at, "at least one mechanism, for the verdict is blocked")
    else:
        for key in ("mechanisms", "locus"):
            if getattr(entry, key):
                expected = f"nothing here, for the verdict is {entry.verdict}"
                found = show(getattr(entry, key))
                yield places.problem((*at, key), expected, found=found, key=True)
    if entry.decided_by and entry.locus != "network":
        expected = "a truth that is blocked by the network: the log knows of no other"
        yield places.problem((*at, "decided-by"), expected, found="log")
    if entry.during and len(entry.during) == 2 and entry.during[0] >= entry.during[1]:
        yield places.problem((*at, "during"), "an end after its start", found=show(entry.during))


def _mismatch(label: Label, base: Label, pair: Pair, word: str) -> str:
    """Say what a truth should be, where what the services answer leaves no choice."""
    if label.verdict == "blocked" and label.locus in ("network", None):
        return ""
    if label.verdict == base.verdict and (label == base or not (base.locus and label.mechanisms)):
        return ""
    vantage, target = pair
    mechanisms = f", {base.locus}, [{', '.join(sorted(base.mechanisms))}]" if base.locus else ""
    earned = base.verdict + mechanisms
    return f"{earned}, for {target} answers {word!r} to {vantage} without any box's doing"


def _missing(
    document: schema.Document, said: Mapping[Pair, list[Said]], places: Places
) -> Iterator[Problem]:
    """Find pairs without a truth, told once for each target."""
    for target in document.targets:
        silent = [v for v in document.vantages if not said[v, target]]
        if silent:
            from_ = "" if len(silent) == len(document.vantages) else f" from {either(silent)}"
            expected = f"a truth for {target}{from_.replace(' or ', ' and ')}"
            yield places.problem(("targets", target), expected, found="none", key=True)
        for vantage in document.vantages:
            for moment in _gaps(said[vantage, target]):
                expected = f"a truth for {target} from {vantage} at {moment:g} s too"
                yield places.problem(("targets", target), expected, found="none", key=True)


def _gaps(told: list[Said]) -> list[float]:
    """Return the moments at which a pair that has truths has none."""
    moments = []
    reached = 0.0
    for one in told:
        if one.start > reached:
            moments.append(reached)
        reached = max(reached, one.end)
    return moments + ([reached] if told and reached < FOREVER else [])


def _doubled(said: Mapping[Pair, list[Said]], places: Places) -> Iterator[Problem]:
    """Find pairs with two truths at once, told once for each two entries and target."""
    seen: set[tuple[int, int, str]] = set()
    for (vantage, target), told in said.items():
        for one, other in pairwise(told):
            first, second = sorted((one.index, other.index))
            if other.start < one.end and (first, second, target) not in seen:
                seen.add((first, second, target))
                line, _ = places.of(places.written(("truth", first)))
                expected = f"one truth for {target} from {vantage}; line {line} has one already"
                yield places.problem(("truth", second), expected, found="another")
