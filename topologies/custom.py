"""Offer every topology to Mininet's own command: `mn --custom topologies/custom.py --topo line`.

Options come after the name, as Mininet has them: `--topo hops,hops=7,censor=2`. `clients` says how
many there are (1); a list has one word (`--topo series,province=wuhan`). Neither switch nor
controller is needed: `--controller none`.
Limits:  `mn` shows the ground alone: no delay, no server, no censor; and it wants root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from itertools import cycle, islice, product

from topologies import catalogue
from topologies.address import CHINA
from topologies.network import ReadyTopo
from topologies.place import Vantage
from topologies.prefix import PLAIN

#: Options that hold lists.
_LISTS = ("cities", "carriers", "province")
#: What a topology cannot do without.
_NEEDED: Mapping[str, Mapping[str, object]] = {"series": {"province": "guangzhou"}}


def _vantages(use: str, clients: int) -> dict[str, Vantage]:
    names = [f"c{number}" for number in range(1, clients + 1)]
    if use in PLAIN:
        return dict.fromkeys(names, Vantage())
    carriers = [None] if use == "series" else [*CHINA.carriers]
    places = islice(cycle(product(["guangzhou", "beijing"], carriers)), clients)
    return {name: Vantage(*place) for name, place in zip(names, places, strict=True)}


def topo(use: str, clients: int = 1, **options: object) -> ReadyTopo:
    """Build one; PlanError says what cannot be."""
    asked = {**_NEEDED.get(use, {}), **options}
    listed = {key: [value] if key in _LISTS else value for key, value in asked.items()}
    return ReadyTopo(plan=catalogue.build({"use": use, **listed}, _vantages(use, clients), {}))


#: What `mn` looks for.
topos: Mapping[str, Callable[..., ReadyTopo]] = {
    use: partial(topo, use) for use in catalogue.TOPOLOGIES
}
