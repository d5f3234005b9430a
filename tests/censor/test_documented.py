"""Documented censors as whole policies, and transcripts of what their facts say they do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from scapy.layers.dns import DNS
from scapy.layers.inet import IP, TCP

from censor.engine.decision import Verdict
from censor.policy.profile import PROFILES

ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
HOST = {"http.host": {"suffix": ["blocked.example"]}}
SNI = {"tls.sni": {"suffix": ["blocked.example"]}}
NULL: dict[str, Any] = {"drop": "packet"}


def policy(*rules: tuple[Any, Any], position: str = "in-path", **more: Any) -> dict[str, Any]:
    listed = [{"id": f"r{n}", "when": w, "then": then} for n, (w, then) in enumerate(rules)]
    return {"position": position, "rules": listed, **more}


def packets(decision: Any, *, inward: bool) -> list[Any]:
    return [IP(one.data) for one in decision.injections if one.inward is inward]


# --- Iran ------------------------------------------------------------------------------------

IRAN = policy(
    (
        {"http.host": {"suffix": ["blocked.example"], "case": True}},
        [
            {
                "inject": "block-page",
                "profile": "iran-403",
                "residual": {"key": "4-tuple", "seconds": 180, "renew": True, "then": NULL},
            },
            {"inject": "reset", "profile": "iran-http"},
        ],
    ),
    (
        SNI,
        {
            "inject": "reset",
            "profile": "iran-sni",
            "request": "drop",
            "residual": {"key": "4-tuple", "seconds": 180, "renew": True, "then": NULL},
        },
    ),
)


def anew(talk: Any, number: int) -> Any:
    """Open another connection between the same four, as clients do that retry."""
    tcp = talk.connection(sport=50000, shake=False)
    tcp.seq = number
    tcp.shake()
    return tcp


def test_iran_answers_for_the_host_and_null_routes_the_four(Talk: Any, get: Any) -> None:
    """Source: fact ir-http."""
    talk = Talk(IRAN)
    tcp = talk.connection()
    decision = tcp.say(get("www.blocked.example"))
    assert decision.verdict is DROP
    page, end = packets(decision, inward=True)
    assert bytes(page[TCP].payload).startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert [str(one[TCP].flags) for one in (page, end)] == ["FPA", "RPA"]
    assert [str(one[TCP].flags) for one in packets(decision, inward=False)] == ["R"] * 5
    set_at = talk.now
    for moment in (100, 250, 400):  # each packet seen starts the 180 s again
        talk.now = set_at + moment
        decision = anew(talk, 1000 * moment).say(get("free.example"))
        assert decision.verdict is DROP
        assert decision.events[-1].detail["residual"]
    other = talk.connection(sport=50001)
    assert other.say(get("free.example")).verdict is ACCEPT
    assert talk.connection(sport=50002).say(get("www.Blocked.example")).verdict is ACCEPT
    talk.now += 181
    assert anew(talk, 9_000_000).say(get("free.example")).verdict is ACCEPT


def test_iran_resets_by_server_name(Talk: Any, hello: Any) -> None:
    """Source: fact ir-sni: one RST+ACK, then 180 s of null routing of the 4-tuple."""
    talk = Talk(IRAN)
    tcp = talk.connection(port=8443)
    decision = tcp.say(hello("www.blocked.example"))
    for inward in (True, False):
        (one,) = packets(decision, inward=inward)
        assert str(one[TCP].flags) == "RA"
    assert tcp.say(b"more").verdict is DROP
    assert tcp.say(b"answer", back=True).verdict is DROP


# --- India -----------------------------------------------------------------------------------

AIRTEL = policy(
    (
        {**HOST, "server.port": [80]},
        {"inject": "block-page", "profile": "airtel-2018", "body": "as per the instructions"},
    ),
    position="on-path",
    tcp={"reassemble": False},
)


def test_a_wiretap_in_india_races_the_server(Talk: Any, get: Any) -> None:
    """Source: fact in-http: FIN and RST with identification 242; cut requests evade."""
    talk = Talk(AIRTEL)
    tcp = talk.connection()
    decision = tcp.say(get("www.blocked.example"))
    assert decision.verdict is ACCEPT  # the server answers too
    page, end = packets(decision, inward=True)
    assert (page.id, end.id) == (242, 242)
    assert ("F" in page[TCP].flags, "R" in end[TCP].flags) == (True, True)
    assert packets(decision, inward=False) == []
    assert tcp.say(b"HTTP/1.1 200 OK\r\n\r\n", back=True).verdict is ACCEPT
    evading = talk.connection(sport=50001)
    request = get("www.blocked.example", more=f"X: {'x' * 1449}\r\n")
    cut = request.index(b"blocked") + 3
    assert not evading.say(request[:cut]).injections
    assert not evading.say(request[cut:]).injections
    assert not talk.connection(port=8080, sport=50002).say(get("blocked.example")).injections


# --- Kazakhstan ------------------------------------------------------------------------------

_KAZAKH = {
    "drop": "packet",
    "residual": {"key": "4-tuple", "seconds": 120, "renew": True, "then": NULL},
}
KAZAKHSTAN = policy(
    ({**HOST, "server.port": [80]}, _KAZAKH),
    ({**SNI, "server.port": [443]}, _KAZAKH),
    tcp={"reassemble": False},
)


@pytest.mark.parametrize("port", [80, 443])
def test_kazakhstan_null_routes_and_injects_nothing(
    Talk: Any, get: Any, hello: Any, port: int
) -> None:
    """Source: fact kz-http: 120 s on the 4-tuple, begun again by any packet that matches."""
    ask = get if port == 80 else hello
    talk = Talk(KAZAKHSTAN)
    tcp = talk.connection(port=port)
    assert tcp.say(ask("www.blocked.example")).verdict is DROP
    talk.now += 119
    assert tcp.say(b"again").verdict is DROP
    talk.now += 119
    assert tcp.say(b"answer", back=True).verdict is DROP
    assert talk.connection(port=port, sport=50001).say(ask("free.example")).verdict is ACCEPT
    talk.now += 121
    assert tcp.say(b"later").verdict is ACCEPT
    assert talk.forged() == []
    cut = talk.connection(port=port, sport=50002)
    asked = ask("www.blocked.example")
    half = asked.index(b"blocked") + 3
    assert [cut.say(part).verdict for part in (asked[:half], asked[half:])] == [ACCEPT, ACCEPT]


# --- pages of elsewhere ----------------------------------------------------------------------


def page(talk: Any, decision: Any) -> str:
    segments = [one for one in packets(decision, inward=True) if one[TCP].payload]
    return b"".join(bytes(one[TCP].payload) for one in segments).decode()


def test_korea_redirects_http_and_resets_tls(Talk: Any, get: Any, hello: Any) -> None:
    """Source: fact kr-warning."""
    talk = Talk(
        policy(
            (HOST, {"inject": "block-page", "profile": "korea-warning"}),
            (SNI, {"inject": "reset"}),
            position="on-path",
        )
    )
    said = page(talk, talk.connection().say(get("blocked.example")))
    assert said.startswith("HTTP/1.1 302 Found\r\n")
    assert "\r\nLocation: http://warning.or.kr\r\n" in said
    both = talk.connection(port=443, sport=50001).say(hello("blocked.example")).injections
    assert len(both) == 2


def test_egypt_s_blank_page_comes_to_callers_from_outside_too(Talk: Any, get: Any) -> None:
    """Source: fact eg-dpi."""
    talk = Talk(policy((HOST, {"inject": "block-page", "profile": "egypt-blank"})))
    said = page(talk, talk.connection().say(get("blocked.example")))
    assert said.endswith("\r\n\r\n<HTML></HTML>")
    assert said.startswith("HTTP/1.1 200 OK\r\n")
    request = IP(src="9.9.9.9", dst="24.48.0.80") / TCP(sport=4000, dport=80, flags="S", seq=99)
    talk.give(bytes(request), inside=False)
    request[TCP].flags, request[TCP].seq, request[TCP].ack = "PA", 100, 500
    decision = talk.give(bytes(request / get("blocked.example")), inside=False)
    (answer, *_) = packets(decision, inward=False)
    assert (answer.src, answer.dst, answer[TCP].seq) == ("24.48.0.80", "9.9.9.9", 500)


def test_saudi_arabia_answers_while_the_server_does(Talk: Any, get: Any) -> None:
    """Source: fact sa-http: out of band, 200 in 2012 and 403 in 2019, in PSH+ACK segments."""
    for status in (200, 403):
        act = {"inject": "block-page", "status": status, "body": "x" * 2700, "then": "reset"}
        talk = Talk(policy((HOST, act), position="on-path"))
        tcp = talk.connection()
        decision = tcp.say(get("blocked.example"))
        assert decision.verdict is ACCEPT
        assert page(talk, decision).startswith(f"HTTP/1.1 {status} ")
        assert tcp.say(b"HTTP/1.1 200 OK\r\n\r\n", back=True).verdict is ACCEPT


def test_pakistan_s_layers(Talk: Any, get: Any, query: Any) -> None:
    """Source: fact pk-layers: NXDOMAIN, a redirect, a false page, silence."""
    name = {"dns.name": {"suffix": ["blocked.example"]}}
    redirect = {"inject": "block-page", "status": 302, "location": "http://isp.example/"}
    talk = Talk(policy((name, {"inject": "dns-answer", "rcode": "nxdomain"}), (HOST, redirect)))
    talk.udp(query("blocked.example"))
    assert DNS(talk.forged()[0].payload).rcode == 3
    assert "302 Found" in page(talk, talk.connection().say(get("blocked.example")))
    silent = Talk(policy((HOST, {"drop": "flow"})))
    tcp = silent.connection()
    assert tcp.say(get("blocked.example")).verdict is DROP
    assert tcp.segment(flags=17).verdict is DROP


def test_the_great_firewall_s_dns_in_2007(Talk: Any, query: Any) -> None:
    """Source: fact cn-dns-2007-pool8."""
    name = {"dns.name": {"suffix": ["blocked.example"]}}
    act = {"inject": "dns-answer", "profile": "gfw-dns-2007", "addresses": ["211.94.66.147"]}
    talk = Talk(policy((name, act), position="on-path"))
    for n in range(200):
        talk.udp(query("blocked.example"), sport=4000 + n)
    forged = [IP(one.data) for one in talk.forged()]
    assert {one[DNS].an[0].rdata for one in forged} == {"211.94.66.147"}
    assert min(one.ttl for one in forged) >= 30
    assert len({one.ttl for one in forged}) > 50


def test_every_profile_has_a_transcript() -> None:
    """And each transcript names its fact, which has the source."""
    folder = Path(__file__).parent
    files = ("profile", "documented", "residual", "rewriting", "inquiry", "impostor")
    paths = (next(folder.rglob(f"test_{name}.py")) for name in files)
    text = "".join(path.read_text("utf-8") for path in paths)
    text += "gfw-dns-1 gfw-dns-2 gfw-dns-3" * ("gfw-dns-{n}" in text)
    assert [name for name in PROFILES if name not in text] == []
