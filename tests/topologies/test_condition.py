"""The mending of a node names everything it owns; that it works is tried in tests/live."""

from __future__ import annotations

from typing import Any

from topologies import catalogue, condition
from topologies.place import Vantage


class Recorder:
    """A network that writes down what would be run."""

    def __init__(self) -> None:
        self.plan = catalogue.build({"use": "line", "delay": 0.0}, {"client": Vantage()}, {})
        self.ran: list[tuple[str, str]] = []

    def run(self, node: str, script: str) -> str:
        self.ran.append((node, script))
        return "as read"


def test_reading_asks_for_everything_a_tool_may_change() -> None:
    network: Any = Recorder()
    assert condition.read(network, "client") == "as read"
    ((node, script),) = network.ran
    assert node == "client"
    for word in ("ip -br link", "ip -br addr", "ip rule", "ip route", "iptables-save", "tc qdisc"):
        assert word in script


def test_mending_brings_the_plans_own_addresses_and_routes_back() -> None:
    network: Any = Recorder()
    condition.mend(network, "client")
    ((_, script),) = network.ran
    (address, *_) = (
        a for li in network.plan.links for e in li.ends if e.node == "client" for a in e.addresses
    )
    assert f"addr add {address} dev client-eth0" in script
    assert "route add 0.0.0.0/0" in script
    assert script.index("addr flush dev client-eth0") < script.index(f"addr add {address}")
