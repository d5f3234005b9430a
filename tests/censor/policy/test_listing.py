"""Lists in files: what is an entry, and what is wrong with one that cannot be read."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.policy import listing
from censor.policy.listing import ListError, prefix, prefixes, read
from censor.policy.loader import load


def test_entries_and_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("# names\r\na.example\r\n\n  b.example  # why\nc#d\n#\n\u00e9.example")
    assert read(str(path)) == ["a.example", "b.example", "c#d", "\u00e9.example"]


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ListError, match="No such file"):
        read(str(tmp_path / "none"))
    path = tmp_path / "binary"
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(ListError, match="expected UTF-8"):
        read(str(path))
    monkeypatch.setattr(listing, "LIMIT", 1)
    with pytest.raises(ListError, match="more than 1 bytes"):
        read(str(path))


@given(st.integers(0, 2**32 - 1), st.integers(0, 32))
def test_prefixes_are_read_as_the_standard_library_does(value: int, bits: int) -> None:
    net = ip_network((value, bits), strict=False)
    assert prefix(str(net)) == (net.network_address.packed, bits)


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("1.2.3.4", (b"\1\2\3\4", 32)),
        ("::1", (bytes(15) + b"\1", 128)),
        ("2600::/16", (b"\x26" + bytes(15), 16)),
    ],
)
def test_addresses_are_prefixes_too(text: str, raw: object) -> None:
    assert prefix(text) == raw


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.2.3",
        "1.2.3.4/",
        "1.2.3.4/33",
        "1.2.3.4/8",
        "1.2.3.4/-1",
        "::1/0",
        "x",
        "1.2.3.4/\u0663",
    ],
)
def test_no_prefixes(text: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"address|length|host bits"):
        prefix(text)
    path = tmp_path / "list"
    path.write_text(f"1.2.3.4\n{text}x\n")
    with pytest.raises(ListError, match="is no address or prefix"):
        list(prefixes(str(path)))


def test_rules_that_name_one_list_share_it_until_it_changes(tmp_path: Path) -> None:
    file = tmp_path / "names.txt"
    file.write_text("WWW.Example.com.\n")
    one = listing.names(str(file), lower=True)
    assert one == {"www.example.com"}
    assert listing.names(str(file), lower=True) is one
    assert listing.names(str(file), lower=False) == {"WWW.Example.com"}
    file.write_text("other.example\n")
    assert listing.names(str(file), lower=True) == {"other.example"}
    with pytest.raises(listing.ListError, match="No such file"):
        listing.names(str(tmp_path / "none"), lower=True)


def test_a_list_that_two_rules_share_is_read_once_for_check_and_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "list"
    file.write_text("One.example\n")
    seen: list[str] = []

    def counted(path: str, *, lower: bool = False) -> list[str]:
        seen.append(path)
        return read(path, lower=lower)

    monkeypatch.setattr(listing, "read", counted)
    rules = [
        {"id": key, "when": {key: {"suffix": {"file": str(file)}}}, "then": {"drop": "flow"}}
        for key in ("tls.sni", "dns.name")
    ]
    policy = load({"position": "in-path", "rules": rules})
    assert seen == [str(file)]
    sets = [rule.when.name.suffix for rule in policy.rules if rule.when.name is not None]
    assert sets[0] is sets[1]
    assert sets[0] == {"one.example"}
    del policy, sets
    assert listing.names(str(file), lower=True) == {"one.example"}
    assert len(seen) == 2  # nobody held it any more
