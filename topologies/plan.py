"""Say what a network is, as frozen data: nodes, links, addresses, routes.

A plan is built without root and without Mininet; `topologies.network` makes it real.
Addresses are text ("a.b.c.d/len", "x::y/len"), delays are seconds one way.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Role = Literal["vantage", "server", "resolver", "control", "router", "box"]
#: How a gateway maps ports (RFC 4787 section 4.1): the same for every destination, or one for each.
Nat = Literal["cone", "symmetric"]

#: Mininet calls interfaces NODE-eth0 and Linux allows 15 characters, so a name has at most 9.
NAME_LIMIT = 9
#: Bytes of the largest packet on a link, where nothing else is said.
MTU = 1500


@dataclass(frozen=True, slots=True)
class Portal:
    """How a captive portal meets a client that has not logged in (`topologies.portal`).

    `status` is what it answers to HTTP. Where it `answers_dns`, every name leads to it; else
    questions pass. Who knows the `voucher` is let through.
    """

    status: int = 302
    answers_dns: bool = False
    voucher: str = "coffee"


@dataclass(frozen=True, slots=True)
class Node:
    """One network namespace: a host, a router, or a censor's box.

    `addresses` are service addresses beside those of the links (/32 and /128, on `lo`).
    `resolver` is the address its resolv.conf names. `city`, `carrier` and `asn` say where it
    stands; None where the topology has no such thing. `nat` makes a router a gateway: its second
    interface looks at a client with a private address; HTTP through it goes by a transparent
    `proxy`, or is held up by a `portal`. A recursor that `keeps` answers has a cache;
    one that `validates` believes what is signed alone.
    """

    name: str
    role: Role
    addresses: tuple[str, ...] = ()
    city: str | None = None
    carrier: str | None = None
    asn: int | None = None
    resolver: str | None = None
    nat: Nat | None = None
    keeps: bool = False
    validates: bool = False
    proxy: bool = False
    portal: Portal | None = None


@dataclass(frozen=True, slots=True)
class End:
    """One end of a link: an interface of a node and its addresses, IPv4 and IPv6."""

    node: str
    interface: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Way:
    """What one direction of a link does to its packets, beside its delay.

    Seconds, bit/s, and shares from 0 to 1. `jitter` is added to the delay, evenly from none to all
    of it, packet by packet: one may overtake another, as with netem. `loss` comes in runs of
    `burst` packets at the mean (None: each packet by itself). `rate` serves one packet after
    another and lets one wait `queue` at most. `reorder` packets are overtaken, `duplicate` packets
    come twice.
    """

    jitter: float = 0.0
    loss: float = 0.0
    burst: float | None = None
    rate: float | None = None
    queue: float = 0.1
    reorder: float = 0.0
    duplicate: float = 0.0

    @property
    def plain(self) -> bool:
        """Whether it does nothing at all."""
        return self == Way(queue=self.queue)

    @property
    def loses(self) -> bool:
        """Whether a packet may not arrive."""
        return bool(self.loss) or self.rate is not None


@dataclass(frozen=True, slots=True)
class Link:
    """A point-to-point link; `ends[0]` is never a vantage when the other end is a router.

    `delay` is one way, in seconds, and `back` the delay from `ends[1]` to `ends[0]` where that
    is another. `ways` are what else happens from `ends[0]` to `ends[1]`, and back. `mtu` is in
    bytes; where `silent`, the nodes at both ends drop what is too big and do not say so.
    """

    ends: tuple[End, End]
    delay: float = 0.0
    back: float | None = None
    ways: tuple[Way, Way] = (Way(), Way())
    mtu: int = MTU
    silent: bool = False

    @property
    def delays(self) -> tuple[float, float]:
        """Seconds from `ends[0]` to `ends[1]`, and back."""
        return self.delay, self.delay if self.back is None else self.back

    @property
    def plain(self) -> bool:
        """Whether it does nothing to packets but, perhaps, hold them."""
        return all(way.plain for way in self.ways) and self.back is None and self.mtu == MTU


@dataclass(frozen=True, slots=True)
class Route:
    """On `node`, reach `prefix` ("0.0.0.0/0" and "::/0" are the default) through `via`.

    `also` are further next hops, as good as `via`: the kernel takes one of them all for each flow.
    """

    node: str
    prefix: str
    via: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Box:
    """Where a censor stands: its node, and which interfaces look at the censored side."""

    node: str
    inside: tuple[str, ...]
    outside: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole network. Names are unique; every link end names a node that is there."""

    topology: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    routes: tuple[Route, ...]
    boxes: tuple[Box, ...] = ()
    notes: tuple[str, ...] = field(default=())

    def node(self, name: str) -> Node:
        """Find a node by its name; KeyError names those that are there."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise KeyError(f"no host {name!r}; there are {', '.join(n.name for n in self.nodes)}")

    def primary(self, name: str, version: int = 4) -> str:
        """Return the node's first address of that IP version without its prefix length.

        Service addresses come before link addresses: they are how others know the node.
        """
        mark = ":" if version == 6 else "."
        own = [address for address in self.addresses(name) if mark in address]
        if not own:
            raise KeyError(f"host {name!r} has no IPv{version} address")
        return own[0]

    def addresses(self, name: str) -> tuple[str, ...]:
        """Return all addresses of a node without prefix lengths, service addresses first.

        A node that is not there (left out of a plan that is only checked) has none.
        """
        own = [address for node in self.nodes if node.name == name for address in node.addresses]
        own += [
            a for li in self.links for end in li.ends if end.node == name for a in end.addresses
        ]
        return tuple(dict.fromkeys(address.partition("/")[0] for address in own))

    def gateway(self, name: str) -> Node | None:
        """Return the gateway that translates for a node; None for most."""
        above = (li.ends[0].node for li in self.links if li.ends[1].node == name)
        return next((node for node in map(self.node, above) if node.nat), None)

    def seen(self, name: str) -> tuple[str, ...]:
        """Return the addresses under which others see what a node sends.

        Behind a gateway that is the gateway's outer IPv4 address instead of its own.
        """
        own, gateway = self.addresses(name), self.gateway(name)
        if gateway is None:
            return own
        return (self.primary(gateway.name), *(address for address in own if ":" in address))
