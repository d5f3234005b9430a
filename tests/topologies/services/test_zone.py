"""The zones, read back by dnspython, and the way down through them."""

from __future__ import annotations

import dns.name
import dns.zone
import pytest

from topologies.address import AUTHORITATIVE, NAME_SERVERS, ROOT, TLD
from topologies.services import zone

NAMES = {
    "www.facebook.com": ("31.13.70.36", "2a03:2880::1"),
    "V4.Example.NET.": ("104.244.42.1",),
    "empty.example.net": (),
    "www.bbc.co.uk": ("212.58.246.90",),
    "com": ("192.5.6.31",),
}
TREE = {one.name: one for one in zone.tree(NAMES)}
READ = {
    name: dns.zone.from_text(
        "\n".join(one.records), origin=dns.name.from_text(name), relativize=False
    )
    for name, one in TREE.items()
}


def rdata(apex: str, name: str, kind: str) -> set[str]:
    found = READ[apex].get_rdataset(dns.name.from_text(name), kind)
    return {item.to_text() for item in found or ()}


@pytest.mark.parametrize(
    ("apex", "name", "kind", "held"),
    [
        ("facebook.com", "www.facebook.com", "A", {"31.13.70.36"}),
        ("facebook.com", "www.facebook.com", "AAAA", {"2a03:2880::1"}),
        ("example.net", "v4.example.net", "A", {"104.244.42.1"}),
        ("example.net", "v4.example.net", "AAAA", set()),
        ("example.net", "empty.example.net", "A", set()),
        ("bbc.co.uk", "www.bbc.co.uk", "A", {"212.58.246.90"}),
        ("com", "com", "A", {"192.5.6.31"}),
        ("root-servers.net", "a.root-servers.net", "A", {ROOT.addresses[0]}),
        (".", ".", "NS", {"a.root-servers.net."}),
    ],
)
def test_a_name_has_its_addresses_and_no_others(
    apex: str, name: str, kind: str, held: set[str]
) -> None:
    assert rdata(apex, name, kind) == held


def test_a_name_without_addresses_exists() -> None:
    assert dns.name.from_text("empty.example.net") in READ["example.net"].nodes
    assert dns.name.from_text("nobody.example.net") not in READ["example.net"].nodes


def test_each_step_is_held_by_its_own_server() -> None:
    held = {
        server.node: {n for n, o in TREE.items() if o.holder == server} for server in NAME_SERVERS
    }
    assert held == {
        "root": {".", "root-servers.net"},
        "tld": {"com", "net", "uk"},
        "auth": {"facebook.com", "example.net", "bbc.co.uk"},
    }
    assert next(iter(TREE)) == "."
    assert TREE["com"].children == ("facebook.com",)
    assert set(TREE["."].children) == {"com", "net", "uk"}


@pytest.mark.parametrize("child", [name for name in TREE if name != "."])
def test_a_delegation_agrees_with_the_zone_it_points_to_and_carries_glue(child: str) -> None:
    (parent,) = [one.name for one in TREE.values() if child in one.children]
    assert rdata(parent, child, "NS") == rdata(child, child, "NS") == {f"{TREE[child].server}."}
    for kind, address in zip(("A", "AAAA"), TREE[child].holder.addresses, strict=True):
        assert rdata(parent, TREE[child].server, kind) == {address}


@pytest.mark.parametrize(
    ("names", "apex", "server"),
    [
        ({"www.free.com": ()}, "free.com", "a.ns.free.com"),
        ({"a.ns.taken.com": ("1.2.3.4",)}, "taken.com", "a.ns1.taken.com"),
        ({"ns.taken.com": ("1.2.3.4",)}, "taken.com", "a.ns1.taken.com"),
        ({"www.nic.com": ("1.2.3.4",)}, "com", "a.nic1.com"),
    ],
)
def test_a_zones_server_has_a_name_that_is_nobodys(
    names: dict[str, tuple[str, ...]], apex: str, server: str
) -> None:
    (found,) = [one for one in zone.tree(names) if one.name == apex]
    assert found.server == server


@pytest.mark.parametrize(
    ("name", "apex"),
    [
        ("www.example.com", "example.com"),
        ("example.com", "example.com"),
        ("a.b.example.com", "example.com"),
        ("www.bbc.co.uk", "bbc.co.uk"),
        ("google.com.hk", "google.com.hk"),
        ("co.uk", "uk"),
        ("vk.com", "vk.com"),
        ("co.com", "co.com"),
        ("com.de", "de"),
        ("bit.ly", "bit.ly"),
        ("ru", "ru"),
        ("one.one.one.one", "one.one"),
    ],
)
def test_a_name_is_in_the_zone_that_was_registered(name: str, apex: str) -> None:
    assert zone.cut(name) == apex


def test_nothing_is_kept_by_caches() -> None:
    assert {ttl for read in READ.values() for _, ttl, _ in read.iterate_rdatas()} == {0}
    assert rdata("com", "com", "SOA").pop().split()[-1] == "0"


def test_there_is_a_root_though_there_are_no_names() -> None:
    assert [one.name for one in zone.tree({})] == [".", "net", "root-servers.net"]


def test_hints_say_where_the_root_is() -> None:
    lines = zone.hints().splitlines()
    assert lines[0].split()[-2:] == ["NS", "a.root-servers.net."]
    assert {line.split()[-1] for line in lines[1:]} == {*ROOT.addresses}


def test_no_two_servers_share_an_address() -> None:
    assert len({*ROOT.addresses, *TLD.addresses, *AUTHORITATIVE.addresses}) == 6
