"""What could never do anything is refused, with the reason, and its neighbour that could is not."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.loader import problems

NAME: dict[str, Any] = {"suffix": ["blocked.example"]}
QUIC: dict[str, Any] = {"quic.sni": NAME}
HTTP: dict[str, Any] = {"http.host": NAME}
DNS: dict[str, Any] = {"dns.name": NAME}
TLS: dict[str, Any] = {"tls.sni": NAME}
JA4 = ["q13d0310h3_55b375c5d22e_cd85d2d88918"]
DROP: dict[str, Any] = {"drop": "packet"}

#: A condition, an act, the rest of the document, and where it is wrong.
WRONG: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], tuple[str | int, ...]]] = [
    ({**QUIC, "protocol": "tcp"}, DROP, {}, ("when", "protocol")),
    ({**HTTP, "protocol": "udp"}, DROP, {}, ("when", "protocol")),
    ({**DNS, "protocol": "icmp"}, DROP, {}, ("when", "protocol")),
    ({**QUIC, "tcp.flags": ["S"]}, DROP, {}, ("when", "tcp.flags")),
    ({**HTTP, "server.port": [8080, "90-99"]}, DROP, {"http": {"ports": [80, "1-50"]}},
     ("when", "server.port")),
    ({**DNS, "server.port": [5353]}, DROP, {}, ("when", "server.port")),
    ({**HTTP, "direction": "outbound"}, DROP, {"sees": "inbound"}, ("when", "direction")),
    ({**HTTP, "direction": "inbound"}, DROP, {"sees": "outbound"}, ("when", "direction")),
    ({"tls.certificate": NAME}, DROP, {"sees": "inbound"}, ("when", "tls.certificate")),
    ({"protocol": "udp", "tcp.flags": ["S"]}, DROP, {}, ("when", "tcp.flags")),
    ({"protocol": "icmp", "tcp.header_length": [20]}, DROP, {}, ("when", "tcp.header_length")),
    ({"protocol": "icmp", "server.port": [80]}, DROP, {}, ("when", "server.port")),
    ({"protocol": "icmp", "client.port": "above server.port"}, DROP, {}, ("when", "client.port")),
    ({**TLS, "not": TLS}, DROP, {}, ("when", "not")),
    ({**TLS, "not": {"tls": True}}, DROP, {}, ("when", "not")),
    ({**TLS, "not": {}}, DROP, {}, ("when", "not")),
    ({**QUIC, "quic.version": ["v2"]}, DROP, {"quic": {"versions": ["v1"]}}, ("when", "quic.sni")),
    ({**QUIC, "quic.version": [9]}, DROP, {}, ("when", "quic.sni")),
    ({"quic.ja4": JA4}, DROP, {"quic": {"versions": []}}, ("when", "quic.ja4")),
    ({"stun.turn": True, "stun.method": ["binding"]}, DROP, {}, ("when", "stun.method")),
    ({"stun.turn": False, "stun.method": ["allocate"]}, DROP, {}, ("when", "stun.method")),
    ({"first.like": ["http", "quic"]}, DROP, {}, ("when", "first.like", 1)),
    ({"first.like": ["ssh"]}, DROP, {"first": {"over": ["udp"]}}, ("when", "first.like", 0)),
    ({"signature": ["skype-udp"], "protocol": "tcp"}, DROP, {}, ("when", "protocol")),
    ({"dns.name": {}}, DROP, {}, ("when", "dns.name")),
    ({"http.path": {"exact": []}}, DROP, {}, ("when", "http.path")),
    ({"http.header": {}}, DROP, {}, ("when", "http.header")),
    ({"server.port": []}, DROP, {}, ("when", "server.port")),
    ({"client.address": []}, DROP, {}, ("when", "client.address")),
    ({"tls.alpn": []}, DROP, {}, ("when", "tls.alpn")),
]  # fmt: skip

RIGHT: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({**DNS, "server.port": ["50-60"]}, DROP, {}),
    ({**DNS, "server.port": [5353]}, DROP, {"dns": {"ports": "any"}}),
    ({**HTTP, "direction": "outbound"}, DROP, {"sees": "outbound"}),
    ({"tls.certificate": NAME}, {"drop": "packet", "toward": "client"}, {}),
    ({"sip.status": ["2xx"]}, {"drop": "packet", "toward": "client"}, {}),
    ({"protocol": "tcp", "tcp.flags": ["S"], "server.port": [80]}, DROP, {}),
    ({**TLS, "not": {"tls.sni": {"suffix": ["good.blocked.example"]}}}, DROP, {}),
    ({**QUIC, "quic.version": ["v2", 1]}, DROP, {"quic": {"versions": ["v1"]}}),
    ({"quic.version": ["v2"]}, DROP, {"quic": {"versions": []}}),
    ({"stun.turn": True, "stun.method": ["binding", "allocate"]}, DROP, {}),
    ({"first.like": ["http", "quic"]}, DROP, {"first": {"over": ["tcp", "udp"]}}),
    ({"signature": ["skype-udp", "skype-tcp"], "protocol": "tcp"}, DROP, {}),
]


def document(when: Any, act: Any, more: Any) -> dict[str, Any]:
    return {"position": "in-path", "rules": [{"id": "r", "when": when, "then": act}], **more}


@pytest.mark.parametrize(("when", "act", "more", "place"), WRONG)
def test_what_could_never_do_anything_is_refused(
    when: Any, act: Any, more: Any, place: tuple[str | int, ...]
) -> None:
    (problem,) = problems(document(when, act, more))
    assert problem.path == ("rules", 0, *place)


@pytest.mark.parametrize(("when", "act", "more"), RIGHT)
def test_what_could_is_not(when: Any, act: Any, more: Any) -> None:
    assert problems(document(when, act, more)) == []


def test_it_says_what_carries_what() -> None:
    (problem,) = problems(document({**QUIC, "protocol": "tcp"}, DROP, {}))
    assert problem.expected == "udp, which carries quic here"


@pytest.mark.parametrize(
    ("key", "value", "place"),
    [
        ("chance", 0.5, ("chance",)),
        ("chance", {"of": 0.5, "per": "flow"}, ("chance",)),
        ("continue", True, ("continue",)),
    ],
)
def test_an_exception_holds_always_and_for_all(
    key: str, value: Any, place: tuple[str, ...]
) -> None:
    spared = document(TLS, {"allow": True}, {})
    assert problems(spared) == []
    spared["rules"][0][key] = value
    (problem,) = problems(spared)
    assert problem.path == ("rules", 0, *place)


def test_a_chance_of_no_hour_is_none() -> None:
    never = document(TLS, DROP, {})
    never["rules"][0]["chance"] = {"by_hour": [0] * 24}
    (problem,) = problems(never)
    assert problem.path == ("rules", 0, "chance", "by_hour")
    never["rules"][0]["chance"] = {"by_hour": [0] * 23 + [0.1]}
    assert problems(never) == []
