"""The pictures, and the page that shows them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from topologies.catalogue import TOPOLOGIES, build
from topologies.impair import Impairment, impair
from topologies.picture import picture
from topologies.place import Place, Vantage
from topologies.plan import Plan, Way

PAGE = Path(__file__).parents[2] / "docs" / "topologies.md"
SERVERS = {"servers": Place(("31.13.70.36",))}
EXAMPLES = {
    "line": build(
        {"use": "line", "delay": 0.005},
        {"client": Vantage(), "abroad": Vantage(abroad=True)},
        {"servers": Place(("31.13.70.36", "2a03:2880:f10c:83:face:b00c:0:25de"))},
    ),
    "hops": build(
        {"use": "hops", "hops": 5, "censor": 3, "delay": 0.005}, {"client": Vantage()}, SERVERS
    ),
    "fork": build({"use": "fork", "delay": 0.005}, {"client": Vantage()}, SERVERS),
    "detour": build(
        {"use": "detour", "sees": "outbound", "delay": 0.005}, {"client": Vantage()}, SERVERS
    ),
    "series": build(
        {"use": "series", "province": ["guangzhou"]},
        {"gz": Vantage("guangzhou"), "bj": Vantage("beijing")},
        SERVERS,
    ),
    "national-grown": build(
        {"use": "national", "borders": "each", "exchange": True},
        {
            "cell": Vantage("beijing", "unicom", access="cellular"),
            "home": Vantage("beijing", "unicom", access="fixed"),
            "sh-ct": Vantage("shanghai", "telecom"),
        },
        SERVERS,
    ),
    "nat": build(
        {"use": "national", "carriers": ["unicom"]},
        {
            "home": Vantage("beijing", "unicom", access="fixed", nat="cone"),
            "cell": Vantage("beijing", "unicom", access="cellular", nat="symmetric"),
        },
        SERVERS,
    ),
    "national": build(
        {"use": "national", "carriers": ["unicom", "telecom"]},
        {
            "bj-cu": Vantage("beijing", "unicom"),
            "sh-cu": Vantage("shanghai", "unicom"),
            "sh-ct": Vantage("shanghai", "telecom"),
        },
        {"servers": Place(("31.13.70.36",)), "sip-ct": Place(("202.96.199.10",), "telecom")},
    ),
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_page_shows_what_is_drawn(name: str) -> None:
    found = re.search(rf"<!-- picture: {name} -->\n```text\n(.*?)\n?```", PAGE.read_text(), re.S)
    assert found is not None
    assert found[1] == picture(EXAMPLES[name])


@pytest.mark.parametrize("plan", EXAMPLES.values(), ids=EXAMPLES)
def test_every_node_has_one_line(plan: Plan) -> None:
    lines = picture(plan).splitlines()
    assert lines[len(plan.nodes) :] == (["", *plan.notes] if plan.notes else [])
    for node in plan.nodes:
        assert sum(bool(re.match(rf"[│├└─═ ]*{node.name} ", line)) for line in lines) == 1


def test_the_censor_delay_and_peers_are_said() -> None:
    lines = picture(EXAMPLES["national"]).splitlines()
    (border,) = [line for line in lines if "border " in line]
    assert "CENSOR" in border
    assert "20 ms one way" in border
    assert "═" in border
    assert [line for line in lines if "bb-cu " in line and "also to bb-ct" in line]


def test_every_topology_has_a_picture() -> None:
    assert {plan.topology for plan in EXAMPLES.values()} == set(TOPOLOGIES)


def test_what_a_link_does_is_said_with_its_direction() -> None:
    plan = build({"use": "hops", "hops": 4, "censor": 2}, {"client": Vantage()}, SERVERS)
    worse = impair(
        plan,
        [
            Impairment("r4", "r3", one_way=True, way=Way(loss=0.02, jitter=0.005), delay=0.03),
            Impairment("r1", "client", way=Way(rate=48e3), mtu=1400, silent=True),
            Impairment("r4", "servers", one_way=True, way=Way(reorder=0.01, duplicate=0.02)),
        ],
    )
    lines = {re.split(r"[│├└─═ ]+", f" {line}")[1]: line for line in picture(worse).splitlines()}
    assert lines["r3"].endswith("30 + 5 ms, 2 % lost ↓")
    assert "═" in lines["r3"]
    assert lines["client"].endswith("48 kbit/s  mtu 1400, silent")
    assert lines["servers"].endswith("1 % overtaken, 2 % doubled ↓")
