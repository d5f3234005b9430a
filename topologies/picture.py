"""Draw a plan for a terminal: a tree that begins outside the box and ends at the clients.

Links that close a circle (carriers that peer) are named beside the node where they begin; notes
say what a tree cannot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from topologies.plan import MTU, Link, Node, Plan, Way
from topologies.route import DEFAULT

#: Addresses of one node that are shown; the rest are counted.
SHOWN = 2
TITLES: Mapping[str, str] = {"box": "CENSOR"}


@dataclass(frozen=True, slots=True)
class _Branch:
    """A node in the tree, the link to its parent, and what hangs on it."""

    node: Node
    link: Link | None
    children: tuple[_Branch, ...]
    peers: tuple[str, ...]


def picture(plan: Plan) -> str:
    """Draw the plan; one line a node, then its notes, no trailing newline."""
    rows = list(_rows(_tree(plan), "", ""))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    shown = {node.name: _words(plan, node) for node in plan.nodes}
    lines = []
    for drawn, role, name, extra in rows:
        words = [drawn.ljust(widths[0]), role.ljust(widths[1]), *shown[name], *extra]
        lines.append("  ".join(words).rstrip())
    return "\n".join([*lines, *([""] if plan.notes else []), *plan.notes])


def _tree(plan: Plan) -> _Branch:
    """Span the plan from the router that knows everything, breadth first."""
    linked: dict[str, list[tuple[str, Link]]] = defaultdict(list)
    for link in plan.links:
        one, other = link.ends
        linked[one.node].append((other.node, link))
        linked[other.node].append((one.node, link))
    root = _root(plan)
    below: dict[str, list[tuple[str, Link]]] = defaultdict(list)
    used: set[Link] = set()
    seen, waiting = {root}, [root]
    for name in waiting:
        for neighbour, link in linked[name]:
            if neighbour not in seen:
                seen.add(neighbour)
                waiting.append(neighbour)
                below[name].append((neighbour, link))
                used.add(link)

    def branch(name: str, link: Link | None) -> _Branch:
        closing = (x for x in linked[name] if x[1] not in used and x[1].ends[0].node == name)
        hanging = sorted(below[name], key=lambda child: bool(below[child[0]]))
        children = tuple(branch(*child) for child in hanging)
        return _Branch(plan.node(name), link, children, tuple(other for other, _ in closing))

    return branch(root, None)


def _root(plan: Plan) -> str:
    """Return the router that default routes lead to: it has none itself."""
    led = {route.node for route in plan.routes if route.prefix == DEFAULT[4]}
    return next(node.name for node in plan.nodes if node.name not in led)


def _rows(branch: _Branch, lead: str, below: str) -> Iterator[tuple[str, str, str, list[str]]]:
    """Yield what is drawn, the role, the node's name and remarks, for a branch and all under it."""
    remarks = [*_carried(branch.link, branch.node.name)] if branch.link else []
    remarks += [f"also to {', '.join(branch.peers)}"] if branch.peers else []
    node = branch.node
    title = _gateway(node) if node.nat else TITLES.get(node.role, node.role)
    yield lead + node.name, title, node.name, remarks
    for child in branch.children:
        last = child is branch.children[-1]
        line = "═" if child.link and (child.link.delay or not child.link.plain) else "─"
        yield from _rows(
            child, f"{below}{'└' if last else '├'}{line} ", below + ("   " if last else "│  ")
        )


def _gateway(node: Node) -> str:
    """Say what stands on a gateway."""
    more = ", proxy" if node.proxy else ", portal" if node.portal else ""
    return f"{node.nat} NAT{more}"


def _carried(link: Link, lower: str) -> Iterator[str]:
    """Say what a link does to packets: both ways, or toward the node above (↑) and below (↓)."""
    down = 0 if link.ends[1].node == lower else 1
    said = [", ".join(_does(way, delay)) for way, delay in zip(link.ways, link.delays, strict=True)]
    if said[0] == said[1]:
        yield from ([f"{said[0]} one way" if link.plain else said[0]] if said[0] else [])
    else:
        yield from (f"{said[place]} {arrow}" for place, arrow in ((down, "↓"), (1 - down, "↑"))
                    if said[place])  # fmt: skip
    if link.mtu != MTU:
        yield f"mtu {link.mtu}{', silent' if link.silent else ''}"


def _does(way: Way, delay: float) -> Iterator[str]:
    if delay or way.jitter:
        more = f" + {way.jitter * 1000:g}" if way.jitter else ""
        yield f"{delay * 1000:g}{more} ms"
    if way.loss:
        yield f"{way.loss * 100:g} % lost"
    if way.rate:
        yield f"{way.rate / 1000:g} kbit/s"
    if way.reorder:
        yield f"{way.reorder * 100:g} % overtaken"
    if way.duplicate:
        yield f"{way.duplicate * 100:g} % doubled"


def _words(plan: Plan, node: Node) -> list[str]:
    where = " ".join(word for word in (node.city, node.carrier) if word)
    words = [f"AS{node.asn}".ljust(8) if node.asn else "", where]
    if node.nat:
        words.append(plan.primary(node.name))
    elif node.role not in ("router", "box"):
        held = [address.partition("/")[0] for address in node.addresses]
        held = held or [plan.primary(node.name), plan.primary(node.name, 6)]
        more = [f"and {len(held) - SHOWN} more"] if len(held) > SHOWN else []
        words.append(" ".join(held[:SHOWN] + more))
    return [word for word in words if word]
