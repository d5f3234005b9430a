"""Connections answered where nobody is: what a client is told, segment by segment."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6

from censor.engine.decision import Verdict
from censor.policy.problem import problems

NOBODY = "59.24.3.174"
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP
SPACE = 1 << 32


def document(position: str = "in-path", rule: Any = None, **act: Any) -> dict[str, Any]:
    when = {"server.address": [NOBODY, "2600::99"]}
    one = {"id": "r", "when": when, "then": {"inject": "impostor", **act}, **(rule or {})}
    return {"position": position, "rules": [one]}


class Client:
    """A client that keeps its numbers as RFC 9293 says, and checks those it is sent."""

    def __init__(self, talk: Any, sport: int = 50000, seq: int = SPACE - 3) -> None:
        self.talk, self.sport, self.seq, self.ack = talk, sport, seq, 0

    def send(self, flags: str, payload: bytes = b"", *, seq: int | None = None) -> list[TCP]:
        number = self.seq if seq is None else seq
        ack = self.ack if "A" in flags else 0
        tcp = TCP(sport=self.sport, dport=443, flags=flags, seq=number % SPACE, ack=ack)
        ends = {"src": self.talk.client, "dst": self.talk.server}
        ip = IPv6(**ends) if ":" in self.talk.server else IP(**ends)
        self.last = self.talk.give(bytes(ip / tcp / payload))
        if seq is None:
            self.seq = (self.seq + len(payload) + ("S" in flags) + ("F" in flags)) % SPACE
        kind = type(ip)
        packets = [kind(one.data) for one in self.last.injections]
        assert all(one.inward for one in self.last.injections)
        assert all((one.src, one.dst) == (ip.dst, ip.src) for one in packets)
        return [one[TCP] for one in packets]

    def shake(self) -> TCP:
        (answer,) = self.send("S")
        assert (str(answer.flags), answer.ack) == ("SA", self.seq)
        assert (answer.sport, answer.dport) == (443, self.sport)
        self.ack = (answer.seq + 1) % SPACE
        assert self.send("A") == []
        return answer


@pytest.fixture
def client(Talk: Any) -> Any:
    def make(position: str = "in-path", server: str = NOBODY, **act: Any) -> Client:
        talk = Talk(document(position, **act), server=server,
                    client="2600::2" if ":" in server else "24.48.0.2")  # fmt: skip
        return Client(talk)

    return make


def test_a_forged_address_shakes_hands_and_resets_the_first_data(client: Any, hello: Any) -> None:
    """Source: fact cn-dns-forged-ip-handshake."""
    one = client("on-path", profile="gfw-forged-address", chance=1.0)
    one.shake()
    one.talk.now += 31 * 60  # it never times out an idle connection
    said = hello("anything.example")
    (answer,) = one.send("PA", said[:400])
    assert (str(answer.flags), answer.seq, bytes(answer.payload)) == ("R", one.ack, b"")
    assert one.send("PA", said[400:]) == []  # a single RST
    assert {decision.verdict for _, _, decision in one.talk.log} == {ACCEPT}


def test_three_in_four_attempts_are_answered(Talk: Any) -> None:
    talk = Talk(document("on-path", profile="gfw-forged-address"), server=NOBODY)
    answered = 0
    for port in range(20000, 20400):
        one = Client(talk, port)
        first, again = one.send("S"), one.send("S", seq=one.seq - 1)
        assert len(first) == len(again)
        answered += len(first)
    assert 270 <= answered <= 330


@pytest.mark.parametrize("data", ["reset", "page", "nothing"])
def test_in_path_nothing_passes(client: Any, get: Any, data: str) -> None:
    one = client(data=data)
    one.shake()
    one.send("PA", get("a.example"))
    one.send("FA")
    one.send("R")
    assert one.talk.verdicts() == [DROP] * 5


def test_what_a_client_repeats_is_answered_alike(client: Any) -> None:
    one = client()
    (first,) = one.send("S")
    (again,) = one.send("S", seq=one.seq - 1)
    assert (first.seq, first.ack) == (again.seq, again.ack)
    one.ack = (first.seq + 1) % SPACE
    resets = [one.send("PA", b"hello", seq=one.seq) for _ in range(2)]
    assert [[reset.seq for reset in some] for some in resets] == [[one.ack]] * 2
    assert one.send("PA", b"more", seq=one.seq + 5) == []


def test_another_syn_begins_another_connection(client: Any) -> None:
    one = client()
    former = one.shake()
    one.seq = 77
    assert one.shake().seq != former.seq


def test_a_page_has_the_numbers_of_its_connection(client: Any, get: Any) -> None:
    """Source: fact ir-dns: a frame at the forged address."""
    body = '<iframe src="http://10.10.34.36">' + "x" * 3000
    one = client(data="page", status=403, body=body, ttl=99)
    one.shake()
    asked = get("blocked.example")
    half, rest = asked[:20], asked[20:]
    (waits,) = one.send("A", half)
    assert (str(waits.flags), waits.seq, waits.ack) == ("A", one.ack, one.seq)
    segments = one.send("PA", rest)
    place = one.ack
    for segment in segments:
        assert (segment.seq, segment.ack) == (place, one.seq)
        place = (place + len(segment.payload)) % SPACE
    text = b"".join(bytes(segment.payload) for segment in segments).decode()
    assert text.startswith("HTTP/1.1 403 Forbidden\r\n")
    assert text.endswith(body)
    assert [str(segment.flags) for segment in segments] == ["A", "A", "FPA"]
    again = one.send("PA", rest, seq=one.seq - len(rest))  # the page was lost
    assert [segment.seq for segment in again] == [segment.seq for segment in segments]
    one.ack = (place + 1) % SPACE
    assert one.send("A") == []
    (last,) = one.send("FA")
    assert (str(last.flags), last.seq, last.ack) == ("A", one.ack, one.seq)
    assert one.send("A") == []


@pytest.mark.parametrize(("ending", "flags", "more"), [("reset", "R", 0), ("fin-reset", "RA", 1)])
def test_a_page_may_end_in_a_reset(
    client: Any, get: Any, ending: str, flags: str, more: int
) -> None:
    one = client(data="page", body="no", then=ending, reset_flags=flags)
    one.shake()
    page, reset = one.send("PA", get("a.example"))
    assert str(page.flags) == ("FPA" if more else "PA")
    assert str(reset.flags) == flags
    assert reset.seq == (page.seq + len(page.payload) + more) % SPACE


def test_what_is_no_request_draws_no_page(client: Any, hello: Any) -> None:
    one = client(data="page", body="no")
    one.shake()
    for payload in (hello("a.example"), b"GET / HTTP/1.1\r\n\r\n", b"x" * 60000):
        (answer,) = one.send("PA", payload)
        assert (str(answer.flags), answer.ack) == ("A", one.seq)


def test_silence_takes_all_data_and_closes_with_its_client(client: Any) -> None:
    one = client(data="nothing", server="2600::99", window=5000)
    assert one.shake().window == 5000
    (answer,) = one.send("PA", b"a" * 100)
    assert (str(answer.flags), answer.seq, answer.ack) == ("A", one.ack, one.seq)
    (hole,) = one.send("PA", b"c" * 10, seq=one.seq + 10)
    assert hole.ack == one.seq
    (early,) = one.send("FA", seq=one.seq + 20)
    assert (str(early.flags), early.ack) == ("A", one.seq)
    (alive,) = one.send("A", seq=one.seq - 1)  # a keep-alive, RFC 1122 section 4.2.3.6
    assert (alive.seq, alive.ack) == (one.ack, one.seq)
    (last,) = one.send("FA", b"b" * 10)
    assert (str(last.flags), last.seq, last.ack) == ("FA", one.ack, one.seq)
    (repeated,) = one.send("FA", seq=one.seq - 1)
    assert (str(repeated.flags), repeated.seq) == ("A", (one.ack + 1) % SPACE)
    one.ack = (one.ack + 1) % SPACE
    assert one.send("A") == []


def test_nothing_is_said_to_what_is_no_client_s_part(client: Any) -> None:
    one = client()
    one.shake()
    for flags in ("R", "RA", "", "SA", "F"):
        assert one.send(flags, seq=one.seq) == [], flags
    back = IP(src=NOBODY, dst="24.48.0.2") / TCP(sport=443, dport=50000, flags="A")
    decision = one.talk.give(bytes(back), inside=False)
    assert (decision.verdict, decision.injections) == (ACCEPT, ())


def test_the_same_seed_says_the_same(client: Any) -> None:
    assert client().shake().seq == client().shake().seq


@settings(
    deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    data=st.sampled_from(["reset", "page", "nothing"]),
    said=st.lists(
        st.tuples(
            st.integers(0, 63),
            st.integers(-20, 20),
            st.sampled_from([b"", b"GET / HTTP/1.1\r\n", b"\r\n", b"\x16\x03", b"x" * 1400]),
        ),
        max_size=30,
    ),
)
def test_any_segments_are_met(Talk: Any, data: str, said: list[tuple[int, int, bytes]]) -> None:
    """No answer to a RST, none to what does not acknowledge, and none but the client's own."""
    talk = Talk(document(data=data), server=NOBODY)
    one = Client(talk)
    one.shake()
    for flags, shift, payload in said:
        letters = str(TCP(flags=flags).flags)
        answers = one.send(letters, payload, seq=one.seq + shift)
        assert one.last.verdict is DROP
        assert all(answer.dport == one.sport for answer in answers)
        if flags & 4 or not flags & 18:
            assert answers == []
        if data != "page":
            assert len(answers) <= 1


def test_it_is_for_handshakes_and_decided_once() -> None:
    def wrong(**rule: Any) -> list[Any]:
        return [problem.path[-1] for problem in problems(document(rule=rule))]

    assert wrong(when={"tls": True}) == ["inject"]
    assert wrong(when={"protocol": "udp"}) == ["inject"]
    assert wrong(chance=0.5) == ["inject"]
    assert wrong(chance={"of": 0.5, "per": "flow"}) == []
    (problem,) = problems(document(body="a page that is never served"))
    assert problem.path[-1] == "body"
