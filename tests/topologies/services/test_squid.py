"""The transparent proxy's configuration: whose it is, what it keeps, what it tells of itself."""

from __future__ import annotations

from pathlib import Path

from topologies.catalogue import build
from topologies.place import Vantage
from topologies.services import squid
from topologies.services.program import Ready, binary


def test_only_gateways_that_say_so_have_one_and_it_is_not_root(tmp_path: Path) -> None:
    vantages = {"plain": Vantage(nat="cone"), "home": Vantage(nat="cone", proxy=True)}
    (program,) = squid.programs(build({"use": "line"}, vantages, {}), tmp_path)
    assert (program.node, program.ready) == ("gw2", (Ready("tcp", "192.168.2.1", 3128),))
    assert program.argv[:2] == (binary("unshare", "util-linux"), "--user")
    assert "--map-user=65534" in program.argv


def test_it_takes_what_the_gateway_sends_it_and_keeps_nothing(tmp_path: Path) -> None:
    text = squid.configuration("gw2", "192.168.2.1", "8.8.8.8", tmp_path / "home", tmp_path)
    lines = text.splitlines()
    assert "http_port 192.168.2.1:3129 intercept" in lines
    assert "dns_nameservers 8.8.8.8" in lines
    assert {"cache deny all", "server_persistent_connections off", "pid_filename none"} <= {*lines}
    assert f"access_log stdio:{squid.log('gw2', tmp_path)} flows" in lines


def test_its_log_begins_as_it_is_read() -> None:
    assert squid.LOG.split()[1:9] == ["%>a", "%>p", "%>la", "%>lp", "%<la", "%<lp", "%<a", "%<p"]
