"""Pages differ from one another, and hold nothing that a server's configuration would read."""

from __future__ import annotations

import json

import pytest

from topologies.page import page, search


def test_pages_differ_in_title_text_and_length() -> None:
    pages = [page(f"Title {n}", f"key {n}") for n in range(50)]
    assert len({len(one) for one in pages}) > 40
    assert all(f"<title>Title {n}</title>" in one for n, one in enumerate(pages))
    assert page("a", "b") == page("a", "b")


@pytest.mark.parametrize("title", ["$host", "it's", "a\\b", "<script>", "x" * 5000, "a\nb", "';}"])
def test_a_title_cannot_break_out_of_its_quotes(title: str) -> None:
    written = page(title, "key")
    assert not set("$'\\\n") & set(written)
    assert "<script>" not in written


@pytest.mark.parametrize("app", ["Skype", 'it\'s "$1" \\ <b>'])
def test_a_search_is_json_and_finds_one_or_none(app: str) -> None:
    assert json.loads(search(None)) == {"resultCount": 0, "results": []}
    found = json.loads(search(app))
    assert found["resultCount"] == len(found["results"]) == 1
    assert not set("$'\n") & set(search(app))
