"""Conversations for the engine: say who says what when, and see what the censor does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from censor.engine.decision import Decision, Verdict
from censor.engine.engine import Engine
from censor.events import Event
from censor.policy.loader import load
from censor.wire import forge
from censor.wire.number import TcpFlag
from censor.wire.packet import Packet, parse

FIN, SYN, RST, PSH, ACK = (
    int(getattr(TcpFlag, name)) for name in ("FIN", "SYN", "RST", "PSH", "ACK")
)


def raw(text: str) -> bytes:
    from ipaddress import ip_address

    return ip_address(text).packed


@dataclass
class Talk:
    """One censor, and the conversations it overhears. `log` holds every decision."""

    document: Mapping[str, Any]
    seed: int = 0
    certain: bool = False
    client: str = "24.48.0.2"
    server: str = "93.184.216.34"
    now: float = 0.0
    log: list[tuple[float, str, Decision]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Engine(load(self.document), seed=self.seed, certain=self.certain)

    def give(self, packet: bytes, *, inside: bool = True, after: float = 0.01) -> Decision:
        self.now = round(self.now + after, 9)
        decision = self.engine.receive(packet, now=self.now, inside=inside)
        self.log.append((self.now, packet.hex(), decision))
        return decision

    def udp(
        self, payload: bytes, *, port: int = 53, sport: int = 40000, back: bool = False, **ip: Any
    ) -> Decision:
        ends = (self.server, self.client) if back else (self.client, self.server)
        ports = (port, sport) if back else (sport, port)
        header = forge.Ip(raw(ends[0]), raw(ends[1]), **ip)
        return self.give(forge.udp(header, *ports, payload), inside=not back)

    def connection(self, *, port: int = 80, sport: int = 50000, shake: bool = True) -> Tcp:
        tcp = Tcp(self, port, sport)
        if shake:
            tcp.shake()
        return tcp

    def words(self) -> list[str]:
        return [event.event for event in self.events()]

    def events(self) -> list[Event]:
        return [event for _, _, decision in self.log for event in decision.events]

    def verdicts(self) -> list[Verdict]:
        return [decision.verdict for _, _, decision in self.log]

    def forged(self, *, inward: bool | None = None) -> list[Packet]:
        found = []
        for _, _, decision in self.log:
            for injection in decision.injections:
                if inward is None or injection.inward is inward:
                    packet = parse(injection.data)
                    assert isinstance(packet, Packet)
                    assert packet.intact()
                    found.append(packet)
        return found

    def __str__(self) -> str:
        return "\n".join(
            f"{when:8.3f} {packet[:80]} -> {decision.verdict.value}"
            f" {[event.event for event in decision.events]}"
            for when, packet, decision in self.log
        )


@dataclass
class Tcp:
    """One connection of a talk: numbers are kept so that both ends would accept them."""

    talk: Talk
    port: int
    sport: int
    seq: int = 1000
    ack: int = 9000

    def segment(
        self, payload: bytes = b"", flags: int = ACK, *, back: bool = False, seq: int | None = None
    ) -> Decision:
        talk = self.talk
        ends = (talk.server, talk.client) if back else (talk.client, talk.server)
        ports = (self.port, self.sport) if back else (self.sport, self.port)
        numbers = (self.ack, self.seq) if back else (self.seq, self.ack)
        header = forge.Tcp(*ports, numbers[0] if seq is None else seq, numbers[1], flags, 500)
        packet = forge.tcp(forge.Ip(raw(ends[0]), raw(ends[1]), 57, 777), header, payload)
        decision = talk.give(packet, inside=not back)
        if seq is None:
            step = len(payload) + bool(flags & (SYN | FIN))
            if back:
                self.ack += step
            else:
                self.seq += step
        return decision

    def shake(self) -> Decision:
        self.segment(flags=SYN)
        self.segment(flags=SYN | ACK, back=True)
        return self.segment()

    def say(self, payload: bytes, *, back: bool = False) -> Decision:
        return self.segment(payload, PSH | ACK, back=back)


@pytest.fixture(name="Talk")
def talk_class() -> type[Talk]:
    return Talk


@pytest.fixture
def query() -> Any:
    """Make a DNS query's bytes."""

    def make(name: str, qtype: int = 1, number: int = 0x1234, flags: int = 0x0100) -> bytes:
        labels = b"".join(bytes([len(part)]) + part.encode() for part in name.split(".") if part)
        head = number.to_bytes(2, "big") + flags.to_bytes(2, "big") + b"\0\1\0\0\0\0\0\0"
        return head + labels + b"\0" + qtype.to_bytes(2, "big") + b"\0\1"

    return make


@pytest.fixture
def get() -> Any:
    """Make an HTTP request's bytes."""

    def make(host: str, *, path: str = "/", more: str = "") -> bytes:
        return f"GET {path} HTTP/1.1\r\nHost: {host}\r\n{more}\r\n".encode()

    return make


@pytest.fixture
def hello() -> Any:
    """Make a ClientHello as a real TLS library does, for a server name."""
    import ssl

    def make(name: str | None) -> bytes:
        context = ssl.create_default_context()
        context.check_hostname = False
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        side = context.wrap_bio(incoming, outgoing, server_hostname=name)
        with pytest.raises(ssl.SSLWantReadError):
            side.do_handshake()
        return outgoing.read()

    return make


