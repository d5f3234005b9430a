"""What DNS, TCP and TLS say, here against the control: a table of cases."""

from __future__ import annotations

from typing import Any

import pytest

from filterbed.probe.judge import judge
from filterbed.probe.verdict import bogon

GOOD = {"dns": ["1.1.1.1"], "tcp": "ok", "http": 200}
SECURE = {**GOOD, "tls": "ok"}
FORGED = {"dns": ["8.7.198.45"], "tcp": {"8.7.198.45": "timeout"}}
DEAD_END = {"tcp": {"8.7.198.45": "unreachable"}}
NET = "network"

#: name: (here, at the control, proof, verdict, mechanisms, locus)
WEB: dict[str, tuple[Any, Any, Any, str, list[str], str | None]] = {
    "fine": (GOOD, GOOD, {}, "ok", [], None),
    "fine-tls": (SECURE, SECURE, {}, "ok", [], None),
    "literal": ({**GOOD, "dns": None}, {**GOOD, "dns": None}, {}, "ok", [], None),
    # DNS
    "dead-name": ({"dns": "NXDOMAIN"}, {"dns": "NXDOMAIN"}, {}, "down", [], None),
    "servfail-both": ({"dns": "SERVFAIL"}, {"dns": "SERVFAIL"}, {}, "down", [], None),
    "no-data-both": ({"dns": []}, {"dns": []}, {}, "down", [], None),
    "nxdomain": ({"dns": "NXDOMAIN"}, GOOD, {}, "blocked", ["dns.nxdomain"], NET),
    "refused": ({"dns": "REFUSED"}, GOOD, {}, "blocked", ["dns.refused"], NET),
    "servfail": ({"dns": "SERVFAIL"}, GOOD, {}, "blocked", ["dns.servfail"], NET),
    "dns-timeout": ({"dns": "timeout"}, GOOD, {}, "blocked", ["dns.timeout"], NET),
    "dns-reset": ({"dns": "reset"}, GOOD, {}, "blocked", ["dns.reset"], NET),
    "dns-other": ({"dns": "NOTIMP"}, GOOD, {}, "blocked", ["dns"], NET),
    "dns-timeout-of-dead": (
        {"dns": "timeout"}, {"dns": "NXDOMAIN"}, {}, "blocked", ["dns.timeout"], NET,
    ),
    "no-data": ({"dns": []}, GOOD, {}, "blocked", ["dns.injection.nodata"], NET),
    "resolvers-both-gone": ({"dns": "timeout"}, {"dns": "timeout"}, {}, "down", [], None),
    "control-resolver-gone": (GOOD, {"dns": "timeout"}, {}, "unknown", [], None),
    "bogon": (
        {"dns": ["10.10.34.34"], "tcp": {"10.10.34.34": "timeout"}}, GOOD, {},
        "blocked", ["dns.injection.bogon"], NET,
    ),
    "class-e": ({"dns": ["243.185.187.39"]}, GOOD, {}, "blocked", ["dns.injection.bogon"], NET),
    "bogon-for-all": (
        {"dns": ["10.0.0.1"], "tcp": {"10.0.0.1": "ok"}, "http": 200},
        {"dns": ["10.0.0.1"], "tcp": {"10.0.0.1": "ok"}, "http": 200}, {}, "ok", [], None,
    ),
    "forged": (FORGED, GOOD, {"elsewhere": DEAD_END}, "blocked", ["dns.injection.other"], NET),
    "forged-and-raced": (
        FORGED, GOOD, {"answers": [["8.7.198.45"], ["1.1.1.1"]]},
        "blocked", ["dns.injection.other"], NET,
    ),
    "two-answers-alike": (
        FORGED, GOOD, {"answers": [["8.7.198.45"], ["8.7.198.45"]]}, "unknown", [], None,
    ),
    "forged-unproven": (FORGED, GOOD, {}, "unknown", [], None),
    "forged-control-dead-too": (
        FORGED, {"dns": ["1.1.1.1"], "tcp": "timeout"}, {"elsewhere": DEAD_END},
        "unknown", [], None,
    ),
    "forged-for-a-dead-name": (
        FORGED, {"dns": "NXDOMAIN"}, {"elsewhere": DEAD_END},
        "blocked", ["dns.injection.other"], NET,
    ),
    "name-fails-at-the-control": (
        {"dns": ["2.2.2.2"], "tcp": {"2.2.2.2": "ok"}, "http": 200}, {"dns": "SERVFAIL"},
        {"elsewhere": {"tcp": {"2.2.2.2": "ok"}, "http": 200}}, "unknown", [], None,
    ),
    "name-fails-at-the-control-certificate-good": (
        {"dns": ["2.2.2.2"], "tcp": {"2.2.2.2": "ok"}, "tls": "ok", "http": 200},
        {"dns": "SERVFAIL"}, {}, "ok", [], None,
    ),
    "cannot-be-verified-here": (
        {"dns": "SERVFAIL"}, GOOD, {}, "blocked", ["dns.servfail"], NET,
    ),
    "forged-to-a-page": (
        {"dns": ["8.8.4.4"], "tcp": {"8.8.4.4": "ok"}, "http": {"title": "Else", "status": 404}},
        GOOD, {"elsewhere": {"tcp": {"8.8.4.4": "ok"}, "http": {"title": "Else", "status": 404}}},
        "blocked", ["dns.injection"], NET,
    ),
    "forged-to-a-block-page": (
        {"dns": ["8.8.4.4"], "tcp": {"8.8.4.4": "ok"},
         "http": {"title": "This site is blocked", "status": 200}},
        GOOD, {"elsewhere": {"tcp": {"8.8.4.4": "timeout"}}},
        "blocked", ["dns.injection.blockpage"], NET,
    ),
    "cdn-same-page": (
        {"dns": ["2.2.2.2"], "tcp": {"2.2.2.2": "ok"}, "http": 200}, GOOD, {}, "ok", [], None,
    ),
    "cdn-same-certificate": (
        {"dns": ["2.2.2.2"], "tcp": {"2.2.2.2": "ok"}, "tls": "ok",
         "http": {"status": 200, "title": "Lokal"}},
        SECURE, {}, "ok", [], None,
    ),
    "cdn-overlap": (
        {"dns": ["2.2.2.2", "1.1.1.1"], "tcp": {"2.2.2.2": "ok"}, "http": 200}, GOOD, {},
        "ok", [], None,
    ),
    "cdn-then-tcp-blocked": (
        {"dns": ["2.2.2.2"], "tcp": {"2.2.2.2": "timeout"}}, GOOD,
        {"elsewhere": {"tcp": {"2.2.2.2": "ok"}, "http": 200}},
        "blocked", ["tcp.timeout"], NET,
    ),
    # TCP
    "tcp-timeout": ({"tcp": "timeout"}, GOOD, {}, "blocked", ["tcp.timeout"], NET),
    "tcp-refused": ({"tcp": "refused"}, GOOD, {}, "blocked", ["tcp.refused"], NET),
    "tcp-reset": ({"tcp": "reset"}, GOOD, {}, "blocked", ["tcp.reset"], NET),
    "unreachable": ({"tcp": "unreachable"}, GOOD, {}, "blocked", ["ip.unreachable"], NET),
    "two-addresses-two-ways": (
        {"dns": ["1.1.1.1", "2.2.2.2"], "tcp": {"1.1.1.1": "timeout", "2.2.2.2": "refused"}},
        {"dns": ["1.1.1.1", "2.2.2.2"], "tcp": {"1.1.1.1": "ok", "2.2.2.2": "ok"}, "http": 200},
        {}, "blocked", ["tcp.refused", "tcp.timeout"], NET,
    ),
    "one-address-of-two-is-enough": (
        {"dns": ["1.1.1.1", "2.2.2.2"], "tcp": {"1.1.1.1": "timeout", "2.2.2.2": "ok"},
         "http": 200},
        {"dns": ["1.1.1.1", "2.2.2.2"], "tcp": {"1.1.1.1": "ok", "2.2.2.2": "ok"}, "http": 200},
        {}, "ok", [], None,
    ),
    "refused-by-all": ({"tcp": "refused"}, {"tcp": "refused"}, {}, "down", [], None),
    "silent-to-all": ({"tcp": "timeout"}, {"tcp": "timeout"}, {}, "down", [], None),
    "both-fail-differently": ({"tcp": "timeout"}, {"tcp": "refused"}, {}, "unknown", [], None),
    "control-cannot-reach-it": (GOOD, {"tcp": "timeout"}, {}, "ok", [], None),
    # TLS
    "tls-reset": (
        {"tcp": "ok", "tls": ("reset", None, "hello")}, SECURE, {}, "blocked", ["tls.reset"], NET,
    ),
    "tls-reset-sni": (
        {"tcp": "ok", "tls": ("reset", None, "hello")}, SECURE,
        {"other_name": {"outcome": "ok"}, "same_name": {"outcome": "reset"}},
        "blocked", ["tls.reset.sni"], NET,
    ),
    "tls-reset-other-name-alerted": (
        {"tcp": "ok", "tls": ("reset", None, "hello")}, SECURE,
        {"other_name": {"outcome": "alert"}, "same_name": {"outcome": "reset"}},
        "blocked", ["tls.reset.sni"], NET,
    ),
    "tls-reset-residual": (
        {"tcp": "ok", "tls": ("reset", None, "hello")}, SECURE,
        {"other_name": {"outcome": "reset"}, "same_name": {"outcome": "reset"}},
        "blocked", ["tls.reset"], NET,
    ),
    "tls-reset-residual-over": (
        {"tcp": "ok", "tls": ("reset", None, "hello")}, SECURE,
        {"other_name": {"outcome": "ok"}, "same_name": {"outcome": "ok"}},
        "blocked", ["tls.reset"], NET,
    ),
    "reset-before-the-hello": (
        {"tcp": "ok", "tls": ("reset", None, "connect")}, SECURE, {}, "blocked", ["tcp.reset"], NET,
    ),
    "tls-timeout": (
        {"tcp": "ok", "tls": ("timeout", None, "hello")}, SECURE, {},
        "blocked", ["tls.timeout"], NET,
    ),
    "tls-fin": (
        {"tcp": "ok", "tls": ("fin", None, "hello")}, SECURE, {}, "blocked", ["tls.fin"], NET,
    ),
    "tls-alert": (
        {"tcp": "ok", "tls": ("alert", None, "answer")}, SECURE, {}, "blocked", ["tls"], NET,
    ),
    "mitm-self-signed": (
        {**SECURE, "tls": ("invalid", "self-signed", "answer")}, SECURE, {},
        "blocked", ["tls.mitm.self_signed"], NET,
    ),
    "mitm-wrong-name": (
        {**SECURE, "tls": ("invalid", "wrong-name", "answer")}, SECURE, {},
        "blocked", ["tls.mitm.ca_signed"], NET,
    ),
    "mitm-unknown-ca": (
        {**SECURE, "tls": ("invalid", "unknown-ca", "answer")}, SECURE, {},
        "blocked", ["tls.mitm"], NET,
    ),
    "mitm-of-an-expired-site": (
        {**SECURE, "tls": ("invalid", "self-signed", "answer")},
        {**SECURE, "tls": ("invalid", "expired", "answer")}, {},
        "blocked", ["tls.mitm.self_signed"], NET,
    ),
    "expired-for-all": (
        {**SECURE, "tls": ("invalid", "expired", "answer")},
        {**SECURE, "tls": ("invalid", "expired", "answer")}, {}, "down", [], None,
    ),
    "tls-reset-by-the-server": (
        {"tcp": "ok", "tls": ("reset", None, "hello")},
        {"tcp": "ok", "tls": ("reset", None, "hello")}, {}, "down", [], None,
    ),
    "tls-both-fail-differently": (
        {"tcp": "ok", "tls": ("timeout", None, "hello")},
        {"tcp": "ok", "tls": ("reset", None, "hello")}, {}, "unknown", [], None,
    ),
    "control-without-tls": (
        {"tcp": "ok", "tls": ("reset", None, "hello")}, {"tcp": "timeout"}, {}, "unknown", [], None,
    ),
    "https-reset-after-the-handshake": (
        {"tcp": "ok", "tls": "ok", "http": "reset"}, SECURE, {}, "blocked", ["tls.reset"], NET,
    ),
}  # fmt: skip


