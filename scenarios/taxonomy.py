"""Answer questions about the vocabulary of mechanisms (`taxonomy.yaml`).

A node is a dotted path, `<layer>.<action>.<qualifier>`; every whole-label prefix is a node too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path as File

from scenarios import yaml12

FILE = File(__file__).with_name("taxonomy.yaml")


@cache
def _document() -> Mapping[str, object]:
    document, _ = yaml12.load_file(FILE)
    assert isinstance(document, dict)
    return document


def version() -> str:
    """Return the vocabulary's name and version, as scores quote it."""
    return str(_document()["taxonomy"])


@cache
def nodes() -> Mapping[str, str]:
    """Return every node: those written down with their meaning, their prefixes with none."""
    written: dict[str, str] = {}
    for part in _document().values():
        if isinstance(part, dict):
            written.update({str(path): str(meaning) for path, meaning in part.items()})
    prefixes = {above: "" for path in written for above in ancestors(path)}
    return {**prefixes, **written}


def is_node(path: str) -> bool:
    """Tell whether the vocabulary has this node, prefixes included."""
    return path in nodes()


def ancestors(path: str) -> tuple[str, ...]:
    """Return the whole-label prefixes of a path, shortest first, without the path itself."""
    labels = path.split(".")
    return tuple(".".join(labels[:n]) for n in range(1, len(labels)))


def covers(observed: str, expected: str) -> bool:
    """Tell whether an observed node is the expected one or a whole-label prefix of it."""
    return expected == observed or expected.startswith(f"{observed}.")


def agrees(observed: Iterable[str], expected: Iterable[str]) -> bool:
    """Tell whether every observed node covers some expected one; none at all passes."""
    expected = tuple(expected)
    return all(any(covers(o, e) for e in expected) for o in observed)
