"""ClientHellos in QUIC Initials: the standards' samples, aioquic's clients, and chaos by hand.

What is made by hand is sealed by aioquic, so that our own keys are never their own witness.
"""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from random import Random
from typing import Any

import pytest
from aioquic.quic.packet import decode_packet_number
from hypothesis import given, settings
from hypothesis import strategies as st

from censor.dissect import tls
from censor.dissect.mosaic import LIMIT
from censor.dissect.outcome import Incomplete
from censor.dissect.quic import Header, Kind, NotQuic, read_header
from censor.dissect.quic_hello import CAREFUL, GFW, Gatherer, Habit, unseal
from censor.dissect.quic_key import V1, V2, derive
from censor.dissect.tls import ClientHello
from tests.censor.initial import NAME, connect, crypto, make_hello, seal

DATA = Path(__file__).parents[2] / "data"
SAMPLES: dict[int, dict[str, Any]] = {
    version: json.loads((DATA / f"{name}.json").read_text())
    for version, name in ((V1, "rfc9001"), (V2, "rfc9369"))
}
VERSIONS = sorted(SAMPLES)
PING = b"\1"
ACK = b"\2\x05\0\1\x02\0\1"
ACK_ECN = b"\3\x05\0\0\x02\7\7\7"
CLOSE = b"\x1c\0\0\0"


def sample(version: int, name: str) -> bytes:
    return bytes.fromhex(SAMPLES[version][name])


HELLO = make_hello()
#: As large as those with post-quantum keys, its name behind the bulk.
LARGE = make_hello(alpn=[f"padding-{index:060d}" for index in range(22)])
assert 1_700 < len(LARGE) < 2_200


def gathered(datagrams: list[bytes], habit: Habit = CAREFUL) -> ClientHello:
    """Feed datagrams, of which only the last may complete a ClientHello."""
    gatherer = Gatherer(habit)
    for datagram in datagrams[:-1]:
        assert not isinstance(gatherer.feed(datagram), ClientHello)
    found = gatherer.feed(datagrams[-1])
    assert isinstance(found, ClientHello), found
    assert gatherer.finished
    return found


def expected(message: bytes) -> ClientHello:
    """Return what the TLS dissector says of the same message in a record."""
    found = tls.dissect(b"\x16\3\1" + len(message).to_bytes(2, "big") + message)
    assert isinstance(found, ClientHello)
    return found


def alike(ours: ClientHello, theirs: ClientHello) -> bool:
    names = ("server_name", "alpn", "versions", "session_id", "ciphers", "extensions", "ech")
    return all(getattr(ours, name) == getattr(theirs, name) for name in names)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_samples_of_the_standards(version: int) -> None:
    found = gathered([sample(version, "client_initial")])
    assert (found.server_name, found.alpn, found.versions) == ("example.com", ("alpn",), (0x0304,))
    assert (found.ciphers, found.records, found.length) == ((0x1301, 0x1302), 0, 0xED + 4)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("side", "number"), [("client", 2), ("server", 1)])
def test_both_directions_of_the_samples_can_be_opened(version: int, side: str, number: int) -> None:
    datagram = sample(version, f"{side}_initial")
    header = read_header(datagram)
    assert isinstance(header, Header)
    keys = derive(version, sample(version, "dcid"), server=side == "server")
    opened = unseal(datagram, header, keys, -1)
    assert opened is not None
    assert opened[0] == number
    assert opened[1].rstrip(b"\0") == sample(version, f"{side}_frames").rstrip(b"\0")


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", [NAME, "xn--fiqs8s.example", None])
def test_what_aioquic_clients_send(version: int, name: str | None) -> None:
    for _ in range(5):  # connection ids differ each time
        found = gathered(connect(version, name, token=b"t" * 70)[:1])
        assert (found.server_name, found.alpn) == (name, ("h3",))


@pytest.mark.parametrize("version", VERSIONS)
def test_large_hellos_of_aioquic_come_in_several_datagrams(version: int) -> None:
    alpn = [f"padding-{index:060d}" for index in range(22)]
    datagrams = connect(version, alpn=alpn)
    assert len(datagrams) > 1
    found = gathered(datagrams)
    assert (found.server_name, len(found.alpn)) == (NAME, 22)
    assert gathered(datagrams[::-1]) == found


