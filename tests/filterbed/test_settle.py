"""What the log decides, what it contradicts, and what nobody can tell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import dns.message
import pytest
from scapy.layers.inet import IP, TCP, UDP
from scapy.packet import Packet, Raw

from filterbed import settle as settling
from filterbed.header import raw
from filterbed.pcapng import Frame
from filterbed.question import Question
from filterbed.settle import settle, spans
from scenarios.model import Label, Target, Truth

CLIENT, RESOLVER, AUTH, SHARED, ALONE = "1.2.3.4", "8.8.0.53", "9.9.0.53", "5.6.7.8", "5.6.7.9"
OK, DOWN = Label("ok"), Label("down")
RESET = Label("blocked", frozenset({"http.reset.host"}), "network")
RESIDUAL = Label("blocked", frozenset({"residual"}), "network")
URLS = {
    "banned": "http://banned.example.org/",
    "beside": "http://beside.example.org/",
    "clean": "http://clean.example.net/",
    "lonely": "http://lonely.example.net/",
}
ADDRESSES = {"banned": SHARED, "beside": SHARED, "clean": "5.6.7.10", "lonely": ALONE}
TRUTHS = {
    "banned": Truth(RESET, OK),
    "beside": Truth(RESIDUAL, OK, by_log=True),
    "clean": Truth(OK, OK),
    "lonely": Truth(RESIDUAL, DOWN, by_log=True),
}


def question(truths: Mapping[str, Truth] = TRUTHS, sharing: tuple[str, ...] = ()) -> Question:
    vantages = ("bj", *sharing)
    return Question(
        vantages,
        tuple(Target(name, "web", {"url": url}, {}) for name, url in URLS.items()),
        {(vantage, name): truth for vantage in vantages for name, truth in truths.items()},
        {raw(CLIENT): "bj"},
        {raw(RESOLVER): vantages},
        {
            f"{name}.example.{'org' if a == SHARED else 'net'}": (a,)
            for name, a in ADDRESSES.items()
        },
    )


@dataclass
class Log:
    """A tool's pass, made by hand."""

    frames: list[Frame] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def see(self, packet: Packet) -> None:
        data = bytes(packet)
        self.frames.append(Frame(len(self.frames), 0, data, len(data)))

    def open(self, server: str, port: int, name: str | None = None) -> None:
        """Begin a connection; say a name on it, or never come to it."""
        ip = IP(src=CLIENT, dst=server)
        self.see(ip / TCP(sport=port, dport=80, flags="S", seq=1))
        self.see(IP(src=server, dst=CLIENT) / TCP(sport=80, dport=port, flags="SA", seq=1))
        if name:
            request = f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
            self.see(ip / TCP(sport=port, dport=80, flags="PA", seq=2) / Raw(request))

    def ask(self, client: str, server: str, port: int, name: str) -> None:
        query = dns.message.make_query(name, "A").to_wire()
        self.see(IP(src=client, dst=server) / UDP(sport=port, dport=53) / Raw(query))

    def act(self, **more: Any) -> None:
        """The censor acts on the last packet."""
        self.events.append({"event": "injected", "box": "gfw", "n": len(self.frames), **more})

    def settle(self, asked: Question | None = None, *, idle: bool = False) -> tuple[Any, list[str]]:
        testimony = settling.Testimony("gfw", self.frames, self.events, 0, len(self.frames))
        labels, problems = settle(asked or question(), [testimony], idle=idle)
        return {target: label for (_, target), label in labels.items()}, problems


@pytest.fixture
def log() -> Log:
    return Log()


# Decided


def test_without_acts_the_baseline_is_true(log: Log) -> None:
    log.open(SHARED, 4000, "beside.example.org")
    labels, problems = log.settle()
    assert labels == {"banned": RESET, "beside": OK, "clean": OK, "lonely": DOWN}
    assert problems == []


