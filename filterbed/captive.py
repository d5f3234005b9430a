"""Say whether a measurement is what a vantage behind a captive portal must see."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from typing import Any

from topologies.portal import TITLE

Part = Mapping[str, Any]


def holds(measurement: Part, target: Part) -> list[str]:
    """Return what differs: DNS leads to the portal, HTTP is its page, and nothing else is up."""
    if measurement["kind"] == "dns" and not target.get("via"):
        return _captured(measurement["dns"])
    http = str(target.get("url", "")).startswith("http:") and 4 in target.get("families", [4])
    rows = measurement["http"]
    if not http:  # no page at all, but for the portal's own
        rows = [row for row in rows if row["status"] is not None]
    pages = _page(rows) if http or rows else []
    return [*pages, *_closed(measurement)]


def _captured(dns: Part) -> list[str]:
    """Every answer is an address of the portal's own, which nobody else could have."""
    own = all(ipaddress.ip_address(address).is_private for address in dns["addresses"])
    if dns["rcode"] == "NOERROR" and own and (dns["addresses"] or dns["qtype"] == "AAAA"):
        return []
    found = ", ".join(dns["addresses"]) or dns["rcode"]
    return [f"dns {dns['name']}: {found}, expected the portal's address"]


def _page(rows: list[Part]) -> list[str]:
    if not rows:
        return ["http: nothing was tried, expected the portal's page"]
    return [
        f"http {row['address']}: {row['status'] or row['outcome']}, titled {row['title']!r}, "
        "expected the portal's page"
        for row in rows
        if row["title"] != TITLE
    ]


def _closed(measurement: Part) -> list[str]:
    """No server was reached; that port 80 opens over IPv4 says nothing of one.

    The portal takes no IPv6: what opens there has got past it.
    """
    up = [
        f"{layer} {row['address']}"
        for layer in ("tcp", "udp", "quic")
        for row in measurement.get(layer, ())
        if row["outcome"] == "ok" and not _taken(layer, row)
    ]
    registered = measurement["sip"]["register"]
    if registered is not None and registered["code"] is not None:
        up.append("sip register")
    return [f"{what}: ok, expected the portal to keep it" for what in up]


def _taken(layer: str, row: Part) -> bool:
    """Whether the portal itself takes such a connection."""
    return layer == "tcp" and row["port"] == 80 and ":" not in row["address"]
