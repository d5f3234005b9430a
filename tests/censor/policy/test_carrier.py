"""What carries messages is what the policy says, or else what the protocols say."""

from __future__ import annotations

import pytest

from censor.policy.carrier import SIGNED, borne, carriers_of, section


@pytest.mark.parametrize(
    ("document", "topic", "carriers"),
    [
        ({}, "quic", ("udp",)),
        ({}, "http", ("tcp",)),
        ({}, "sip", ("udp", "tcp")),
        ({"sip": {"over": ["tcp"]}}, "sip", ("tcp",)),
        ({"sip": "all"}, "sip", ("udp", "tcp")),
        ({}, "no-such", ()),
    ],
)
def test_carriers(document: dict[str, object], topic: str, carriers: tuple[str, ...]) -> None:
    assert carriers_of(document, topic) == carriers


def test_a_section_that_is_none_is_empty() -> None:
    assert section({"tls": [1]}, "tls") == {}
    assert section({"tls": {"ports": [1]}}, "tls") == {"ports": [1]}


def test_applications_have_their_own() -> None:
    assert SIGNED["skype-udp"] == ("udp",)
    assert borne({}, "signature", {"signature": ["skype-udp"]}) == ("udp",)
    assert borne({}, "signature", {"signature": ["viber-tcp", "viber-udp"]}) == ("udp", "tcp")
    assert borne({}, "tls", {"tls": True}) == ("tcp",)
