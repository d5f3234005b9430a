"""Hold the address plan: which prefixes a carrier has, by city, and well-known addresses.

The addresses are public ones because real tools refuse bogons and documentation networks. They
are data: they live inside the sandbox, and nothing of it leaves. Aggregates, backbones and
resolvers are the carriers' real ones as seen in the routing table and in traceroutes; which /16
serves which city follows the regional registries for IPv4, and is ours for IPv6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network

#: Subnets are dealt from this many addresses (IPv4) or /64s (IPv6) into a prefix on: what lies
#: before is where carriers keep servers, and where pools of forged addresses point to.
OFFSET = 45 * 256
#: How a client is joined to its carrier -> which sixteenth of its city's prefixes it is in. City
#: prefixes are dealt from the front, so they meet these only after hundreds of links.
KINDS: Mapping[str, int] = {"fixed": 14, "cellular": 15}


def _sixteenth(prefix: str, number: int) -> str:
    return str([*ip_network(prefix).subnets(prefixlen_diff=4)][number])


@dataclass(frozen=True, slots=True)
class Area:
    """The part of an AS that links are numbered from: one IPv4 and one IPv6 prefix.

    `offset` is where in them dealing begins.
    """

    asn: int
    v4: str
    v6: str
    offset: int = OFFSET

    @property
    def prefixes(self) -> tuple[str, str]:
        """Both prefixes, IPv4 first."""
        return (self.v4, self.v6)

    def kind(self, kind: str) -> Area:
        """Return the part that clients joined in this way are numbered from; KeyError if none."""
        v4, v6 = (_sixteenth(prefix, KINDS[kind]) for prefix in self.prefixes)
        return Area(self.asn, v4, v6, offset=0)


@dataclass(frozen=True, slots=True)
class Carrier:
    """A carrier: `code` ends the names of its routers; `resolver` are its recursor's addresses."""

    name: str
    code: str
    title: str
    backbone: Area
    resolver: tuple[str, str]
    cities: Mapping[str, Area]

    @property
    def asn(self) -> int:
        """The number of its autonomous system."""
        return self.backbone.asn

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Everything it numbers from: backbone and cities, IPv4 and IPv6, and its resolver."""
        areas = (self.backbone, *self.cities.values())
        own = tuple(prefix for area in areas for prefix in area.prefixes)
        return (*own, f"{self.resolver[0]}/32", f"{self.resolver[1]}/128")


@dataclass(frozen=True, slots=True)
class Country:
    """A country: its cities (name -> two letters), and its carriers by name."""

    code: str
    title: str
    cities: Mapping[str, str]
    carriers: Mapping[str, Carrier]


def _cities(asn: int, **areas: tuple[str, str]) -> dict[str, Area]:
    return {city: Area(asn, v4, v6) for city, (v4, v6) in areas.items()}


UNICOM = Carrier(
    name="unicom",
    code="cu",
    title="China Unicom",
    backbone=Area(4837, "219.158.0.0/16", "2408:8000::/32"),  # CHINA169 backbone
    resolver=("202.106.0.20", "2408:8000:1010:1::8"),  # Beijing's resolver
    cities=_cities(
        4837,
        beijing=("202.106.0.0/16", "2408:8206::/32"),
        shanghai=("210.22.0.0/16", "2408:8224::/32"),
        guangzhou=("221.4.0.0/16", "2408:8256::/32"),
        chengdu=("119.4.0.0/16", "2408:8266::/32"),
        wuhan=("113.57.0.0/16", "2408:824c::/32"),
    ),
)

TELECOM = Carrier(
    name="telecom",
    code="ct",
    title="China Telecom",
    backbone=Area(4134, "202.97.0.0/16", "240e::/32"),  # ChinaNet, AS4134
    resolver=("202.96.209.133", "240e:4c:4008::1"),  # Shanghai's resolver
    cities=_cities(
        4134,
        beijing=("219.141.128.0/17", "240e:304::/32"),
        shanghai=("116.228.0.0/16", "240e:388::/32"),
        guangzhou=("202.96.128.0/18", "240e:3b4::/32"),
        chengdu=("61.139.0.0/17", "240e:398::/32"),
        wuhan=("202.103.0.0/18", "240e:368::/32"),
    ),
)

MOBILE = Carrier(
    name="mobile",
    code="cm",
    title="China Mobile",
    backbone=Area(9808, "221.183.0.0/16", "2409:8080::/32"),  # CMNET backbone
    resolver=("221.130.33.60", "2409:8088::a"),
    cities=_cities(
        9808,
        beijing=("111.13.0.0/16", "2409:8a00::/32"),
        shanghai=("183.192.0.0/16", "2409:8a1e::/32"),
        guangzhou=("120.196.0.0/16", "2409:8a55::/32"),
        chengdu=("117.172.0.0/16", "2409:8a62::/32"),
        wuhan=("117.150.0.0/16", "2409:8a4c::/32"),
    ),
)

CERNET = Carrier(
    name="cernet",
    code="ce",
    title="CERNET, education and research",
    backbone=Area(4538, "101.4.0.0/16", "2001:250::/32"),
    resolver=("202.112.0.35", "2001:da8::666"),
    cities=_cities(
        4538,
        beijing=("166.111.0.0/16", "2001:da8:200::/48"),  # Tsinghua
        shanghai=("202.120.0.0/16", "2001:da8:8000::/48"),  # Jiao Tong
        guangzhou=("202.116.0.0/16", "2001:da8:2000::/48"),
        chengdu=("202.115.0.0/16", "2001:da8:6000::/48"),
        wuhan=("202.114.0.0/16", "2001:da8:3000::/48"),
    ),
)

CHINA = Country(
    code="CN",
    title="China",
    cities={
        "beijing": "bj",
        "shanghai": "sh",
        "guangzhou": "gz",
        "chengdu": "cd",
        "wuhan": "wh",
    },
    carriers={carrier.name: carrier for carrier in (UNICOM, TELECOM, MOBILE, CERNET)},
)

#: Countries that `national` can build, by code. Another country is another entry here.
COUNTRIES: Mapping[str, Country] = {CHINA.code: CHINA}

#: The transit carrier that server hosts hang on (Level 3).
TRANSIT = Area(3356, "4.68.0.0/16", "2001:1900::/32")
#: Where the control measures from (MIT).
CAMPUS = Area(3, "18.31.0.0/16", "2603:4000::/32")
#: Clients abroad (Comcast).
CABLE = Area(7922, "73.15.0.0/16", "2601:640::/32")
#: Clients of `line`, and the link to its box.
ACCESS = UNICOM.cities["beijing"]
LINE_BACKBONE = UNICOM.backbone

#: The recursor abroad (Google Public DNS).
RESOLVER = ("8.8.8.8", "2001:4860:4860::8888")
RESOLVER_ASN = 15169


@dataclass(frozen=True, slots=True)
class NameServer:
    """Who serves one step of the way down from the root: the node, its AS and its addresses."""

    node: str
    asn: int
    addresses: tuple[str, str]


#: The root (a.root-servers.net), every top level domain (a.gtld-servers.net), and all names below
#: (a provider of DNS, Dyn).
ROOT = NameServer("root", 396566, ("198.41.0.4", "2001:503:ba3e::2:30"))
TLD = NameServer("tld", 36619, ("192.5.6.30", "2001:503:a83e::2:30"))
AUTHORITATIVE = NameServer("auth", 33517, ("208.78.70.16", "2001:500:90:1::16"))
NAME_SERVERS = (ROOT, TLD, AUTHORITATIVE)
