"""Initial keys, by the samples of RFC 9001 and RFC 9369, and by aioquic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from aioquic.quic.crypto import CryptoPair
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.quic_key import SAMPLE, SCHEDULES, V1, V2, derive

DATA = Path(__file__).parents[2] / "data"


@pytest.mark.parametrize(("version", "name"), [(V1, "rfc9001"), (V2, "rfc9369")])
@pytest.mark.parametrize("side", ["client", "server"])
def test_the_samples_of_the_standards(version: int, name: str, side: str) -> None:
    sample = json.loads((DATA / f"{name}.json").read_text())
    keys = derive(version, bytes.fromhex(sample["dcid"]), server=side == "server")
    for part in ("key", "iv", "hp"):
        assert getattr(keys, part).hex() == sample[f"{side}_{part}"], part


def test_the_mask_of_the_standard() -> None:
    keys = derive(V1, bytes.fromhex("8394c8f03e515708"))
    sample = bytes.fromhex("d1b1c98dd7689fb8ec11d242b123dc9b")
    for _ in range(2):  # it keeps nothing from one sample to the next
        assert keys.mask(sample).hex() == "437b9aec36"


@given(st.sampled_from(sorted(SCHEDULES)), st.binary(max_size=255), st.binary(min_size=1))
def test_what_aioquic_seals_is_opened(version: int, dcid: bytes, payload: bytes) -> None:
    header = bytes.fromhex("c0000000010000000000")  # the last byte is the packet number
    for client in (True, False):
        pair = CryptoPair()
        pair.setup_initial(dcid, is_client=client, version=version)
        payload += bytes(max(0, 4 + SAMPLE - len(payload)))
        sealed = pair.send.aead.encrypt(payload, header, 7)  # type: ignore[union-attr]
        keys = derive(version, dcid, server=not client)
        assert keys.open(7, header, sealed) == payload
        assert keys.open(8, header, sealed) is None
        assert keys.open(7, header + b"x", sealed) is None
        assert keys.open(7, header, sealed[:-1]) is None
        assert derive(version, dcid, server=client).open(7, header, sealed) is None


@pytest.mark.parametrize("size", [0, 1, 15, 16])
def test_too_little_to_open(size: int) -> None:
    assert derive(V1, b"").open(0, b"", b"x" * size) is None