def proofs(build: Any, spec: dict[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = dict(spec)
    for name in ("elsewhere", "genuine"):
        if name in spec:
            made[name] = build("web", dns=None, **spec[name])
    if "answers" in spec:
        made["answers"] = [{"addresses": one} for one in spec["answers"]]
    return made


@pytest.mark.parametrize("case", WEB)
def test_web(build: Any, case: str) -> None:
    here, there, proof, verdict, mechanisms, locus = WEB[case]
    found = judge(build("web", **here), build("web", **there), proofs(build, proof))
    assert (found.verdict, sorted(found.mechanisms), found.locus) == (verdict, mechanisms, locus)
    assert found.detail


DNS: dict[str, tuple[Any, Any, Any, str, list[str]]] = {
    "same": ({}, {}, {}, "ok", []),
    "nxdomain": ({"dns": "NXDOMAIN"}, {}, {}, "blocked", ["dns.nxdomain"]),
    "dead": ({"dns": "NXDOMAIN"}, {"dns": "NXDOMAIN"}, {}, "down", []),
    "raced": (
        {"dns": ["8.7.198.45"]}, {}, {"answers": [["8.7.198.45"], ["1.1.1.1"]]},
        "blocked", ["dns.injection.other"],
    ),
    "nothing-stands-there": (
        {"dns": ["8.7.198.45"]}, {}, {"elsewhere": DEAD_END, "genuine": {"tcp": "ok"}},
        "blocked", ["dns.injection.other"],
    ),
    "another-node-of-the-site": (
        {"dns": ["2.2.2.2"]}, {},
        {"elsewhere": {"tcp": "ok", "tls": "ok"}, "genuine": {"tcp": "ok", "tls": "ok"}},
        "ok", [],
    ),
    "neither-serves-anything": (
        {"dns": ["2.2.2.2"]}, {},
        {"elsewhere": {"tcp": {"2.2.2.2": "timeout"}}, "genuine": {"tcp": "timeout"}},
        "unknown", [],
    ),
    "records": (
        {"qtype": "MX", "dns": [], "records": ["10 a."]},
        {"qtype": "MX", "dns": [], "records": ["10 a."]}, {}, "ok", [],
    ),
    "no-records": (
        {"qtype": "MX", "dns": []}, {"qtype": "MX", "dns": [], "records": ["10 a."]}, {},
        "blocked", ["dns.injection.nodata"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", DNS)
def test_dns(build: Any, case: str) -> None:
    here, there, proof, verdict, mechanisms = DNS[case]
    found = judge(build("dns", **here), build("dns", **there), proofs(build, proof))
    assert (found.verdict, list(found.mechanisms)) == (verdict, mechanisms)


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.10.34.34", True),
        ("243.185.187.39", True),
        ("224.0.0.1", True),
        ("127.0.0.1", True),
        ("0.0.0.0", True),
        ("192.0.2.1", True),
        ("::", True),
        ("fd00::1", True),
        ("8.7.198.45", False),
        ("2606:2800:220:1::1", False),
    ],
)
def test_bogon(address: str, expected: bool) -> None:
    assert bogon(address) is expected