@given(
    st.sampled_from(VERSIONS),
    st.binary(max_size=20),
    st.binary(max_size=20),
    st.integers(1, 4),
    st.binary(max_size=80),
)
@settings(deadline=None)
def test_any_ids_number_widths_and_tokens(
    version: int, dcid: bytes, scid: bytes, width: int, token: bytes
) -> None:
    datagram = seal(
        crypto(0, HELLO), version=version, dcid=dcid, scid=scid, width=width, token=token
    )
    gatherer = Gatherer()
    found = gatherer.feed(datagram)
    assert isinstance(found, ClientHello)
    assert alike(found, expected(HELLO))
    assert gatherer.header is not None
    assert (gatherer.header.dcid, gatherer.header.scid) == (dcid, scid)
    assert (gatherer.header.token, gatherer.header.version) == (token, version)


@given(
    st.sampled_from(VERSIONS),
    st.sampled_from([HELLO, LARGE]),
    st.sets(st.integers(1, len(HELLO) - 1), max_size=12),
    st.randoms(use_true_random=False),
    st.integers(1, 5),
    st.sampled_from(["first", "last"]),
)
@settings(deadline=None)
def test_chaos(
    version: int, message: bytes, cuts: set[int], luck: Random, count: int, overlap: Any
) -> None:
    """CRYPTO cut anywhere, repeated, shuffled, with PADDING, PING and ACK between, as Chrome."""
    spans = list(pairwise(sorted({0, len(message), *cuts})))
    for _ in range(3):
        start = luck.randrange(len(message))
        spans.append((start, luck.randint(start, len(message))))
    luck.shuffle(spans)
    fillers = [PING, b"\0" * luck.randint(0, 40), ACK, ACK_ECN, b""]
    payloads = [b"" for _ in range(count)]
    for start, stop in spans:
        at = luck.randrange(count)
        payloads[at] += luck.choice(fillers) + crypto(start, message[start:stop])
    datagrams = [seal(each, version=version, number=n) for n, each in enumerate(payloads)]
    luck.shuffle(datagrams)
    gatherer = Gatherer(Habit(overlap=overlap))
    answers = [gatherer.feed(datagram) for datagram in datagrams]
    found = answers[-1]
    assert isinstance(found, ClientHello), answers
    assert alike(found, expected(message))


def test_it_says_what_it_lacks() -> None:
    gatherer = Gatherer()
    assert gatherer.feed(seal(PING)) == Incomplete(4)
    assert gatherer.feed(seal(crypto(2, HELLO[2:100]))) == Incomplete(4)
    assert gatherer.feed(seal(crypto(0, HELLO[:2]))) == Incomplete(len(HELLO) - 100)
    assert isinstance(gatherer.feed(seal(crypto(100, HELLO[100:]))), ClientHello)


def test_coalesced_initials() -> None:
    first = seal(crypto(0, HELLO[:99]), number=0)
    handshake = seal(b"\0" * 50, kind=2)
    second = seal(crypto(99, HELLO[99:]), number=1)
    assert alike(gathered([first + handshake + second + b"\0" * 300]), expected(HELLO))
    early = seal(b"\0" * 90, kind=1)
    assert alike(gathered([first + early, second]), expected(HELLO))


def test_later_packet_numbers_are_made_whole() -> None:
    first = seal(crypto(0, HELLO[:9]), number=0xFFFE, width=2)
    second = seal(crypto(9, HELLO[9:]), number=0x1_0001, width=1)
    assert alike(gathered([first, second]), expected(HELLO))
    assert alike(gathered([seal(b"", number=0xFE, width=1), first + second]), expected(HELLO))


