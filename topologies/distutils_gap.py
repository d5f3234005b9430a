"""Lend Mininet the one name of distutils that it imports, while it is being imported.

Python 3.12 has no distutils, and setuptools' replacement takes 0.2 s to load. Mininet compares the
version of Open vSwitch with it, which no network of ours has.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


class StrictVersion:
    """A version number, compared by its parts ("2.10" is more than "2.9")."""

    def __init__(self, text: str) -> None:
        self._parts = tuple(int(part) for part in text.split("."))

    def __lt__(self, other: str) -> bool:
        return self._parts < StrictVersion(other)._parts


@contextmanager
def filled() -> Iterator[None]:
    """Put a `distutils.version` in place where none is loaded; take it away again at the end."""
    if "distutils.version" in sys.modules:
        yield
        return
    package, module = ModuleType("distutils"), ModuleType("distutils.version")
    module.StrictVersion = StrictVersion  # type: ignore[attr-defined]
    kept = sys.modules.get("distutils")
    sys.modules.update({"distutils": package, "distutils.version": module})
    try:
        yield
    finally:
        del sys.modules["distutils.version"], sys.modules["distutils"]
        if kept is not None:
            sys.modules["distutils"] = kept
