"""Compile the censor's hot modules when FILTERBED_COMPILE=1; otherwise pyproject.toml says it all.

The same sources are compiled (mypyc) that run otherwise, and the same tests judge both
(CONTRIBUTING.md, "The compiled modules"; `make compiled`).
"""

from __future__ import annotations

import os
import sys

from setuptools import Extension, setup

#: What every packet passes through.
HOT = (
    "wire/packet",
    "follow/flow",
    "follow/stream",
    "read/agenda",
    "engine/state",
    "engine/engine",
    "engine/inspection",
)


def compiled() -> list[Extension]:
    """Return the extensions wanted: none, unless FILTERBED_COMPILE is 1."""
    wanted = os.environ.get("FILTERBED_COMPILE", "0")
    if wanted not in ("", "0", "1"):
        sys.exit(f"FILTERBED_COMPILE={wanted!r}: expected 1 (compile) or 0 (do not)")
    if wanted != "1":
        return []
    try:
        from mypyc.build import mypycify
    except ImportError as error:
        sys.exit(
            f"FILTERBED_COMPILE=1 needs mypy, which pip's isolated build has not ({error}): "
            "pip install mypy setuptools wheel, then pip install --no-build-isolation ."
        )
    extensions: list[Extension] = mypycify([f"censor/{name}.py" for name in HOT])
    return extensions


setup(ext_modules=compiled())