@given(st.integers(0, 1 << 20), st.integers(1, 4), st.integers(-300, 300))
@settings(deadline=None)
def test_numbers_are_made_whole_as_aioquic_does(number: int, width: int, ahead: int) -> None:
    largest = max(number + ahead, -1)
    datagram = seal(PING, number=number, width=width)
    header = read_header(datagram)
    assert isinstance(header, Header)
    shown = number & (1 << width * 8) - 1
    theirs = decode_packet_number(shown, width * 8, largest + 1)
    opened = unseal(datagram, header, derive(V1, b"destined"), largest)
    assert opened == ((number, PING + b"\0" * 3) if theirs == number else None)


def test_the_server_s_id_is_taken_over() -> None:
    """Once the server answered, the client uses its id, and still the first keys."""
    first = seal(crypto(0, LARGE[:1_100]))
    second = seal(crypto(1_100, LARGE[1_100:]), dcid=b"chosen", origin=b"destined", number=1)
    assert alike(gathered([first, second]), expected(LARGE))


def test_a_retry_begins_anew() -> None:
    before = seal(crypto(0, LARGE[:1_100]))
    again = seal(crypto(0, LARGE[:1_000]), dcid=b"retried", token=b"token")
    rest = seal(crypto(1_000, LARGE[1_000:]), dcid=b"retried", token=b"token", number=1)
    assert alike(gathered([before, again, rest]), expected(LARGE))


def test_a_version_may_change_on_the_way() -> None:
    """RFC 9369 section 4: the server picks version 2, the keys come from the first id."""
    first = seal(crypto(0, LARGE[:1_100]))
    second = seal(
        crypto(1_100, LARGE[1_100:]), version=V2, dcid=b"chosen", origin=b"destined", number=1
    )
    assert alike(gathered([first, second]), expected(LARGE))


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"x" * 1_200,
        b"\x40" + b"x" * 60,
        seal(crypto(0, HELLO))[:-1],
        seal(crypto(0, HELLO), kind=1),
        seal(crypto(0, HELLO), kind=2),
        seal(crypto(0, HELLO), client=False),
        seal(crypto(0, HELLO), origin=b"another"),
        seal(crypto(0, HELLO), version=0xFF00001D),
        b"\xc0\0\0\0\1\0\0\0\x13" + b"x" * 19,
    ],
)
def test_what_brings_nothing_and_does_no_harm(datagram: bytes) -> None:
    gatherer = Gatherer()
    assert isinstance(gatherer.feed(datagram), NotQuic)
    assert isinstance(gatherer.feed(seal(crypto(0, HELLO[:90]))), Incomplete)
    assert isinstance(gatherer.feed(datagram), NotQuic)
    assert not gatherer.finished
    assert isinstance(gatherer.feed(seal(crypto(90, HELLO[90:]), number=1)), ClientHello)
    assert isinstance(gatherer.feed(datagram), ClientHello)


@pytest.mark.parametrize(
    "frames",
    [
        CLOSE + crypto(0, HELLO),
        b"\x08" + crypto(0, HELLO),
        crypto(0, HELLO, len(HELLO) + 40),
        b"\2\x05\0\x3f\x02\0\1" + crypto(0, HELLO),
        crypto(0, HELLO)[:2],
        crypto(LIMIT, HELLO),
        crypto((1 << 62) - 1, HELLO),
    ],
)
def test_frames_that_cannot_be_read(frames: bytes) -> None:
    datagram = seal(b"\0" * 4 + frames)
    assert isinstance(Gatherer().feed(datagram), Incomplete)


@pytest.mark.parametrize(
    "message", [b"\2\0\0\1x", b"\1\0\0\0", b"\1" + (LIMIT + 1).to_bytes(3, "big")]
)
def test_messages_that_are_no_client_hello(message: bytes) -> None:
    assert isinstance(Gatherer().feed(seal(crypto(0, message))), NotQuic)


def test_it_gives_up_after_so_many_datagrams() -> None:
    part = seal(crypto(0, HELLO[:90]))
    whole = seal(crypto(0, HELLO))
    gatherer = Gatherer(Habit(datagrams=3))
    assert isinstance(gatherer.feed(part), Incomplete)
    assert isinstance(gatherer.feed(b"junk"), NotQuic)
    assert not gatherer.finished
    assert isinstance(gatherer.feed(part), NotQuic)
    assert gatherer.finished
    assert isinstance(gatherer.feed(whole), NotQuic)
    assert gatherer.datagrams == 3
    assert gathered([part, part, whole], Habit(datagrams=3)).server_name == NAME


