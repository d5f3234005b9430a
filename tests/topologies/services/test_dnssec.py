"""Signed zones, verified by dnspython: the chain down, what ran out, and how absence is shown."""

from __future__ import annotations

import dns.dnssec
import dns.exception
import dns.name
import dns.rdatatype
import dns.rrset
import dns.zone
import pytest

from topologies.services import zone
from topologies.services.dnssec import Signer

NAMES = {
    "www.facebook.com": ("31.13.70.36", "2a03:2880::1"),
    "www.lapsed.net": ("104.244.42.1",),
    "empty.example.net": (),
}
SIGNER = Signer(frozenset({"www.lapsed.net"}))
TREE = zone.tree(NAMES)
SIGNED = {
    name: dns.zone.from_text(text, origin=dns.name.from_text(name), relativize=False)
    for name, text in SIGNER.sign(TREE).items()
}


def keys(apex: str) -> dns.rrset.RRset:
    found = SIGNED[apex].get_rrset(dns.name.from_text(apex), dns.rdatatype.DNSKEY)
    assert found is not None
    return found


def verify(apex: str, name: str, kind: str, trusted: dns.rrset.RRset | None = None) -> None:
    owner, rdtype = dns.name.from_text(name), dns.rdatatype.from_text(kind)
    rrset = SIGNED[apex].get_rrset(owner, rdtype)
    signatures = SIGNED[apex].get_rrset(owner, dns.rdatatype.RRSIG, rdtype)
    assert rrset is not None
    assert signatures is not None
    dns.dnssec.validate(rrset, signatures, {dns.name.from_text(apex): trusted or keys(apex)})


def test_what_is_trusted_is_the_roots_key() -> None:
    text = SIGNER.anchor().partition("DNSKEY ")[2]
    assert keys(".") == dns.rrset.from_text(".", 0, "IN", "DNSKEY", text)


@pytest.mark.parametrize(
    ("parent", "child"), [(one.name, child) for one in TREE for child in one.children]
)
def test_a_parent_vouches_for_the_key_of_each_zone_it_delegates(parent: str, child: str) -> None:
    verify(parent, child, "DS")
    held = SIGNED[parent].get_rdataset(dns.name.from_text(child), "DS")
    key = keys(child)[0]
    assert [*(held or ())] == [dns.dnssec.make_ds(f"{child}.", key, "SHA256")]
    assert key not in keys(parent)


@pytest.mark.parametrize(
    ("apex", "name", "kind"),
    [
        (".", ".", "SOA"),
        (".", ".", "DNSKEY"),
        ("com", "com", "DNSKEY"),
        ("facebook.com", "www.facebook.com", "A"),
        ("facebook.com", "www.facebook.com", "AAAA"),
        ("facebook.com", "www.facebook.com", "NSEC"),
        ("example.net", "empty.example.net", "TXT"),
        ("lapsed.net", "www.lapsed.net", "NSEC"),  # what denies its neighbours is good
    ],
)
def test_every_record_is_signed(apex: str, name: str, kind: str) -> None:
    verify(apex, name, kind)


def test_glue_and_delegations_are_not() -> None:
    for name in ("facebook.com", "a.ns.facebook.com"):
        owner = dns.name.from_text(name)
        kinds = {rdataset.covers for rdataset in SIGNED["com"].get_node(owner) or ()}
        assert not kinds & {dns.rdatatype.NS, dns.rdatatype.A, dns.rdatatype.AAAA}


def test_a_name_can_be_signed_badly() -> None:
    with pytest.raises(dns.exception.ValidationFailure):
        verify("lapsed.net", "www.lapsed.net", "A")
    assert Signer().expired == ()


def test_another_key_verifies_nothing() -> None:
    other = Signer().anchor().partition("DNSKEY ")[2]
    with pytest.raises(dns.exception.ValidationFailure):
        verify(".", ".", "SOA", dns.rrset.from_text(".", 0, "IN", "DNSKEY", other))


def test_times_to_live_stay_none() -> None:
    assert {ttl for one in SIGNED.values() for _, ttl, _ in one.iterate_rdatas()} == {0}
