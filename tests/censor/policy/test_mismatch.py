"""Acts that nothing which triggers them could bear are refused, and their neighbours are not."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.loader import problems

NAME: dict[str, Any] = {"suffix": ["blocked.example"]}
QUIC: dict[str, Any] = {"quic.sni": NAME}
HTTP: dict[str, Any] = {"http.host": NAME}
TLS: dict[str, Any] = {"tls.sni": NAME}
DNS: dict[str, Any] = {"dns.name": NAME}
RESET: dict[str, Any] = {"inject": "reset"}
DROP: dict[str, Any] = {"drop": "packet"}
TO_CLIENT: dict[str, Any] = {"drop": "packet", "toward": "client"}
STATELESS: dict[str, Any] = {"profile": "stateless"}
PAGE: dict[str, Any] = {"inject": "block-page"}
CNAME = ".".join(["a" * 60] * 4)

#: A condition, an act, the rest of the document, and where in the act it is wrong.
WRONG: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any], tuple[str | int, ...]]] = [
    (QUIC, RESET, {}, ("inject",)),
    (QUIC, {"inject": "probe", "from": ["24.48.9.9"]}, {}, ("inject",)),
    ({"dtls.sni": NAME}, {"rewrite": "reset"}, {}, ("rewrite",)),
    ({"protocol": "udp"}, {"rewrite": "reset"}, {}, ("rewrite",)),
    ({"stun": True}, {"inject": "fin"}, {"stun": {"over": ["udp"]}}, ("inject",)),
    ({"signature": ["viber-udp"]}, RESET, {}, ("inject",)),
    (HTTP, {"rewrite": "packet"}, {}, ("rewrite",)),
    (HTTP, {"rewrite": "packet", "spoil": False}, {}, ("rewrite",)),
    (QUIC, {"rewrite": "packet", "ttl": 3, "window": 0}, {}, ("window",)),
    ({"protocol": "udp"}, {"rewrite": "packet", "flags": "R"}, {}, ("flags",)),
    (QUIC, {**DROP, "residual": {"seconds": 9, "then": RESET}}, {}, ("residual", "then", "inject")),
    (QUIC, {**DROP, "residual": {"seconds": 9, "then": [DROP, RESET]}}, {},
     ("residual", "then", 1, "inject")),
    (HTTP, TO_CLIENT, {}, ("toward",)),
    (HTTP, TO_CLIENT, {"tcp": {**STATELESS, "reads": "client"}}, ("toward",)),
    (QUIC, TO_CLIENT, {"tcp": STATELESS}, ("toward",)),
    (DNS, {"inject": "dns-answer", "rcode": "refused", "over_tcp": "reset"},
     {"dns": {"over": ["udp"]}}, ("over_tcp",)),
    (DNS, {"inject": "dns-answer", "cname": CNAME + "." + "a" * 11}, {}, ("cname",)),
    ({}, {"inject": "icmp-unreachable", "from": ["1.1.1.1", "2.2.2.2"]}, {}, ("from",)),
    (HTTP, {**RESET, "flags": "A"}, {}, ("flags",)),
    (HTTP, {"inject": "fin", "flags": "RA"}, {}, ("flags",)),
    (HTTP, {"rewrite": "reset", "flags": "A"}, {}, ("flags",)),
    (HTTP, {**PAGE, "then": "reset", "reset_flags": "A"}, {}, ("reset_flags",)),
    ({"sip.method": ["BYE", "ACK"]}, {"inject": "sip-cancel"}, {}, ("inject",)),
    ({"sip.method": ["ack"]}, {"inject": "sip-response"}, {}, ("inject",)),
    (TLS, {"intercept": "tls"}, {"sees": "outbound"}, ("intercept",)),
    ({**TLS, "tls.issuer": NAME}, {"intercept": "tls"}, {}, ("intercept",)),
    (TLS, {**DROP, "residual": {"seconds": "0 s"}}, {}, ("residual", "seconds")),
    (TLS, {"thin": 0.5, "for": 0}, {}, ("for",)),
    (TLS, {"delay": 0}, {}, ("delay",)),
]  # fmt: skip

RIGHT: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    (DNS, RESET, {}),
    ({"stun": True}, {"inject": "fin"}, {}),
    ({"signature": ["viber-udp", "viber-tcp"]}, RESET, {}),
    (QUIC, {"rewrite": "packet", "ttl": 3}, {}),
    (HTTP, {"rewrite": "packet", "window": 0}, {}),
    (QUIC, {**DROP, "residual": {"seconds": 9, "then": DROP}}, {}),
    (TLS, {**DROP, "residual": {"seconds": 9, "then": RESET}}, {}),
    (HTTP, {"drop": "flow", "toward": "client"}, {}),
    (HTTP, {**TO_CLIENT, "residual": {"seconds": 9}}, {}),
    (HTTP, TO_CLIENT, {"tcp": {"reassemble": False, "reads": "both"}}),
    ({"ssh": True}, TO_CLIENT, {"tcp": STATELESS}),
    (DNS, {"inject": "dns-answer", "cname": CNAME + ".aaaaaaaaa."}, {}),
    ({}, {"inject": "icmp-unreachable", "from": ["1.1.1.1", "2600::1"]}, {}),
    ({"first.fully_encrypted": True}, {"inject": "probe", "from": ["24.1.1.1", "24.1.1.2"]}, {}),
    (HTTP, {**RESET, "flags": "RAN"}, {}),
    (HTTP, {"inject": "fin", "flags": "FPA"}, {}),
    ({"sip.method": ["INVITE", "BYE"]}, {"inject": "sip-cancel"}, {}),
    ({"sip.method": ["ACK", "BYE"]}, {"inject": "sip-response"}, {}),
    (TLS, {"intercept": "tls"}, {}),
    (TLS, {"delay": 0, "jitter": "1 ms"}, {}),
    (TLS, {"cut": {"seconds": 0}}, {}),
]  # fmt: skip


def document(when: Any, act: Any, more: Any) -> dict[str, Any]:
    return {"position": "in-path", "rules": [{"id": "r", "when": when, "then": act}], **more}


@pytest.mark.parametrize(("when", "act", "more", "place"), WRONG)
def test_what_no_trigger_bears_is_refused(
    when: Any, act: Any, more: Any, place: tuple[str | int, ...]
) -> None:
    (problem,) = problems(document(when, act, more))
    assert problem.path == ("rules", 0, "then", *place)


@pytest.mark.parametrize(("when", "act", "more"), RIGHT)
def test_what_a_trigger_bears_is_not(when: Any, act: Any, more: Any) -> None:
    assert problems(document(when, act, more)) == []
