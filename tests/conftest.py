"""Let tests find what an ordinary user's PATH lacks, and keep a build from passing by leaving out.

Packet tools and servers live in sbin. The testbed itself must not rely on this:
tests/live/test_path.py runs it with a PATH that is bare.
"""

from __future__ import annotations

import os
from collections.abc import Generator
from typing import Any

import pytest
from hypothesis import settings

# How long an example takes says more of the machine than of the code.
settings.register_profile("filterbed", deadline=None)
settings.load_profile("filterbed")

# What is shared by tests and no test itself says as much as they do of what it finds wrong.
pytest.register_assert_rewrite("tests.live.disturbed", "tests.live.stage")

#: What a reason says of something that bin/bootstrap, or a build's machine, provides.
LACKING = ("not installed", "no user namespaces here")
SBIN = ("/usr/local/sbin", "/usr/sbin", "/sbin")


def pytest_configure() -> None:
    """Append the folders once; also in every worker of pytest-xdist."""
    there = os.environ.get("PATH", "").split(os.pathsep)
    os.environ["PATH"] = os.pathsep.join([*there, *(d for d in SBIN if d not in there)])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, Any, Any]:
    """Fail where a test is skipped for something that a build (CI) must have."""
    report = yield
    lacking = any(words in str(report.longrepr) for words in LACKING)
    if os.environ.get("CI") and report.skipped and lacking:
        report.outcome = "failed"
        report.longrepr = f"skipped in a build: {report.longrepr}"
    return report