def test_habits() -> None:
    whole = seal(crypto(0, HELLO))
    padded = seal(crypto(0, HELLO)).ljust(1_200, b"\0")
    assert Habit().smallest == 0
    second = seal(crypto(0, HELLO), version=V2)
    assert isinstance(Gatherer(Habit(smallest=1_200)).feed(whole), NotQuic)
    assert isinstance(Gatherer(Habit(smallest=1_200)).feed(padded[:-1]), NotQuic)
    assert isinstance(Gatherer(Habit(smallest=1_200)).feed(padded), ClientHello)
    assert isinstance(Gatherer(Habit(versions=frozenset((V1,)))).feed(second), NotQuic)
    assert isinstance(Gatherer(Habit(versions=frozenset((9,)))).feed(whole), NotQuic)
    end = HELLO.index(NAME.encode()) + len(NAME)
    part = seal(crypto(0, HELLO[:end]))
    assert gathered([part], Habit(partial=True)).server_name == NAME
    parts = [seal(crypto(0, HELLO[:90])), seal(crypto(90, HELLO[90:]))]
    alone = Gatherer(Habit(reassemble=False))
    assert not any(isinstance(alone.feed(each), ClientHello) for each in parts)
    assert isinstance(alone.feed(b"".join(parts)), ClientHello)


def test_an_overlap_is_read_as_told() -> None:
    decoy = make_hello("www.innocent.com"[: len(NAME)].ljust(len(NAME), "x"))
    assert len(decoy) == len(HELLO)
    datagram = seal(crypto(0, HELLO[:-1]) + crypto(0, decoy[:-1]) + crypto(len(HELLO) - 1, b""))
    end = seal(crypto(len(HELLO) - 1, HELLO[-1:]))
    first = gathered([datagram, end], Habit(overlap="first"))
    last = gathered([datagram, end], Habit(overlap="last"))
    assert first.server_name == NAME
    assert last.server_name == expected(decoy).server_name != NAME


@given(st.lists(st.binary(max_size=200), max_size=20), st.booleans())
def test_arbitrary_datagrams_are_answered(datagrams: list[bytes], likely: bool) -> None:
    for habit in (CAREFUL, GFW):
        gatherer = Gatherer(habit)
        for datagram in datagrams:
            found = gatherer.feed((b"\xc0\0\0\0\1" if likely else b"") + datagram)
            assert isinstance(found, (ClientHello, Incomplete, NotQuic))


@given(st.lists(st.binary(max_size=200), max_size=4), st.binary(max_size=60))
@settings(deadline=None)
def test_arbitrary_frames_are_answered(payloads: list[bytes], body: bytes) -> None:
    for habit in (CAREFUL, GFW):
        gatherer = Gatherer(habit)
        for payload in (*payloads, crypto(0, b"\1\0\0" + bytes((len(body),)) + body)):
            found = gatherer.feed(seal(payload))
            assert isinstance(found, (ClientHello, Incomplete, NotQuic))


@pytest.mark.parametrize("version", VERSIONS)
def test_prefixes_and_changes_are_answered(version: int) -> None:
    whole = seal(crypto(0, HELLO), version=version)
    for size in range(len(whole)):
        assert isinstance(Gatherer().feed(whole[:size]), NotQuic)
        assert isinstance(Gatherer().feed(whole[:size] + b"\xff" * 40), NotQuic)
        changed = whole[:size] + bytes((whole[size] ^ 0x55,)) + whole[size + 1 :]
        assert isinstance(Gatherer().feed(changed), NotQuic)
    assert isinstance(Gatherer().feed(whole + b"\xff" * 40), ClientHello)


def test_kinds_other_than_initials_are_named() -> None:
    found = Gatherer().feed(seal(b"\0" * 30, kind=2))
    assert isinstance(found, NotQuic)
    assert Kind.HANDSHAKE.value in found.reason
