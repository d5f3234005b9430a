"""Say what a target answers through what stands on a vantage's gateway: a proxy, or a portal.

Both are the access network's own, meet everybody there whatever is asked for, and are honest: a
proxy says so in each answer, a portal says how to get rid of it. Neither is censorship.

A proxy (`topologies.services.squid`) takes every connection to port 80 itself, over IPv4, and tells
its client what became of the one behind it. A portal (`topologies.portal`) lets through nothing
but, perhaps, DNS.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from scenarios import schema
from scenarios.error import Path, Problem, show
from scenarios.ground import Ground
from scenarios.places import Places
from topologies.plan import Portal

#: What a client is told of a server that the proxy cannot speak with; of one that is silent it is
#: told nothing before it has lost patience.
TOLD: Final[Mapping[str, str]] = {
    "refused": "status: 503",
    "reset": "status: 502",
    "silent": "stalls",
}
#: What the proxy says of servers that it cannot reach (RFC 9110 sections 15.6.3 to 15.6.5).
GATEWAY: Final = frozenset({502, 503, 504})
#: Answers of DNS, which no proxy of HTTP changes.
_UNNAMED: Final = frozenset({"dead-name", "bogus-name"})


def met(target: schema.Asked, word: str, host: str, ground: Ground, *, version: int) -> str:
    """Return what a target answers to the plan's node `host`.

    Args:
        word: what it answers where nothing stands on the way.
        version: of IP, over which it is asked.
    """
    gateway = ground.plan.gateway(host)
    if gateway is None:
        return word
    if gateway.portal is not None:
        return _held(target, word, gateway.portal, version)
    if gateway.proxy and version == 4 and word not in _UNNAMED:
        if isinstance(target, schema.TcpTarget) and target.port == 80:
            return "answers"
        if _plain(target):
            return TOLD.get(word, word)
    return word


def _plain(target: schema.Asked) -> bool:
    return isinstance(target, schema.WebTarget) and target.url.startswith("http:")


def _held(target: schema.Asked, word: str, portal: Portal, version: int) -> str:
    """Return what comes of a target behind a portal: what DNS says may pass, and nothing else."""
    if portal.answers_dns:
        return "portal"
    asks = isinstance(target, schema.DnsTarget) and target.via is None
    if asks or word in _UNNAMED:
        return word
    opens = isinstance(target, schema.TcpTarget) and target.port == 80 and version == 4
    return "answers" if opens else "portal"


def problems(target: schema.Asked, at: Path, ground: Ground, places: Places) -> Iterator[Problem]:
    """Refuse targets of which nobody knows what a portal makes of them."""
    if isinstance(target, schema.SkypeTarget | schema.ChatTarget) and any(
        node.portal for node in ground.plan.nodes
    ):
        expected = "no target about Skype where a vantage has a portal: how its ladder of ports"
        expected += " fares there is not modelled"
        yield places.problem((*at, "kind"), expected, found=show(target.kind))
