"""Small values: what is taken, and what is made of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from scenarios import value


def taken(kind: Any, given: Any) -> Any:
    return TypeAdapter(kind).validate_python(given, strict=True)


@pytest.mark.parametrize(
    ("kind", "given", "result"),
    [
        (value.Domain, "xn--bcher-kva.example.org", "xn--bcher-kva.example.org"),
        (value.Address, "2001:4860:0:0::8888", "2001:4860::8888"),
        (value.AnyAddress, "10.10.34.34", "10.10.34.34"),
        (value.HostName, "66.33.200.1", "66.33.200.1"),
        (value.WebUrl, "https://a.org:443/x?y", "https://a.org:443/x?y"),
        (value.Period, 2012, "2012"),
        (value.OneOrMany, "a", ["a"]),
        (value.OneOrMany, ["a", "b"], ["a", "b"]),
        (value.Baseline, "refused", {"else": "refused"}),
        (value.Baseline, {"status": 403}, {"else": "status: 403"}),
        (value.Baseline, "status: 403", {"else": "status: 403"}),
        (value.Baseline, {"a": {"redirect": "x.y"}}, {"a": "redirect: x.y"}),
    ],
)  # fmt: skip
def test_taken(kind: Any, given: Any, result: Any) -> None:
    assert taken(kind, given) == result


@pytest.mark.parametrize(
    ("kind", "given"),
    [
        (value.Domain, "localhost"),
        (value.Domain, "a..b"),
        (value.Domain, "-a.org"),
        (value.Domain, "a.org."),
        (value.Domain, "a" * 64 + ".org"),
        *[(value.Address, a) for a in ("127.0.0.1", "224.0.0.1", "100.64.0.1", "fe80::1", "1.2.3")],
        *[(value.Address, a) for a in ("198.51.100.1", "0.0.0.0", "255.255.255.255", "::1")],
        (value.WebUrl, "ftp://a.org/"),
        (value.WebUrl, "http://a.org:99999/"),
        (value.WebUrl, "https://a.org:80/"),
        (value.Identifier, "Two Words"),
        (value.ScenarioName, "../x"),
        (value.ScenarioName, "a//b"),
        (value.Period, True),
        (value.OneOrMany, []),
        (value.OneOrMany, [1]),
        (value.Baseline, {"status": "all"}),
        (value.Baseline, {"status": True}),
        (value.Baseline, "status: 99"),
        (value.Baseline, 403),
    ],
)
def test_refused(kind: Any, given: Any) -> None:
    with pytest.raises(ValidationError):
        taken(kind, given)
