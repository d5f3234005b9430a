"""The fully-encrypted rule, against a plain reading of its published algorithm."""

from __future__ import annotations

import ssl
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.read.entropy import GFW, Exemption, Measure, Rule, exemption, measure

#: 4 bits a byte, 0 printable.
NOTHING = b"\x0f\xf0\x87\x96" * 25


def plainly(payload: bytes) -> set[Exemption]:
    """Apply the rules of fact cn-fet one by one, as they are written there."""
    printable = [0x20 <= byte <= 0x7E for byte in payload]
    bits = sum(bin(byte).count("1") for byte in payload) / len(payload)
    run = longest = 0
    for each in printable:
        run = run + 1 if each else 0
        longest = max(longest, run)
    tls = payload[:1] in (b"\x16", b"\x17") and payload[1:2] == b"\3" and payload[2:3] <= b"\x09"
    rules = {
        Exemption.POPCOUNT: bits <= 3.4 or bits >= 4.6,
        Exemption.PREFIX: len(payload) >= 6 and all(printable[:6]),
        Exemption.FRACTION: sum(printable) / len(payload) > 0.5,
        Exemption.RUN: longest > 20,
        Exemption.PROTOCOL: (tls and len(payload) > 2)
        or payload[:4] in (b"GET ", b"PUT ")
        or payload[:5] in (b"POST ", b"HEAD "),
    }
    return {kind for kind, holds in rules.items() if holds}


def agree(payload: bytes) -> None:
    found = exemption(payload)
    wanted = plainly(payload)
    assert found in wanted if wanted else found is None


@given(st.binary(min_size=1, max_size=300))
def test_arbitrary_payloads(payload: bytes) -> None:
    agree(payload)


@given(
    st.lists(
        st.one_of(
            st.sampled_from(
                [b"GET ", b"POST ", b"\x16\3\1", b"\x17\3\x0a", b"\xff", b"\0", NOTHING]
            ),
            st.integers(0, 30).map(lambda count: b"a" * count),
            st.binary(max_size=20),
        ),
        min_size=1,
        max_size=12,
    ).map(b"".join)
)
def test_likely_payloads(payload: bytes) -> None:
    if payload:
        agree(payload)


def test_random_payloads_are_mostly_suspected() -> None:
    luck = Random(3)
    payloads = [luck.randbytes(luck.randint(100, 1_400)) for _ in range(500)]
    for payload in payloads:
        agree(payload)
    assert sum(exemption(payload) is None for payload in payloads) > 480


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (b"", Exemption.EMPTY),
        (NOTHING, None),
        (b"\x80", Exemption.POPCOUNT),
        # exactly 3.4 and 4.6 bits a byte are exempt, a little inside is not
        (b"\x07" * 3 + b"\x0f" * 2, Exemption.POPCOUNT),
        (b"\x07" * 2 + b"\x0f" * 3, None),
        (b"\x1f" * 3 + b"\x0f" * 2, Exemption.POPCOUNT),
        (b"\x1f" * 2 + b"\x0f" * 3, None),
        (b"'''''" + NOTHING, None),
        (b"''''''" + NOTHING, Exemption.PREFIX),
        (NOTHING[:50] + b"'\xf0" * 50 + b"'" * 21, Exemption.RUN),
        (NOTHING[:50] + b"'\xf0" * 50 + b"'" * 20, None),
        (b"\xf0'" * 50, None),
        (b" ~ ~ ~" + NOTHING, Exemption.PREFIX),
        (b" ~\x7f ~ ~ ~\x1f" + NOTHING, None),
        (b"\xf0'" * 50 + b"'", Exemption.FRACTION),
        (b"\x16\3\0" + NOTHING, Exemption.PROTOCOL),
        (b"\x17\3\x09" + NOTHING, Exemption.PROTOCOL),
        (b"\x17\3\x0a" + NOTHING, None),
        (b"\x16\3\1", Exemption.PROTOCOL),
        (b"\x17\3", Exemption.POPCOUNT),
        (b"\x16", Exemption.POPCOUNT),
        (b"\x15\3\1" + NOTHING, None),
        (b"\x16\2\1" + NOTHING, None),
        (b"GET " + NOTHING, Exemption.PROTOCOL),
        (b"PUT " + NOTHING, Exemption.PROTOCOL),
        (b"POST " + NOTHING, Exemption.PROTOCOL),
        (b"HEAD " + NOTHING, Exemption.PROTOCOL),
        (b"POST" + NOTHING, None),
        (b"get " + NOTHING, None),
    ],
)
def test_every_boundary(payload: bytes, expected: Exemption | None) -> None:
    assert exemption(payload) is expected


def test_tls_and_http_pass() -> None:
    out = ssl.MemoryBIO()
    client = ssl.create_default_context().wrap_bio(
        ssl.MemoryBIO(), out, server_hostname="a.example"
    )
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    assert exemption(out.read()) is Exemption.PROTOCOL
    assert exemption(b"OPTIONS * HTTP/1.1\r\nHost: a.example\r\n\r\n") is not None
    assert exemption(b"SSH-2.0-OpenSSH_9.2p1\r\n") is not None


@pytest.mark.parametrize(
    ("rule", "payload", "expected"),
    [
        (Rule(sparse=4.0), NOTHING, Exemption.POPCOUNT),
        (Rule(dense=4.0), NOTHING, Exemption.POPCOUNT),
        (Rule(prefix=0), NOTHING, Exemption.PREFIX),
        (Rule(prefix=7), b"''''''" + NOTHING, None),
        (Rule(fraction=0.49), b"\xf0'" * 50, Exemption.FRACTION),
        (Rule(run=2), NOTHING + b"'''", Exemption.RUN),
        (Rule(tls_minor=15), b"\x17\3\x0f" + NOTHING, Exemption.PROTOCOL),
        (Rule(tls_types=frozenset((0x15,))), b"\x15\3\1" + NOTHING, Exemption.PROTOCOL),
        (Rule(words=(b"\x0f",)), NOTHING, Exemption.PROTOCOL),
        (Rule(words=()), b"GET " + NOTHING, None),
    ],
)
def test_every_number_is_data(rule: Rule, payload: bytes, expected: Exemption | None) -> None:
    assert exemption(payload, rule) is expected


def test_measures() -> None:
    assert measure(b"") == Measure(0.0, 0, 0.0, 0)
    assert measure(b"abc\xff\xff") == Measure(26 / 5, 3, 0.6, 3)
    assert measure(b"\xff" + b"\x7f" * 3) == Measure(29 / 4, 0, 0.0, 0)
    assert Rule() == GFW


@given(st.binary(max_size=200))
def test_measures_agree_with_the_rule(payload: bytes) -> None:
    found = measure(payload)
    if exemption(payload) is None:
        assert 3.4 < found.bits < 4.6
        assert found.prefix < 6
        assert found.fraction <= 0.5
        assert found.run <= 20
