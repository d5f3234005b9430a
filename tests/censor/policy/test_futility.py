"""What could never do anything is refused, with the reason, and its neighbour that could is not."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.loader import problems

NAME: dict[str, Any] = {"suffix": ["blocked.example"]}
QUIC: dict[str, Any] = {"quic.sni": NAME}
HTTP: dict[str, Any] = {"http.host": NAME}
DNS: dict[str, Any] = {"dns.name": NAME}
RESET: dict[str, Any] = {"inject": "reset"}
DROP: dict[str, Any] = {"drop": "packet"}
CNAME = ".".join(["a" * 60] * 4)

#: A condition, an act, the rest of the document, and where it is wrong.
WRONG: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], tuple[str, str]]] = [
    (QUIC, RESET, {}, ("then", "inject")),
    (QUIC, {"inject": "probe", "from": ["24.48.9.9"]}, {}, ("then", "inject")),
    ({"dtls.sni": NAME}, {"rewrite": "reset"}, {}, ("then", "rewrite")),
    ({"protocol": "udp"}, {"rewrite": "reset"}, {}, ("then", "rewrite")),
    ({"stun": True}, {"inject": "fin"}, {"stun": {"over": ["udp"]}}, ("then", "inject")),
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
    (HTTP, {"rewrite": "packet"}, {}, ("then", "rewrite")),
    (HTTP, {"rewrite": "packet", "spoil": False}, {}, ("then", "rewrite")),
    (HTTP, {"drop": "packet", "toward": "client"}, {}, ("then", "toward")),
    (DNS, {"inject": "dns-answer", "rcode": "refused", "over_tcp": "reset"},
     {"dns": {"over": ["udp"]}}, ("then", "over_tcp")),
    (DNS, {"inject": "dns-answer", "cname": CNAME + "." + "a" * 11}, {}, ("then", "cname")),
    ({}, {"inject": "icmp-unreachable", "from": ["1.1.1.1", "2.2.2.2"]}, {}, ("then", "from")),
]  # fmt: skip

RIGHT: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (DNS, RESET, {}),
    ({"stun": True}, {"inject": "fin"}, {}),
    ({"sip": True}, DROP, {"sip": {"over": []}}),
    ({**DNS, "server.port": ["50-60"]}, DROP, {}),
    ({**DNS, "server.port": [5353]}, DROP, {"dns": {"ports": "any"}}),
    ({**HTTP, "direction": "outbound"}, DROP, {"sees": "outbound"}),
    ({"tls.certificate": NAME}, {"drop": "packet", "toward": "client"}, {}),
    ({"sip.status": ["2xx"]}, {"drop": "packet", "toward": "client"}, {}),
    (HTTP, {"drop": "flow", "toward": "client"}, {}),
    (HTTP, {"drop": "packet", "toward": "client", "residual": {"seconds": 9}}, {}),
    (HTTP, {"rewrite": "packet", "window": 0}, {}),
    (DNS, {"inject": "dns-answer", "cname": CNAME + ".aaaaaaaaa."}, {}),
    ({}, {"inject": "icmp-unreachable", "from": ["1.1.1.1", "2600::1"]}, {}),
]


def document(when: Any, act: Any, more: Any) -> dict[str, Any]:
    return {"position": "in-path", "rules": [{"id": "r", "when": when, "then": act}], **more}


@pytest.mark.parametrize(("when", "act", "more", "place"), WRONG)
def test_what_could_never_do_anything_is_refused(
    when: Any, act: Any, more: Any, place: tuple[str, str]
) -> None:
    (problem,) = problems(document(when, act, more))
    assert problem.path == ("rules", 0, *place)


@pytest.mark.parametrize(("when", "act", "more"), RIGHT)
def test_what_could_is_not(when: Any, act: Any, more: Any) -> None:
    assert problems(document(when, act, more)) == []


def test_it_says_what_carries_what() -> None:
    (problem,) = problems(document({**QUIC, "protocol": "tcp"}, DROP, {}))
    assert problem.expected == "udp, which carries quic here"
