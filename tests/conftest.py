"""Let tests find what an ordinary user's PATH lacks: packet tools and servers live in sbin.

The testbed itself must not rely on this: tests/live/test_path.py runs it with a PATH that is bare.
"""

from __future__ import annotations

import os

SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def pytest_configure() -> None:
    """Append the folders once; also in every worker of pytest-xdist."""
    there = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*there, *(d for d in SBIN if d not in there)])
