"""Say which versions of other people's programs a run was made with, for whoever repeats it."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib import metadata

from filterbed.doctor import MODULES, PROGRAMS, engine


@cache
def versions() -> dict[str, str]:
    """Return name -> version: Python, its distributions, and the Debian packages of a run.

    "engine" is "compiled" or "python": see `filterbed.doctor.engine`. What is not installed is
    left out; where there is no dpkg so are all packages. About 10 ms.
    """
    found = {"python": platform.python_version(), "engine": engine()}
    for name in MODULES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found | _packages(sorted({package for _, _, package in PROGRAMS}))


def _packages(names: list[str]) -> dict[str, str]:
    try:
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", "${Package}\t${Version}\n", *names],
            capture_output=True, text=True, check=False, timeout=10,
        )  # fmt: skip
    except (OSError, subprocess.TimeoutExpired):
        return {}
    pairs = (line.partition("\t") for line in done.stdout.splitlines())
    return {name: version for name, _, version in pairs if version}
