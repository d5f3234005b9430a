"""Compute routes: shortest paths over a plan's links, per prefix, for both IP versions.

A host gets a default route. A router gets a default route toward the root (the router that knows
everything; it has none itself, so what nobody holds is answered with "unreachable" there), and
one route for each prefix that the default would send elsewhere. Neighbouring prefixes with one
next hop are merged, and never wider than what they cover: a wider one could loop.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Mapping, Sequence
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


def routes(nodes: Sequence[Node], links: Sequence[Link], *, root: str) -> tuple[Route, ...]:
    """Give every node its routes; `root` names the router that default routes lead to."""
    held = {node.name: _held(node, links) for node in nodes}
    neighbours = _neighbours(links)
    found: list[Route] = []
    for node in nodes:
        hops = _next_hops(node.name, neighbours)
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
    return (*(ip_network(address) for address in node.addresses), *connected(node.name, links))


#: node -> neighbour -> that neighbour's address on their link, by IP version.
Neighbours = Mapping[str, Mapping[str, Mapping[int, str]]]


def _neighbours(links: Sequence[Link]) -> Neighbours:
    table: dict[str, dict[str, dict[int, str]]] = defaultdict(dict)
    for link in links:
        for near, far in (link.ends, link.ends[::-1]):
            bare = [address.partition("/")[0] for address in far.addresses]
            table[near.node][far.node] = {ip_address(address).version: address for address in bare}
    return table


def _next_hops(start: str, neighbours: Neighbours) -> dict[str, Mapping[int, str]]:
    """Return, for every other node, the addresses of the first hop of a shortest path to it.

    Breadth first; among equally short paths the one whose link was declared first.
    """
    hops: dict[str, Mapping[int, str]] = {}
    waiting = deque((name, via) for name, via in neighbours[start].items())
    while waiting:
        name, via = waiting.popleft()
        if name == start or name in hops:
            continue
        hops[name] = via
        waiting.extend((further, via) for further in neighbours[name])
    return hops


def _of(
    node: Node,
    hops: Mapping[str, Mapping[int, str]],
    held: Mapping[str, tuple[Network, ...]],
    root: str,
) -> list[Route]:
    own = set(held[node.name])
    found = (
        []
        if node.name == root
        else [
            Route(node.name, DEFAULT[version], via) for version, via in sorted(hops[root].items())
        ]
    )
    if node.role not in ("router", "box"):
        return found
    default = {} if node.name == root else hops[root]
    grouped: dict[str, set[Network]] = defaultdict(set)
    for name, via in hops.items():
        for network in held[name]:
            if network not in own and default.get(network.version) != via[network.version]:
                grouped[via[network.version]].add(network)
                own.add(network)
    for hop, networks in grouped.items():
        found += [Route(node.name, str(network), hop) for network in collapse_addresses(networks)]  # type: ignore[type-var]
    return found


def walk(plan: Plan, source: str, address: str, *, limit: int = 64) -> tuple[str, ...]:
    """Follow the plan's routes from a node to an address; return the nodes passed, both ends too.

    Raises: LookupError where a node has no route, or after `limit` hops (a loop).
    """
    target = ip_address(address)
    owner = {
        ip_address(text.partition("/")[0]): name
        for name, texts in _addresses(plan).items()
        for text in texts
    }
    path = [source]
    while owner.get(target) != path[-1]:
        if len(path) > limit:
            raise LookupError(f"{source} to {address}: a loop: {' '.join(path)}")
        path.append(_step(plan, path[-1], address, owner))
    return tuple(path)


def _step(
    plan: Plan, node: str, address: str, owner: Mapping[IPv4Address | IPv6Address, str]
) -> str:
    target = ip_address(address)
    if any(target in network for network in connected(node, plan.links)):
        return owner[target]
    matching = [
        (ip_network(route.prefix).prefixlen, route.via)
        for route in plan.routes
        if route.node == node and target in ip_network(route.prefix)
    ]
    if not matching:
        raise LookupError(f"{node} has no route to {address}")
    return owner[ip_address(max(matching)[1])]


def _addresses(plan: Plan) -> dict[str, list[str]]:
    table = {node.name: list(node.addresses) for node in plan.nodes}
    for link in plan.links:
        for end in link.ends:
            table[end.node] += end.addresses
    return table
