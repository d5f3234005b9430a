"""The address plan: public, apart, and with room."""

from __future__ import annotations

from ipaddress import IPv4Network, ip_address, ip_network
from itertools import combinations

import pytest

from topologies import address
from topologies.address import COUNTRIES, KINDS, OFFSET, Area, Carrier

CARRIERS = [carrier for country in COUNTRIES.values() for carrier in country.carriers.values()]
AREAS = [
    *(area for carrier in CARRIERS for area in (carrier.backbone, *carrier.cities.values())),
    address.TRANSIT,
    address.CAMPUS,
    address.CABLE,
]


@pytest.mark.parametrize("area", AREAS, ids=lambda area: area.v4)
def test_an_area_is_public_and_has_room_for_a_hundred_links(area: Area) -> None:
    for prefix in area.prefixes:
        assert ip_network(prefix).is_global
    assert (IPv4Network(area.v4).num_addresses - OFFSET) // 4 >= 100
    assert (ip_network(area.v6).num_addresses >> 64) - OFFSET >= 100


def test_no_two_areas_overlap() -> None:
    for one, other in combinations(AREAS, 2):
        assert not ip_network(one.v4).overlaps(ip_network(other.v4)), (one, other)
        assert not ip_network(one.v6).overlaps(ip_network(other.v6)), (one, other)


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
def test_a_carriers_prefixes_hold_its_resolver_and_its_cities(carrier: Carrier) -> None:
    networks = [ip_network(prefix) for prefix in carrier.prefixes]
    for held in carrier.resolver:
        assert ip_address(held).is_global
        assert any(ip_address(held) in network for network in networks)
    for area in carrier.cities.values():
        assert area.asn == carrier.asn
        assert set(area.prefixes) <= set(carrier.prefixes)


@pytest.mark.parametrize("country", COUNTRIES.values(), ids=COUNTRIES)
def test_every_carrier_serves_every_city(country: address.Country) -> None:
    for carrier in country.carriers.values():
        assert set(carrier.cities) == set(country.cities)
    codes = [*country.cities.values(), *(c.code for c in country.carriers.values())]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize("carrier", CARRIERS, ids=lambda carrier: carrier.name)
def test_ways_to_be_joined_have_room_behind_their_citys_links(carrier: Carrier) -> None:
    for area in carrier.cities.values():
        parts = [area.kind(kind) for kind in KINDS]
        for part in parts:
            for own, whole in zip(part.prefixes, area.prefixes, strict=True):
                assert ip_network(own).subnet_of(ip_network(whole))  # type: ignore[arg-type]
            assert IPv4Network(part.v4).num_addresses // 4 >= 100
            start = int(IPv4Network(part.v4)[0]) - int(IPv4Network(area.v4)[0])
            assert (start - OFFSET) // 4 >= 200
        assert not IPv4Network(parts[0].v4).overlaps(IPv4Network(parts[1].v4))
