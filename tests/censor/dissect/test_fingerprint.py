"""JA3 and JA4 of published hellos, and of those that OpenSSL makes."""

from __future__ import annotations

import ssl
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.fingerprint import ja3, ja3_text, ja4
from censor.dissect.tls import ClientHello, dissect

GREASE = 0x2A2A


def numbers(text: str, base: int = 10) -> tuple[int, ...]:
    return tuple(int(one, base) for one in text.replace("-", ",").split(",") if one)


def vector(listed: tuple[int, ...]) -> bytes:
    raw = b"".join(one.to_bytes(2, "big") for one in listed)
    return len(raw).to_bytes(2, "big") + raw


def made(
    ciphers: tuple[int, ...],
    extensions: tuple[int, ...],
    *,
    version: int = 0x0303,
    versions: tuple[int, ...] = (),
    **blocks: bytes,
) -> ClientHello:
    held = dict.fromkeys(extensions, b"") | {int(key[1:]): value for key, value in blocks.items()}
    return ClientHello(None, (), versions or (version,), b"", ciphers, tuple(held), False, False,
                       1, 0, version=version, blocks=held)  # fmt: skip


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        ("769,47-53-5-10-49161-49162-49171-49172-50-56-19-4,0-10-11,23-24-25,0",
         "ada70206e40642a3e4461f35503241d5"),
        ("769,4-5-10-9-100-98-3-6-19-18-99,,,", "de350869b8c85de67a350c8d186f11e6"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("grease", [(), (GREASE,)])
def test_ja3_of_its_authors_examples(text: str, digest: str, grease: tuple[int, ...]) -> None:
    """Source: github.com/salesforce/ja3, README."""
    version, ciphers, extensions, groups, formats = text.split(",")
    blocks: dict[str, Any] = {}
    if groups:
        blocks["_10"] = vector(grease + numbers(groups))
        blocks["_11"] = bytes((1, int(formats)))
    hello = made(grease + numbers(ciphers), grease + numbers(extensions),
                 version=int(version), **blocks)  # fmt: skip
    assert ja3_text(hello) == text
    assert ja3(hello) == digest


CIPHERS = "1301,1302,1303,c02b,c02f,c02c,c030,cca9,cca8,c013,c014,009c,009d,002f,0035"
EXTENSIONS = "001b,0000,0033,0010,4469,0017,002d,000d,0005,0023,0012,002b,ff01,000b,000a,0015"
SIGNATURES = "0403,0804,0401,0503,0805,0501,0806,0601"
H2 = b"\0\x0c\x02h2\x08http/1.1"


def chrome(**more: Any) -> ClientHello:
    blocks = {"_13": vector(numbers(SIGNATURES, 16)), "_16": H2} | more
    return made(
        (GREASE, *numbers(CIPHERS, 16)), (GREASE, *numbers(EXTENSIONS, 16)),
        versions=(GREASE, 0x0304, 0x0303), **blocks,
    )  # fmt: skip


def test_ja4_of_its_authors_example() -> None:
    """Source: github.com/FoxIO-LLC/ja4, technical_details/JA4.md."""
    assert ja4(chrome()) == "t13d1516h2_8daaf6152771_e5627efa2ab1"
    assert ja4(chrome(), quic=True).startswith("q13d1516h2_")


@pytest.mark.parametrize(
    ("alpn", "shown"),
    [(b"\0\3\2h2", "h2"), (b"\0\2\1h", "hh"), (b"", "00"), (b"\0\3\2\xab\xcd", "ad"),
     (b"\0\3\2\x30\xab", "3b"), (b"\0\x09\x08http/1.1", "h1"), (b"\0\1\0", "00")],
)  # fmt: skip
def test_the_first_protocol_is_shown_by_its_ends(alpn: bytes, shown: str) -> None:
    """Source: the same page, "ALPN Extension Value"."""
    assert ja4(chrome(_16=alpn))[8:10] == shown


def test_what_is_not_there_is_nothing() -> None:
    assert ja4(made((), ())) == "t12i000000_000000000000_000000000000"
    assert ja4(made((), (), version=0x9999))[1:3] == "00"
    many = made(tuple(range(200)), ())
    assert ja4(many)[4:6] == "99"


@given(st.dictionaries(st.sampled_from([0, 10, 11, 13, 16, 43]), st.binary(max_size=12)))
def test_any_extensions_have_fingerprints(blocks: dict[int, bytes]) -> None:
    hello = made((1,), (), **{f"_{kind}": data for kind, data in blocks.items()})  # type: ignore[arg-type]
    assert len(ja3(hello)) == 32
    assert len(ja4(hello)) == 36


def test_a_real_hello_has_both() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    out = ssl.MemoryBIO()
    client = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="a.example")
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = dissect(out.read())
    assert isinstance(hello, ClientHello)
    assert ja4(hello).startswith("t13d")
    assert ja4(hello)[8:10] == "h2"
    assert ja3_text(hello).startswith("771,4866-")
