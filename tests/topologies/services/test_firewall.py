"""Rules that make a port silent."""

from __future__ import annotations

import shlex
from pathlib import Path

from topologies.services import firewall


def test_each_address_protocol_and_port_is_dropped_by_the_right_tool() -> None:
    closed = (("5.9.1.1", "tcp", (80, 443)), ("2a01:4f8::1", "udp", (5060,)))
    program = firewall.program("s", closed, Path("/w"))
    lines = str(program.files[Path("/w/s-firewall/rules.sh")]).splitlines()
    rules = [shlex.split(line) for line in lines if "INPUT" in line]
    assert [(Path(rule[0]).name, rule[6], rule[8], rule[10]) for rule in rules] == [
        ("iptables", "5.9.1.1", "tcp", "80"),
        ("iptables", "5.9.1.1", "tcp", "443"),
        ("ip6tables", "2a01:4f8::1", "udp", "5060"),
    ]
    assert all(rule[-2:] == ["-j", "DROP"] for rule in rules)
    assert program.once
