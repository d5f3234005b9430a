"""Addresses, names and ports."""

import pytest

from filterbed.probe.address import endpoint, literal, shown
from filterbed.probe.errors import TargetError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("www.site.net", None),
        ("1.2.3", None),
        ("", None),
    ],
)
def test_literal(text: str, expected: str | None) -> None:
    assert literal(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sip.site.net", ("sip.site.net", 5060)),
        ("sip.site.net:5080", ("sip.site.net", 5080)),
        ("192.0.2.1:53", ("192.0.2.1", 53)),
        ("2001:db8::1", ("2001:db8::1", 5060)),
        ("[2001:db8::1]", ("2001:db8::1", 5060)),
        ("[2001:db8::1]:99", ("2001:db8::1", 99)),
    ],
)
def test_endpoint(text: str, expected: tuple[str, int]) -> None:
    assert endpoint(text, 5060) == expected


@pytest.mark.parametrize("text", [":53", "a:b", "a:", "a:70000", "a:-1"])
def test_endpoint_refuses(text: str) -> None:
    with pytest.raises(TargetError, match="expected HOST"):
        endpoint(text, 5060)


def test_shown_brackets_only_what_needs_them() -> None:
    assert shown("2001:db8::1") == "[2001:db8::1]"
    assert shown("a.net") == "a.net"
