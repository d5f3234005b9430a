"""Compute routes: shortest paths over a plan's links, per prefix, for both IP versions.

A host gets a default route. A router gets a default route toward the root (the router that knows
everything; it has none itself, so what nobody holds is answered with "unreachable" there), and
one route for each prefix that the default would send elsewhere. Neighbouring prefixes with one
next hop are merged, and never wider than what they cover: a wider one could loop.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    collapse_addresses,
    ip_address,
    ip_network,
)

from topologies.plan import Link, Node, Plan, Route

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

DEFAULT = {4: "0.0.0.0/0", 6: "::/0"}


def routes(
    nodes: Sequence[Node], links: Sequence[Link], *, root: str, spread: Collection[str] = ()
) -> tuple[Route, ...]:
    """Give every node its routes; `root` names the router that default routes lead to.

    The nodes in `spread` use all next hops that are equally near, the others the first of them.
    """
    held = {node.name: _held(node, links) for node in nodes}
    neighbours = _neighbours(links)
    found: list[Route] = []
    for node in nodes:
        hops = _next_hops(node.name, neighbours)
        if node.name not in spread:
            hops = {name: ways[:1] for name, ways in hops.items()}
        found += _of(node, hops, held, root)
    return tuple(found)


def connected(node: str, links: Iterable[Link]) -> tuple[Network, ...]:
    """Return the networks of the node's own links."""
    return tuple(
        ip_network(address, strict=False)
        for link in links
        for end in link.ends
        if end.node == node
        for address in end.addresses
    )


def _held(node: Node, links: Sequence[Link]) -> tuple[Network, ...]:
    """Return what others may have routes to; private networks are known on their link alone."""
    linked = (network for network in connected(node.name, links) if not network.is_private)
    return (*(ip_network(address) for address in node.addresses), *linked)


#: node -> neighbour -> that neighbour's address on their link, by IP version.
Neighbours = Mapping[str, Mapping[str, Mapping[int, str]]]


def _neighbours(links: Sequence[Link]) -> Neighbours:
    table: dict[str, dict[str, dict[int, str]]] = defaultdict(dict)
    for link in links:
        for near, far in (link.ends, link.ends[::-1]):
            bare = [address.partition("/")[0] for address in far.addresses]
            table[near.node][far.node] = {ip_address(address).version: address for address in bare}
    return table


#: The addresses of the first hop, by IP version; of several hops that are equally near.
Ways = tuple[Mapping[int, str], ...]


def _next_hops(start: str, neighbours: Neighbours) -> dict[str, Ways]:
    """Return, for every other node, the addresses of the first hops of shortest paths to it.

    Breadth first; the path whose link was declared first comes first.
    """
    hops: dict[str, Ways] = {}
    distance = {start: 0}
    waiting = deque((name, via, 1) for name, via in neighbours[start].items())
    while waiting:
        name, via, far = waiting.popleft()
        known = hops.get(name, ())
        if distance.setdefault(name, far) < far or via in known:
            continue
        hops[name] = (*known, via)
        waiting.extend((further, via, far + 1) for further in neighbours[name])
    return hops


def _of(
    node: Node,
    hops: Mapping[str, Ways],
    held: Mapping[str, tuple[Network, ...]],
    root: str,
) -> list[Route]:
    own = set(held[node.name])
    default = {} if node.name == root else _by_version(hops[root])
    found = [
        Route(node.name, DEFAULT[version], vias[0], vias[1:])
        for version, vias in sorted(default.items())
    ]
    if node.role not in ("router", "box"):
        return found
    grouped: dict[tuple[str, ...], set[Network]] = defaultdict(set)
    for name, ways in hops.items():
        vias = _by_version(ways)
        for network in held[name]:
            if network not in own and default.get(network.version) != vias[network.version]:
                grouped[vias[network.version]].add(network)
                own.add(network)
    for (via, *also), networks in grouped.items():
        merged = collapse_addresses(networks)  # type: ignore[type-var]
        found += [Route(node.name, str(network), via, tuple(also)) for network in merged]
    return found


def _by_version(ways: Ways) -> dict[int, tuple[str, ...]]:
    return {version: tuple(way[version] for way in ways) for version in ways[0]}


def walk(plan: Plan, source: str, address: str, *, limit: int = 64) -> tuple[str, ...]:
    """Follow the plan's routes from a node to an address; return the nodes passed, both ends too.

    Of several equally near hops the first is taken.
    Raises: LookupError where a node has no route, or after `limit` hops (a loop).
    """
    return next(_walks(plan, source, address, limit))


def walks(plan: Plan, source: str, address: str, *, limit: int = 64) -> tuple[tuple[str, ...], ...]:
    """Follow all routes that a flow may take; otherwise as `walk`."""
    return tuple(_walks(plan, source, address, limit))


def _walks(plan: Plan, source: str, address: str, limit: int) -> Iterator[tuple[str, ...]]:
    target = ip_address(address)
    owner = _owners(plan)
    waiting: list[tuple[str, ...]] = [(source,)]
    while waiting:
        path = waiting.pop()
        if owner.get(target) == path[-1]:
            yield path
            continue
        if len(path) > limit:
            raise LookupError(f"{source} to {address}: a loop: {' '.join(path)}")
        steps = _steps(plan, path[-1], address, owner)
        waiting += [(*path, step) for step in reversed(steps)]


def _steps(
    plan: Plan, node: str, address: str, owner: Mapping[IPv4Address | IPv6Address, str]
) -> list[str]:
    target = ip_address(address)
    if any(target in network for network in connected(node, plan.links)):
        return [owner[target]]
    matching: list[tuple[int, tuple[str, ...]]] = [
        (_network(route.prefix).prefixlen, (route.via, *route.also))
        for route in plan.routes
        if route.node == node and target in _network(route.prefix)
    ]
    if not matching:
        raise LookupError(f"{node} has no route to {address}")
    return [owner[ip_address(via)] for via in max(matching)[1]]


@lru_cache(maxsize=4096)
def _network(prefix: str) -> Network:
    return ip_network(prefix)


@lru_cache(maxsize=8)
def _owners(plan: Plan) -> Mapping[Address, str]:
    """Return which node holds each address."""
    return {
        ip_address(text.partition("/")[0]): name
        for name, texts in _addresses(plan).items()
        for text in texts
    }


def _addresses(plan: Plan) -> dict[str, list[str]]:
    table = {node.name: list(node.addresses) for node in plan.nodes}
    for link in plan.links:
        for end in link.ends:
            table[end.node] += end.addresses
    return table
