"""Which programs a network needs, and where each runs."""

from __future__ import annotations

from pathlib import Path

from topologies.catalogue import build
from topologies.place import Place, Vantage
from topologies.service import Sip, Web
from topologies.services import programs
from topologies.services.certificate import Authority

PLAN = build(
    {"use": "national"},
    {"bj-cu": Vantage("beijing", "unicom"), "sh-ct": Vantage("shanghai", "telecom")},
    {"servers": Place(("31.13.70.36", "9.9.9.10")), "sip-ct": Place(("202.96.199.10",), "telecom")},
)
WEB = Web("web", "servers", ("www.example.net",), ("31.13.70.36",))
MUTE = Web("mute", "servers", ("mute.example.net",), ("9.9.9.10",), manner="silent")
SIP = Sip("voip", "sip-ct", ("sip.example.net",), ("202.96.199.10",), (("alice", "pw"),))
DEAF = Sip("deaf", "servers", ("deaf.example.net",), ("9.9.9.10",), (), manner="silent")


def listed(*services: Web | Sip) -> dict[str, str]:
    found = programs(PLAN, services, {}, Authority(), Path("/w"))
    assert len({program.id for program in found}) == len(found)
    return {program.id: program.node for program in found}


def test_names_resolve_though_nothing_else_is_served() -> None:
    assert listed() == {
        "root-nsd": "root",
        "tld-nsd": "tld",
        "resolver-unbound": "resolver",
        "dns-cu-unbound": "dns-cu",
        "dns-ct-unbound": "dns-ct",
    }


def test_each_service_brings_its_programs_to_its_host() -> None:
    more = listed(WEB, MUTE, SIP, DEAF).items() - listed().items()
    assert dict(more) == {
        "servers-nginx": "servers",
        "servers-kamailio": "servers",
        "servers-firewall": "servers",
        "sip-ct-kamailio": "sip-ct",
        "sip-ct-callees": "sip-ct",
        "sip-ct-sipp-voip~echo": "sip-ct",
        "sip-ct-sipp-voip~echo~register": "sip-ct",
    }


def test_silent_ports_are_those_of_the_service_alone() -> None:
    found = programs(PLAN, (WEB, MUTE, DEAF), {}, Authority(), Path("/w"))
    (rules,) = [program for program in found if program.id == "servers-firewall"]
    text = str(rules.files[Path("/w/servers-firewall/rules.sh")])
    assert "31.13.70.36" not in text
    assert [line.split("-p ")[1].split(" -j")[0] for line in text.splitlines()[1:]] == [
        "tcp --dport 80",
        "tcp --dport 443",
        "udp --dport 5060",
        "tcp --dport 5060",
    ]
