"""The programs of captive portals: what answers HTTP, and where it is asked to, DNS."""

from __future__ import annotations

from pathlib import Path

from topologies.catalogue import build
from topologies.place import Vantage
from topologies.plan import Portal
from topologies.services import captive
from topologies.services.program import Ready


def test_each_portal_has_its_own(tmp_path: Path) -> None:
    vantages = {
        "plain": Vantage(nat="cone"),
        "hotel": Vantage(nat="cone", portal=Portal()),
        "cafe": Vantage(nat="cone", portal=Portal(511, answers_dns=True, voucher="tea")),
    }
    hotel, cafe, dns = captive.programs(build({"use": "line"}, vantages, {}), tmp_path)
    assert (hotel.node, hotel.ready) == ("gw2", (Ready("tcp", "192.168.2.1", 80),))
    assert cafe.argv[-6:] == ("--address", "192.168.3.1", "--status", "511", "--voucher", "tea")
    assert (dns.node, dns.ready) == ("gw3", (Ready("dns", "192.168.3.1", 53),))
    (text,) = (text for path, text in dns.files.items() if path.name == "unbound.conf")
    assert '  local-zone: "." redirect\n  local-data: ". 0 IN A 192.168.3.1"\n' in str(text)
