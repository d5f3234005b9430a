"""Long headers, of the standards' samples, aioquic's clients and servers, and by hand."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aioquic._buffer import Buffer
from aioquic.buffer import encode_uint_var
from aioquic.quic.configuration import QuicConfiguration
from aioquic.quic.connection import QuicConnection
from aioquic.quic.packet import encode_quic_retry, encode_quic_version_negotiation, pull_quic_header
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.quic import (
    ID_LIMIT,
    PACKET_LIMIT,
    VERSION_LIMIT,
    Header,
    Kind,
    NotQuic,
    dissect,
    read_header,
)
from censor.dissect.quic_key import V1, V2

DATA = Path(__file__).parents[2] / "data"
SAMPLES: dict[int, dict[str, Any]] = {
    version: json.loads((DATA / f"{name}.json").read_text())
    for version, name in ((V1, "rfc9001"), (V2, "rfc9369"))
}
VERSIONS = sorted(SAMPLES)


def header(datagram: bytes, start: int = 0) -> Header:
    found = read_header(datagram, start)
    assert isinstance(found, Header), found
    return found


def sample(version: int, name: str) -> bytes:
    return bytes.fromhex(SAMPLES[version][name])


def vector(data: bytes) -> bytes:
    return bytes((len(data),)) + data


def craft(
    first: int,
    version: int = V1,
    dcid: bytes = b"d" * 8,
    scid: bytes = b"s" * 4,
    token: bytes | None = b"",
    body: bytes = b"b" * 30,
) -> bytes:
    """Build a packet by hand; without a token it is no Initial."""
    made = bytes((first,)) + version.to_bytes(4, "big") + vector(dcid) + vector(scid)
    if token is not None:
        made += encode_uint_var(len(token)) + token
    return made + encode_uint_var(len(body)) + body


@pytest.mark.parametrize("version", VERSIONS)
def test_the_samples_of_the_standards(version: int) -> None:
    found = header(sample(version, "client_initial"))
    assert (found.kind, found.version, found.fixed) == (Kind.INITIAL, version, True)
    assert (found.dcid.hex(), found.scid, found.token) == ("8394c8f03e515708", b"", b"")
    assert (found.start, found.number, found.end) == (0, 18, 1_200)
    found = header(sample(version, "server_initial"))
    assert (found.kind, found.dcid, found.scid.hex()) == (Kind.INITIAL, b"", "f067a5502a4262b5")
    assert (found.number, found.end) == (18, 135)
    found = header(sample(version, "retry"))
    assert (found.kind, found.token, found.end) == (Kind.RETRY, b"token", 36)


@pytest.mark.parametrize(
    ("version", "bits", "kind"),
    [
        (V1, 0, Kind.INITIAL),
        (V1, 1, Kind.ZERO_RTT),
        (V1, 2, Kind.HANDSHAKE),
        (V2, 1, Kind.INITIAL),
        (V2, 2, Kind.ZERO_RTT),
        (V2, 3, Kind.HANDSHAKE),
    ],
)
def test_kinds_by_version(version: int, bits: int, kind: Kind) -> None:
    token = b"tok" if kind is Kind.INITIAL else None
    found = header(craft(0xC0 | bits << 4, version, token=token))
    assert (found.kind, found.token) == (kind, token or b"")
    assert found.end - found.number == 30


@pytest.mark.parametrize("version", VERSIONS)
def test_what_aioquic_says_of_its_own(version: int) -> None:
    configuration = QuicConfiguration(is_client=True, server_name="a.example")
    configuration.original_version = version
    configuration.supported_versions = [version]
    configuration.token = b"t" * 77
    client = QuicConnection(configuration=configuration)
    client.connect(("192.0.2.1", 443), now=0.0)
    for datagram, _ in client.datagrams_to_send(now=0.0):
        theirs = pull_quic_header(Buffer(data=datagram))
        ours = header(datagram)
        assert (ours.version, ours.dcid) == (theirs.version, theirs.destination_cid)
        assert (ours.scid, ours.token) == (theirs.source_cid, theirs.token)
        assert ours.end == theirs.packet_length
        assert not datagram[ours.end :].strip(b"\0")  # aioquic pads behind the packet


def test_a_retry_of_aioquic() -> None:
    made = encode_quic_retry(V2, b"s" * 8, b"d" * 3, b"orig", b"token" * 9)
    found = header(made)
    assert (found.kind, found.token) == (Kind.RETRY, b"token" * 9)
    assert isinstance(read_header(made[: 1 + 4 + 1 + 3 + 1 + 8 + 15]), NotQuic)


def test_a_version_negotiation_of_aioquic() -> None:
    made = encode_quic_version_negotiation(b"s" * 30, b"d" * 40, [V1, V2])
    found = header(made)
    assert (found.kind, found.version, found.versions) == (Kind.NEGOTIATION, 0, (V1, V2))
    assert (found.scid, found.dcid) == (b"s" * 30, b"d" * 40)
    assert isinstance(read_header(made[:-8]), NotQuic)
    many = encode_quic_version_negotiation(b"", b"", [V1] * 9_000)
    assert len(header(many).versions) == VERSION_LIMIT


def test_unknown_versions_show_what_never_changes() -> None:
    found = header(craft(0xFF, 0xBABABABA, b"d" * 200, b"s" * 50))
    assert (found.kind, found.version) == (Kind.OTHER, 0xBABABABA)
    assert (found.dcid, found.scid, found.token) == (b"d" * 200, b"s" * 50, b"")


@pytest.mark.parametrize("version", VERSIONS)
def test_connection_ids_are_bounded_where_the_version_bounds_them(version: int) -> None:
    first = 0xC0 if version == V1 else 0xD0
    longest = b"i" * ID_LIMIT
    assert header(craft(first, version, longest, longest)).dcid == longest
    assert isinstance(read_header(craft(first, version, longest + b"i")), NotQuic)
    assert isinstance(read_header(craft(first, version, b"", longest + b"i")), NotQuic)


def test_the_shortest_headers() -> None:
    found = header(b"\xff\xba\xba\xba\xba\0\0")
    assert (found.kind, found.dcid, found.scid, found.number) == (Kind.OTHER, b"", b"", 7)
    found = header(b"\xf0\0\0\0\1\0\0" + b"t" * 16)
    assert (found.kind, found.token) == (Kind.RETRY, b"")


def test_a_greased_bit_is_told() -> None:
    assert not header(craft(0x80)).fixed


def test_a_cut_packet_ends_beyond_its_datagram() -> None:
    whole = craft(0xC0)
    assert header(whole[:-1]).end == len(whole)


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"\xc0",
        b"\xc0\0\0\0\1\0",
        b"\x40" + b"x" * 50,
        b"\xc0\0\0\0\1\x09" + b"d" * 9,
        b"\xc0\0\0\0\1\0\x05ssss",
        b"\xc0\0\0\0\1\0\0",
        b"\xc0\0\0\0\1\0\0\x05tok",
        b"\xc0\0\0\0\1\0\0\x40",
        b"\xc0\0\0\0\1\0\0\0",
        b"\xc0\0\0\0\1\0\0\0\x80",
        b"\xc0\0\0\0\1\0\0" + b"\xff" * 8,
    ],
)
def test_what_is_no_long_header(datagram: bytes) -> None:
    assert isinstance(read_header(datagram), NotQuic)
    assert isinstance(dissect(datagram), NotQuic)


def test_coalesced_packets() -> None:
    packets = [
        craft(0xC0),
        craft(0xD0, token=None),
        craft(0xE0, token=None, body=b"x" * 300),
    ]
    found = dissect(b"".join(packets) + b"\x40short")
    assert isinstance(found, tuple)
    assert [each.kind for each in found] == [Kind.INITIAL, Kind.ZERO_RTT, Kind.HANDSHAKE]
    ends = [len(packets[0]), len(packets[0] + packets[1]), len(b"".join(packets))]
    assert [each.end for each in found] == ends
    assert [each.start for each in found] == [0, *ends[:-1]]


def test_packets_to_another_connection_are_passed_over() -> None:
    found = dissect(craft(0xC0) + craft(0xC0, dcid=b"other") + craft(0xC0, token=b"mine"))
    assert isinstance(found, tuple)
    assert [each.token for each in found] == [b"", b"mine"]


def test_junk_behind_a_packet_is_ignored() -> None:
    for junk in (b"\0" * 500, b"\xff" * 500, b"\x80", b"\xc0\0\0\0\1"):
        found = dissect(craft(0xC0) + junk)
        assert isinstance(found, tuple)
        assert found[0].kind is Kind.INITIAL


def test_only_so_many_packets_are_looked_at() -> None:
    found = dissect(craft(0xC0, body=b"") * 5_000)
    assert isinstance(found, tuple)
    assert len(found) == PACKET_LIMIT


@given(st.binary(max_size=200), st.integers(0, 220), st.booleans())
def test_arbitrary_bytes_are_answered(data: bytes, start: int, likely: bool) -> None:
    if likely:
        data = b"\xc0\0\0\0\1" + data
    assert isinstance(read_header(data, start), (Header, NotQuic))
    found = dissect(data)
    assert isinstance(found, (tuple, NotQuic))


@pytest.mark.parametrize("version", VERSIONS)
def test_prefixes_and_changes_are_answered(version: int) -> None:
    whole = sample(version, "client_initial")
    for size in range(60):
        for junk in (b"", b"\0", b"\xff" * 40):
            read_header(whole[:size] + junk)
    for place in range(24):
        for byte in range(256):
            dissect(whole[:place] + bytes((byte,)) + whole[place + 1 :])
