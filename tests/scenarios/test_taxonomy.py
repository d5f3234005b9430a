"""The vocabulary of mechanisms: prefixes are nodes, and a prefix covers what is below it."""

from __future__ import annotations

import pytest

from scenarios import taxonomy


def test_written_nodes_and_their_prefixes_are_nodes() -> None:
    assert taxonomy.nodes()["dns.nxdomain"].startswith("NXDOMAIN")
    for path in ("dns", "dns.injection", "sip.register", "residual", "http.redirect.geo"):
        assert taxonomy.is_node(path)


@pytest.mark.parametrize(
    "path", ["", "dns.", "dns.inject", "DNS", "taxonomy", "ooni", "tls.reset.s"]
)
def test_other_words_are_not(path: str) -> None:
    assert not taxonomy.is_node(path)


def test_ancestors() -> None:
    assert taxonomy.ancestors("tls.reset.sni") == ("tls", "tls.reset")
    assert taxonomy.ancestors("residual") == ()


@pytest.mark.parametrize(
    ("observed", "expected", "said"),
    [
        ("tls.reset", "tls.reset.sni", True),
        ("tls.reset.sni", "tls.reset.sni", True),
        ("tls", "tls.reset.sni", True),
        ("tls.reset.sni", "tls.reset", False),
        ("tls.res", "tls.reset.sni", False),
        ("tls.timeout", "tls.reset.sni", False),
    ],
)
def test_covers_by_whole_labels(observed: str, expected: str, said: bool) -> None:
    assert taxonomy.covers(observed, expected) is said


def test_agrees_when_each_observed_covers_one() -> None:
    expected = {"residual", "tls.reset.other"}
    assert taxonomy.agrees([], expected)
    assert taxonomy.agrees(["tls.reset"], expected)
    assert taxonomy.agrees(["tls.reset", "residual"], expected)
    assert not taxonomy.agrees(["tls.reset", "dns"], expected)


def test_version() -> None:
    assert taxonomy.version() == "ooni-v1+filterbed-1"
