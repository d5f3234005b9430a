"""What caddy is told: its addresses, its certificates, its pages, and nothing of the host's."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from topologies.page import page
from topologies.service import Geo, Web
from topologies.services import caddy, nginx
from topologies.services.certificate import Authority

FOUR, SIX, OTHER = "88.198.0.2", "2a01:4f8::2", "88.198.0.3"
HOME = Path("/w/servers-caddy")
FRONT = Web("front", "servers", ("WWW.one.net",), (FOUR, SIX), title="One", http3=True)
MOVED = Web("moved", "servers", ("two.net",), (FOUR,), status=301, location="three.net", http3=True)
CHOOSY = Web(
    "choosy", "servers", ("four.net",), (OTHER,), http3=True, geo=(Geo(("10.0.0.0/8",), 403),)
)
PLAIN = Web("plain", "servers", ("five.net",), ("88.198.0.9",))


def servers(*services: Web) -> dict[str, Any]:
    document = json.loads(caddy.configuration(services, HOME))
    found = document["apps"]["http"]["servers"].values()
    return {one["listen"][0]: one for one in found}


def test_each_address_speaks_all_three_versions_on_port_443() -> None:
    found = servers(FRONT, CHOOSY)
    assert set(found) == {f"{FOUR}:443", f"[{SIX}]:443", f"{OTHER}:443"}
    assert all(one["protocols"] == ["h1", "h2", "h3"] for one in found.values())
    assert all(one["automatic_https"] == {"disable": True} for one in found.values())


def test_names_choose_page_and_certificate_and_the_first_stands_for_the_unknown() -> None:
    server = servers(FRONT, MOVED)[f"{FOUR}:443"]
    chosen = [one.get("match") for one in server["tls_connection_policies"]]
    assert chosen == [{"sni": ["www.one.net"]}, {"sni": ["two.net"]}, None]
    assert server["tls_connection_policies"][-1]["certificate_selection"] == {"any_tag": ["front"]}
    matched = [route["match"] for route in server["routes"]]
    assert matched == [[{"host": ["www.one.net"]}], [{"host": ["two.net"]}], [{}]]
    front, moved, rest = (route["handle"][0] for route in server["routes"])
    assert front["body"] == rest["body"] == page("One", "front")
    assert (moved["status_code"], moved["headers"]["Location"]) == (301, ["http://three.net/"])


def test_clients_of_a_prefix_are_asked_for_first() -> None:
    first, second, *_ = servers(CHOOSY)[f"{OTHER}:443"]["routes"]
    assert first["match"] == [{"host": ["four.net"], "remote_ip": {"ranges": ["10.0.0.0/8"]}}]
    assert (first["handle"][0]["status_code"], second["handle"][0]["status_code"]) == (403, 200)


def test_nothing_is_listened_to_or_written_beside() -> None:
    document = json.loads(caddy.configuration((FRONT,), HOME))
    assert document["admin"] == {"disabled": True, "config": {"persist": False}}
    assert document["storage"]["root"] == f"{HOME}/storage"


def test_one_program_for_those_that_speak_http3() -> None:
    authority, work = Authority(), Path("/w")
    mute = Web("mute", "servers", ("m.net",), (OTHER,), manner="silent", http3=True)
    shut = Web("shut", "servers", ("s.net",), ("88.198.0.7",), manner="refused", http3=True)
    found = caddy.program("servers", (FRONT, mute, shut, PLAIN), authority, work)
    assert found is not None
    asked = [(one.how, one.address) for one in found.ready]
    assert asked == [("tcp", FOUR), ("udp", FOUR), ("tcp", SIX), ("udp", SIX)]
    names = {path.name for path in found.files}
    assert names == {"caddy.json", "front.pem", "front.key", "mute.pem", "mute.key"}
    assert caddy.program("servers", (PLAIN, shut), authority, work) is None


def test_nginx_leaves_port_443_of_those_addresses_alone() -> None:
    text = nginx.configuration((FRONT, PLAIN), HOME)
    assert f"listen {FOUR}:80" in text
    assert f"{FOUR}:443" not in text
    assert "88.198.0.9:443" in text
    assert "front.pem" not in text


def test_the_question_is_a_long_header_of_no_known_version() -> None:
    data = caddy.QUESTION.encode("latin-1")
    assert len(data) == 1200
    assert (data[0] & 0xC0, data[1:5], data[5], data[14]) == (0xC0, b"\xba" * 4, 8, 8)
