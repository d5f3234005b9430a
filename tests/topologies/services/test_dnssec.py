"""A signed zone, verified by dnspython: what is good, what ran out, and how absence is shown."""

from __future__ import annotations

import dns.dnssec
import dns.exception
import dns.name
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest

from topologies.services import nsd
from topologies.services.dnssec import Signer

NAMES = {
    "www.facebook.com": ("31.13.70.36", "2a03:2880::1"),
    "www.lapsed.net": ("104.244.42.1",),
    "empty.example.net": (),
}
SERVERS = ("198.41.0.4",)
SIGNER = Signer(frozenset({"www.lapsed.net"}))
ZONE = dns.zone.from_text(
    SIGNER.sign(nsd.zone(NAMES, SERVERS)), origin=".", relativize=False, check_origin=True
)


def key(anchor: str) -> dns.rrset.RRset:
    return dns.rrset.from_text(".", 0, "IN", "DNSKEY", anchor.partition("DNSKEY ")[2])


KEY = key(SIGNER.anchor())


def verify(name: str, kind: str, trusted: dns.rrset.RRset = KEY) -> None:
    owner, rdtype = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    rrset = ZONE.get_rrset(owner, rdtype)
    signatures = ZONE.get_rrset(owner, dns.rdatatype.RRSIG, rdtype)
    assert rrset is not None
    assert signatures is not None
    dns.dnssec.validate(rrset, signatures, {dns.name.root: trusted})


def test_what_is_trusted_is_the_zones_key() -> None:
    held = ZONE.get_rrset(dns.name.root, dns.rdatatype.DNSKEY)
    assert held == KEY


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        (".", "SOA"),
        (".", "DNSKEY"),
        ("www.facebook.com", "A"),
        ("www.facebook.com", "AAAA"),
        ("www.facebook.com", "NSEC"),
        ("empty.example.net", "TXT"),
        ("www.lapsed.net", "NSEC"),  # what denies its neighbours is good
    ],
)
def test_every_record_is_signed(name: str, kind: str) -> None:
    verify(name, kind)


def test_a_name_can_be_signed_badly() -> None:
    with pytest.raises(dns.exception.ValidationFailure):
        verify("www.lapsed.net", "A")
    assert Signer().expired == ()


def test_another_key_verifies_nothing() -> None:
    with pytest.raises(dns.exception.ValidationFailure):
        verify(".", "SOA", key(Signer().anchor()))


def test_times_to_live_stay_none() -> None:
    assert {ttl for _, ttl, _ in ZONE.iterate_rdatas()} == {0}