def test_an_act_on_a_flow_that_said_its_name(log: Log) -> None:
    log.open(SHARED, 4000, "banned.example.org")
    log.act(rule="banned-host")
    log.open(SHARED, 4001, "beside.example.org")
    log.act(residual=True)
    labels, problems = log.settle()
    assert problems == []
    assert labels["beside"] == RESIDUAL
    assert labels["lonely"] == DOWN


def test_the_logs_own_trigger_names_it_too(log: Log) -> None:
    """The engine put together what our few bytes do not show."""
    log.open(SHARED, 4001)
    log.act(residual=True, trigger={"http.host": "Beside.example.org"})
    assert log.settle() == (
        {"banned": RESET, "beside": RESIDUAL, "clean": OK, "lonely": DOWN},
        [],
    )


def test_a_quic_flow_is_named_by_the_log_and_is_no_target_over_tcp(log: Log) -> None:
    here, truths = question(), {**TRUTHS, "over-quic": TRUTHS["beside"]}
    target = Target("over-quic", "web", {"url": URLS["beside"], "via": "h3"}, {})
    asked = replace(
        here,
        targets=(*here.targets, target),
        truths={("bj", name): truth for name, truth in truths.items()},
    )
    log.see(IP(src=CLIENT, dst=SHARED) / UDP(sport=4000, dport=80) / Raw(b"\xc0\0\0\0\1" * 240))
    log.act(residual=True, trigger={"quic.sni": "beside.example.org"})
    labels, problems = log.settle(asked)
    assert problems == []
    assert (labels["over-quic"], labels["beside"]) == (RESIDUAL, OK)


def test_a_retry_of_the_banned_site_is_not_its_neighbour(log: Log) -> None:
    for port in (4000, 4001):
        log.open(SHARED, port, "banned.example.org")
        log.act()
    log.open(SHARED, 4002, "beside.example.org")
    labels, problems = log.settle()
    assert (labels["beside"], problems) == (OK, [])


def test_a_nameless_flow_to_a_server_of_its_own(log: Log) -> None:
    log.open(ALONE, 4000)
    log.act(residual=True)
    labels, problems = log.settle()
    assert (labels["lonely"], problems) == (RESIDUAL, [])


def test_all_nameless_flows_were_hit_so_its_own_was(log: Log) -> None:
    log.open(SHARED, 4000, "banned.example.org")
    log.act()
    for port in (4001, 4002):
        log.open(SHARED, port)
        log.act(residual=True)
    labels, problems = log.settle()
    assert (labels["beside"], problems) == (RESIDUAL, [])


def test_a_forged_answer_hits_its_name(log: Log) -> None:
    log.ask(CLIENT, RESOLVER, 999, "lonely.example.net")
    log.act(trigger={"dns.name": "lonely.example.net"})
    labels, problems = log.settle()
    assert (labels["lonely"], problems) == (RESIDUAL, [])


def test_a_recursor_that_only_one_vantage_asks(log: Log) -> None:
    log.ask(RESOLVER, AUTH, 999, "lonely.example.net")
    log.act()
    labels, problems = log.settle()
    assert (labels["lonely"], problems) == (RESIDUAL, [])


def test_what_a_tool_does_beside_its_targets_says_nothing(log: Log) -> None:
    log.open("7.7.7.7", 4000, "graph.facebook.com")
    log.act()
    log.ask(CLIENT, RESOLVER, 999, "elsewhere.example.com")
    log.act()
    assert log.settle()[1] == []


def test_only_the_pass_that_is_asked_about_counts(log: Log) -> None:
    log.open(ALONE, 4000)
    log.act()
    testimony = settling.Testimony(
        "gfw", log.frames, log.events, len(log.frames), len(log.frames) + 9
    )
    labels, problems = settle(question(), [testimony])
    assert (labels["bj", "lonely"], problems) == (DOWN, [])
    other = settling.Testimony("other", log.frames, log.events, 0, len(log.frames))
    assert settle(question(), [other])[0]["bj", "lonely"] == DOWN


