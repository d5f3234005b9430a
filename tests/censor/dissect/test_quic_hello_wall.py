"""What the Great Firewall reads of QUIC, as measured: USENIX Security 2025, fact cn-quic-sni."""

from __future__ import annotations

import pytest

from censor.dissect.quic import NotQuic
from censor.dissect.quic_hello import GFW, Gatherer
from censor.dissect.quic_key import V2
from censor.dissect.tls import ClientHello
from tests.censor.initial import crypto, make_hello, seal

PING = b"\1"
GOOGLE = make_hello("google.com")


@pytest.mark.parametrize(
    ("datagram", "seen"),
    [
        pytest.param(seal(crypto(0, GOOGLE), width=1), "google.com", id="1 one-byte number"),
        pytest.param(seal(crypto(0, GOOGLE), width=1)[:-1], None, id="2 last byte removed"),
        pytest.param(
            seal(crypto(0, GOOGLE)).replace(b"\0\0\0\1", b"\0\0\0\2", 1), None, id="3 version 2 bad"
        ),
        pytest.param(seal(crypto(0, GOOGLE), dcid=b"", scid=b""), "google.com", id="4 empty ids"),
        pytest.param(seal(crypto(0, GOOGLE), dcid=b"x" * 255), None, id="5 long id"),
        pytest.param(seal(crypto(0, GOOGLE, 0)), "google.com", id="6 CRYPTO of length 0"),
        pytest.param(seal(crypto(1, GOOGLE)), None, id="at another offset"),
        pytest.param(seal(b"\6\x80\0\0"), None, id="a cut offset"),
        pytest.param(seal(b"\6\0\x80\0"), None, id="a cut length"),
        pytest.param(
            seal(PING + b"\0" * 99 + crypto(0, GOOGLE) + b"\0" * 500 + PING * 3),
            None,
            id="8 PING and PADDING",
        ),
        pytest.param(
            seal(crypto(0, make_hello("cloudflare-ech.com"))),
            "cloudflare-ech.com",
            id="9 outer name",
        ),
        pytest.param(seal(crypto(0, GOOGLE), version=V2), None, id="10 QUIC version 2"),
    ],
)
def test_the_great_firewall_as_measured(datagram: bytes, seen: str | None) -> None:
    """Rows of table 3, USENIX Security 2025: what it read a name from (fact cn-quic-sni)."""
    found = Gatherer(GFW).feed(datagram)
    assert (found.server_name if isinstance(found, ClientHello) else None) == seen


def test_the_great_firewall_reads_no_name_elsewhere() -> None:
    """Row 7: the name in another extension."""
    found = Gatherer(GFW).feed(seal(crypto(0, make_hello("a.example", ["google.com"]))))
    assert isinstance(found, ClientHello)
    assert found.server_name == "a.example"


def test_the_great_firewall_misses_what_comes_later() -> None:
    """Neither post-quantum hellos over two datagrams, nor what follows any other datagram."""
    large = make_hello(alpn=[f"padding-{index:060d}" for index in range(22)])
    gatherer = Gatherer(GFW)
    assert isinstance(gatherer.feed(seal(crypto(0, large[:1_100]))), NotQuic)
    assert isinstance(gatherer.feed(seal(crypto(1_100, large[1_100:]))), NotQuic)
    gatherer = Gatherer(GFW)
    assert isinstance(gatherer.feed(b"\0" * 14), NotQuic)
    assert isinstance(gatherer.feed(seal(crypto(0, GOOGLE))), NotQuic)
