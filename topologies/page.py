"""Write the page of a web site: its title, and text that no other site has."""

from __future__ import annotations

import hashlib
import html
import json

#: nginx refuses a configuration word above 4 KiB, and a page is one.
PAGE_LIMIT = 3000
#: Words a page is filled with, so that two pages never have the same length or text.
FILL = (
    "the",
    "quick",
    "brown",
    "fox",
    "jumps",
    "over",
    "the",
    "lazy",
    "dog",
    "while",
    "seven",
    "wizards",
    "pack",
    "their",
    "bags",
)


def page(title: str, key: str) -> str:
    """Write a page: its title, and text that only `key` decides, from 600 to 2,400 characters."""
    digest = hashlib.sha256(key.encode()).digest()
    length = 600 + int.from_bytes(digest[:2], "big") % 1800
    words: list[str] = []
    while sum(map(len, words)) < length:
        words.append(FILL[digest[len(words) % 32] % len(FILL)])
    safe = literal(html.escape(title))
    body = f"<h1>{safe}</h1><p>{' '.join(words)}</p>"
    return f"<!DOCTYPE html><html><head><title>{safe}</title></head><body>{body}</body></html>"


def search(app: str | None) -> str:
    """Write a store's answer to a search: one app, or none, as Apple's Search API writes it."""
    found = [{"kind": "software", "trackName": literal(app)}] if app else []
    return json.dumps({"resultCount": len(found), "results": found})


def literal(text: str) -> str:
    """Keep nginx from reading variables, quotes and escapes in a page."""
    signs = {"$": "&#36;", "'": "&#39;", "\\": "&#92;", "\n": " "}
    return "".join(signs.get(sign, sign) for sign in text)[:PAGE_LIMIT]
