"""Versions are those that are installed, and nothing is made up."""

from __future__ import annotations

import platform
import shutil
import subprocess
from importlib import metadata

import pytest

from filterbed import provenance


def test_versions_are_those_installed() -> None:
    found = provenance.versions()
    assert found["python"] == platform.python_version()
    assert found["engine"] in ("compiled", "python")
    assert found["scapy"] == metadata.version("scapy")
    if shutil.which("dpkg-query"):
        told = subprocess.check_output(["dpkg-query", "-W", "-f", "${Version}", "iproute2"])
        assert found["iproute2"] == told.decode()


def test_without_dpkg_no_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert provenance._packages(["iproute2"]) == {}


@pytest.mark.skipif(not shutil.which("dpkg-query"), reason="not a Debian system")
def test_what_is_not_there_is_left_out() -> None:
    assert provenance._packages(["no-such-package-here"]) == {}
