"""The settings of a recursor."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from topologies.services import unbound


def test_unbounds_own_checker_accepts_the_settings(tmp_path: Path) -> None:
    text = unbound.configuration(("8.8.8.8", "2001:4860:4860::8888"), "198.41.0.4", tmp_path)
    config = tmp_path / "unbound.conf"
    config.write_text(text)
    path = "/usr/sbin/unbound-checkconf"
    if not Path(path).exists():
        pytest.skip("unbound-checkconf is not installed")
    done = subprocess.run([path, str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "  interface: 8.8.8.8",
        "  stub-addr: 198.41.0.4",
        "  cache-max-ttl: 0",
        "  cache-max-negative-ttl: 0",
        "  qname-minimisation: no",
        "  use-caps-for-id: no",
        '  module-config: "iterator"',
        '  username: ""',
        '  local-zone: "test." nodefault',
    ],
)
def test_what_a_censored_query_must_meet(line: str) -> None:
    text = unbound.configuration(("8.8.8.8",), "198.41.0.4", Path("/w"))
    assert line in text.splitlines()