def test_another_port_is_another_target(log: Log) -> None:
    log.see(IP(src=CLIENT, dst=ALONE) / TCP(sport=4000, dport=443, flags="S"))
    log.act()
    labels, problems = log.settle()
    assert (labels["lonely"], problems) == (DOWN, [])


# Contradicted


def test_an_act_on_what_is_declared_free(log: Log) -> None:
    log.open("5.6.7.10", 4000, "clean.example.net")
    log.act(rule="banned-host")
    assert log.settle()[1] == [
        "log: gfw injected (rule banned-host) on tcp 1.2.3.4:4000 - 5.6.7.10:80, which is clean "
        "from bj, declared ok: scenario and log disagree"
    ]


def test_collateral_that_was_not_declared(log: Log) -> None:
    asked = question({**TRUTHS, "beside": Truth(OK, OK)})
    log.open(SHARED, 4000, "banned.example.org")
    log.act()
    log.open(SHARED, 4001, "beside.example.org")
    log.act(residual=True)
    (problem,) = log.settle(asked)[1]
    assert "beside from bj, declared ok" in problem


def test_acts_of_an_idle_censor(log: Log) -> None:
    log.open(SHARED, 4000, "banned.example.org")
    log.act()
    labels, problems = log.settle(idle=True)
    assert labels == {"banned": OK, "beside": OK, "clean": OK, "lonely": DOWN}
    assert problems == [
        "log: the censor was idle, but gfw injected on tcp 1.2.3.4:4000 - 5.6.7.8:80"
    ]


# Undecided


def test_a_nameless_flow_and_a_named_one(log: Log) -> None:
    """Was the first its own first try, or its neighbour's second? Nobody can tell."""
    log.open(SHARED, 4001)
    log.act(residual=True)
    log.open(SHARED, 4002, "beside.example.org")
    (problem,) = log.settle()[1]
    assert problem.startswith("log: whether beside from bj was hit cannot be told: gfw injected")
    assert "it never said a name, while one of this target's did" in problem


def test_some_nameless_flows_passed(log: Log) -> None:
    log.open(SHARED, 4001)
    log.act(residual=True)
    log.open(SHARED, 4002)
    (problem,) = log.settle()[1]
    assert "others like it passed" in problem


def test_a_recursor_that_several_ask(log: Log) -> None:
    log.ask(RESOLVER, AUTH, 999, "lonely.example.net")
    log.act()
    testimony = settling.Testimony("gfw", log.frames, log.events, 0, 99)
    problems = settle(question(sharing=("sh",)), [testimony])[1]
    assert len(problems) == 2
    assert all("that address is bj and sh's" in problem for problem in problems)


def test_a_question_on_the_way_to_several(log: Log) -> None:
    log.ask(CLIENT, RESOLVER, 999, "example.net")
    log.act()
    (problem,) = log.settle()[1]
    assert "it may be clean or lonely" in problem


def test_two_targets_of_one_name_and_port(log: Log) -> None:
    asked = question({**TRUTHS, "clean": Truth(RESIDUAL, OK, by_log=True)})
    twin = Target("clean", "web", {"url": "http://lonely.example.net/other"}, {})
    asked = replace(asked, targets=tuple(twin if t.name == "clean" else t for t in asked.targets))
    log.open(ALONE, 4000, "lonely.example.net")
    log.act()
    problems = log.settle(asked)[1]
    assert len(problems) == 2
    assert all("it may be clean or lonely" in problem for problem in problems)


# Spans


def test_spans_of_activity() -> None:
    def policy(state: str, n: int) -> dict[str, Any]:
        return {"event": "policy", "state": state, "n": n}

    first = [{"event": "started"}, policy("idle", 0), policy("active", 10)]
    assert spans([*first, policy("idle", 30)], 40) == [(10, 30)]
    assert spans([*first, policy("active", 30), policy("idle", 35)], 40) == [(10, 30), (30, 35)]
    assert spans(first, 40) == [(10, 40)]
    assert spans(first[:2], 40) == []
