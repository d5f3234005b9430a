"""A tool that changes its vantage's network leaves nothing of it to whoever comes next."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]

CHANGES = {
    "firewall": "iptables -A OUTPUT -p tcp --tcp-flags RST RST -j DROP; iptables -P INPUT DROP; "
    "ip6tables -N x; iptables -t mangle -A OUTPUT -j MARK --set-mark 1",
    "link": "ip link set client-eth0 down",
    "addresses": "ip addr flush dev client-eth0 scope global; "
    "ip addr add 1.2.3.4/24 dev client-eth0",
    "routes": "ip route del default; ip rule add from all lookup 77 pref 5; "
    "ip route add blackhole 8.8.8.8/32",
    "interfaces": "ip link add dummy9 type veth peer name dummy8; ip link set client-eth0 mtu 600",
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_changed_network_is_put_back(tmp_path: Path, what: str) -> None:
    tool = tmp_path / "tool.sh"
    tool.write_text(f"#!/bin/sh\n{CHANGES[what]}\n")
    tool.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", "dns/pool-2010", "--json", "--target",
         "debian", "--out", str(tmp_path / "out"), "--", str(tool)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
    )  # fmt: skip
    (run,) = json.loads(done.stdout)["runs"]
    assert (run["valid"], run["invalid_because"]) == (True, []), done.stderr
    assert done.returncode == 1  # it answered nothing
    log = Path(run["dir"]) / "logs" / "tool-tool.sh-client.stderr.log"
    assert log.read_text() == ""  # the change was made
