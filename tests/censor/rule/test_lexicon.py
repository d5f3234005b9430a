"""Lists of names and texts: what is in them, however many there are."""

from __future__ import annotations

import re
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from censor.rule.lexicon import SCANNED, Names, Pieces, Texts, shape
from censor.rule.pattern import Patterns

WORDS = st.lists(st.text("ab.", max_size=4), max_size=4)
TEXT = st.text("ab.", max_size=10)


@given(WORDS, TEXT)
def test_pieces(words: list[str], text: str) -> None:
    pieces = Pieces.of(words)
    assert pieces.within(text) == any(word in text for word in words)
    assert pieces.ends(text) == any(text.endswith(word) for word in words)
    assert pieces.at(text, 0) == any(text.startswith(word) for word in words)


@given(TEXT, st.integers(0, 9))
def test_many_parts_are_found_as_few_are(text: str, at: int) -> None:
    many = [f"{n:03d}" for n in range(SCANNED + 1)]
    assert not Pieces.of(many).within(text)
    assert Pieces.of(many).within(text[:at] + "042" + text[at:])


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (r"^(.*\.)?kw$", (".", "kw", True)),
        ("^kw$", ("^", "kw", True)),
        (r"(^|\.)kw$", (".", "kw", True)),
        (r"^(.*\.)?kw", (".", "kw", False)),
        ("kw$", ("", "kw", True)),
        ("kw", ("", "kw", False)),
        (r"(?:\.|^)a\.b-c$", (".", "a.b-c", True)),
        ("^kw", ("^", "kw", False)),
        ("a.b", None),
        ("k+", None),
        ("", None),
        ("(kw)", None),
    ],
)
def test_shapes_of_documented_rules(text: str, found: object) -> None:
    """Source: fact cn-sni-rst."""
    assert shape(text) == found


NAME = st.lists(st.sampled_from(["kw", "akw", "kwa", "x"]), min_size=1, max_size=4).map(".".join)


@pytest.mark.parametrize("begin", ["^", r"^(.*\.)?", ""])
@pytest.mark.parametrize("end", ["$", ""])
@given(name=NAME)
def test_a_shape_is_what_the_pattern_is(begin: str, end: str, name: str) -> None:
    from censor.policy.meaning import compile_names
    from censor.policy.vocabulary import Names as Document

    text = f"{begin}kw{end}"
    assert shape(text) is not None
    found = compile_names(Document(regex=[text])).find(name)
    assert found == bool(re.search(text, name)) == Patterns([text]).find(name)


@pytest.mark.parametrize(
    ("texts", "text", "found"),
    [
        (Texts(substring=Pieces.of(["falun"])), b"/x?q=FaLun", True),
        (Texts(substring=Pieces.of(["falun"]), case=True), b"/x?q=FaLun", False),
        (Texts(substring=Pieces.of(["falun"])), b"/%66alun", False),
        (Texts(substring=Pieces.of(["falun"]), decode=True), b"/%66alun", True),
        (Texts(substring=Pieces.of(["falun"]), decode=True), b"/%2566alun", False),
        (Texts(exact=frozenset({"/a"})), b"/a", True),
        (Texts(exact=frozenset({"/a"})), b"/ab", False),
        (Texts(prefix=Pieces.of(["/a", "/bcd"])), b"/bcde", True),
        (Texts(suffix=Pieces.of([".mp3"])), b"/x.MP3", True),
        (Texts(patterns=Patterns(["^/[0-9]+$"])), b"/123", True),
        (Texts(), b"", False),
    ],
)
def test_texts(texts: Texts, text: bytes, found: bool) -> None:
    assert texts.find(text) is found


def test_words_in_several_encodings() -> None:
    """Source: fact cn-http-keyword-2020: UTF-8 and GB18030, after %-decoding."""
    from censor.policy.meaning import compile_texts
    from censor.policy.vocabulary import Texts as Document

    word = "\u6cd5\u8f6e"
    both = compile_texts(Document(substring=[word], decode=True, encodings=["utf-8", "gb18030"]))
    one = compile_texts(Document(substring=[word], decode=True))
    for encoding, only in (("utf-8", True), ("gb18030", False)):
        path = b"/search?q=" + quote(word.encode(encoding)).encode()
        assert both.find(path)
        assert one.find(path) is only


@given(st.binary(max_size=60))
def test_any_bytes_are_looked_at(text: bytes) -> None:
    Texts(substring=Pieces.of(["a"]), patterns=Patterns(["b+"]), decode=True).find(text)


def test_names_by_every_way_at_once() -> None:
    names = Names(frozenset({"a"}), frozenset({"b"}), ("c",), Pieces.of(["dd"]))
    assert [names.find(x) for x in ("a", "x.a", "x.b", "xcx", "xddx", "e")] == [
        True,
        False,
        True,
        True,
        True,
        False,
    ]
