"""The zone and the settings of the authoritative server, read back by dnspython."""

from __future__ import annotations

from pathlib import Path

import dns.name
import dns.rdataclass
import dns.rdatatype
import dns.zone
import pytest

from topologies.services import nsd
from topologies.services.dnssec import Signer

SERVERS = ("198.41.0.4", "2001:503:ba3e::2:30")
NAMES = {
    "www.facebook.com": ("31.13.70.36", "2a03:2880::1"),
    "V4.Example.NET.": ("104.244.42.1",),
    "empty.example.net": (),
    "com": ("192.5.6.30",),
}
ZONE = dns.zone.from_text(nsd.zone(NAMES, SERVERS), origin=".", relativize=False)


def rdata(name: str, kind: str) -> set[str]:
    found = ZONE.get_rdataset(dns.name.from_text(name), kind)
    return {item.to_text() for item in found or ()}


@pytest.mark.parametrize(
    ("name", "kind", "held"),
    [
        ("www.facebook.com", "A", {"31.13.70.36"}),
        ("www.facebook.com", "AAAA", {"2a03:2880::1"}),
        ("v4.example.net", "A", {"104.244.42.1"}),
        ("v4.example.net", "AAAA", set()),
        ("empty.example.net", "A", set()),
        ("com", "A", {"192.5.6.30"}),
        ("a.root-servers.net", "A", {"198.41.0.4"}),
        (".", "NS", {"a.root-servers.net."}),
    ],
)
def test_a_name_has_its_addresses_and_no_others(name: str, kind: str, held: set[str]) -> None:
    assert rdata(name, kind) == held


def test_a_name_without_addresses_exists() -> None:
    assert dns.name.from_text("empty.example.net") in ZONE.nodes
    assert dns.name.from_text("nobody.example.net") not in ZONE.nodes


def test_nothing_is_kept_by_caches() -> None:
    ttls = {ttl for _, ttl, _ in ZONE.iterate_rdatas()}
    assert ttls == {0}
    assert rdata(".", "SOA").pop().split()[-1] == "0"


def test_the_program_listens_and_is_asked_at_every_address() -> None:
    program = nsd.program("auth", SERVERS, NAMES, Path("/w"))
    assert [(ready.how, ready.address) for ready in program.ready] == [("dns", a) for a in SERVERS]
    text = str(program.files[Path("/w/auth-nsd/nsd.conf")])
    for address in SERVERS:
        assert f"  ip-address: {address}\n" in text
    assert 'username: ""' in text


def test_a_zone_is_signed_where_somebody_validates() -> None:
    signed = nsd.program("auth", SERVERS, NAMES, Path("/w"), Signer())
    plain = nsd.program("auth", SERVERS, NAMES, Path("/w"))
    zone = Path("/w/auth-nsd/root.zone")
    assert " RRSIG A 15 " in str(signed.files[zone])
    assert "RRSIG" not in str(plain.files[zone])