@pytest.fixture
def invite() -> Any:
    """Make a SIP request's bytes."""

    def make(host: str, *, method: str = "REGISTER") -> bytes:
        return (
            f"{method} sip:{host} SIP/2.0\r\nVia: SIP/2.0/UDP 24.48.0.2:5060;branch=z9hG4bK1\r\n"
            f"From: <sip:a@{host}>;tag=1\r\nTo: <sip:a@{host}>\r\nCall-ID: 1\r\n"
            f"CSeq: 1 {method}\r\nContent-Length: 0\r\n\r\n"
        ).encode()

    return make


# --- policies that many conversations share ---------------------------------------------------


def _policy(*rules: Any, position: str = "on-path", **more: Any) -> dict[str, Any]:
    listed = [{"id": f"r{n}", **rule} for n, rule in enumerate(rules)]
    return {"position": position, "rules": listed, **more}


def _names(*suffixes: str) -> dict[str, Any]:
    return {"suffix": list(suffixes)}


_BLOCKED: dict[str, Any] = _names("blocked.example")
_POISON: dict[str, Any] = {
    "when": {"dns.name": _BLOCKED},
    "then": {"inject": "dns-answer", "addresses": ["8.7.198.45", "2001:db8::1"], "ttl": 99},
}
_HOST: dict[str, Any] = {"when": {"http.host": _BLOCKED}, "then": {"inject": "reset"}}
_SNI: dict[str, Any] = {"when": {"tls.sni": _BLOCKED}, "then": {"inject": "reset"}}
_PAGE: dict[str, Any] = {
    "when": {"http.host": _BLOCKED},
    "then": {"inject": "block-page", "body": "no" * 1000},
}
_CARRIERS: dict[str, Any] = {
    "when": {"sip.method": ["REGISTER", "INVITE"], "not": {"sip.host": _names("carrier.example")}},
    "then": {"drop": "packet"},
}


def _remembering(**residual: Any) -> dict[str, Any]:
    return {**_SNI, "then": {"inject": "reset", "residual": {"seconds": 90, **residual}}}


_EVERYTHING = _policy(
    _POISON, _remembering(on="any"), {**_HOST, "continue": True}, _PAGE, _CARRIERS,
    {"when": {"server.port": ["0-100"]}, "then": {"drop": "flow"}, "chance": 0.3},
    {"when": {"not": {"protocol": "udp"}}, "then": {"inject": "reset"}, "chance": 0.3},
    {"when": {"protocol": "tcp"}, "then": [{"rewrite": "reset"}, {"thin": 0.1}], "chance": 0.5},
    {"when": {"server.port": ["60-80"]}, "then": {"inject": "icmp-unreachable"}, "chance": 0.5},
    {"when": {"sip.method": ["INVITE"]}, "then": {"inject": "sip-response", "request": "pass"},
     "continue": True},
    {"when": {"sip.method": ["INVITE"]}, "then": [{"inject": "sip-cancel"}, {"inject": "sip-bye"}]},
    {"when": {"dns.name": {"substring": [""]}},
     "then": {"rewrite": "dns-answer", "addresses": ["::1", "1.2.3.4"], "otherwise": "a"}},
    {"when": {}, "then": [
        {"rewrite": "packet", "ttl": {"mirror": 9}, "spoil": True, "chance": 0.5},
        {"police": 800, "per": "pair", "chance": 0.5}, {"shape": 800, "per": "rule", "queue": 9},
        {"delay": 1, "jitter": 1, "chance": 0.5}, {"cut": {"packets": 9, "seconds": 99}, "for": 9},
    ]},
    position="in-path", limits={"flows": 8, "residual": 2, "give_up": 2, "held": 2},
)  # fmt: skip


@pytest.fixture(name="policy", scope="session")
def _policy_fixture() -> Any:
    """Make a policy of rules, which get ids."""
    return _policy


@pytest.fixture(name="names", scope="session")
def _names_fixture() -> Any:
    """Make a condition on names by their suffixes."""
    return _names


@pytest.fixture(name="BLOCKED", scope="session")
def _blocked_fixture() -> Any:
    """Return the condition on what is blocked."""
    return _BLOCKED


@pytest.fixture(name="POISON", scope="session")
def _poison_fixture() -> Any:
    """Return a rule that answers queries."""
    return _POISON


@pytest.fixture(name="HOST", scope="session")
def _host_fixture() -> Any:
    """Return a rule that resets requests."""
    return _HOST


@pytest.fixture(name="SNI", scope="session")
def _sni_fixture() -> Any:
    """Return a rule that resets ClientHellos."""
    return _SNI


@pytest.fixture(name="PAGE", scope="session")
def _page_fixture() -> Any:
    """Return a rule that answers requests."""
    return _PAGE


@pytest.fixture(name="CARRIERS", scope="session")
def _carriers_fixture() -> Any:
    """Return a rule that drops calls but toward a carrier."""
    return _CARRIERS


@pytest.fixture(name="remembering", scope="session")
def _remembering_fixture() -> Any:
    """Make a rule that leaves a memory."""
    return _remembering


@pytest.fixture(name="EVERYTHING", scope="session")
def _everything_fixture() -> Any:
    """Return a policy with nearly every act."""
    return _EVERYTHING
