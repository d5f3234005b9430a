"""Find out whether a captive portal answers in everybody's place, and what it explains.

As phones and browsers do: one page is known to be empty, with the status 204, and never to be
anything else. Where the control gets that and somebody answers us otherwise, without TLS, we are
behind a portal; then what fails here says nothing about its target. It is asked for once, and only
where something differs.

Source: Chromium's and Android's check, "generate_204"; RFC 8952 section 1 for what portals do,
        RFC 6585 section 6 for 511.
Limits: a censor that gives every page, the check's too, the same answer would excuse itself; where
        a portal is, what fails before any HTTP is put down to it, even if it lets it pass (a walled
        garden) and somebody behind it blocks.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlsplit

from filterbed.probe.page import same_page
from filterbed.probe.stream import Row
from filterbed.probe.verdict import Part, Verdict, authentic, disjoint, down

CHECK: Final = "http://connectivitycheck.gstatic.com/generate_204"
EMPTY: Final = 204
#: How a portal answers: with its page, the way to it, or by its own name. A refusal (403) or a
#: proxy's trouble (502, 503) is nobody's invitation to log in.
INVITES: Final = frozenset({200, *range(300, 400), 511})


@dataclass(frozen=True, slots=True)
class Check:
    """The page that is never anything else, as we and as the control got it."""

    local: Part
    control: Part

    @property
    def captive(self) -> bool:
        """Whether somebody answered in its place, as portals do."""
        if "error" in self.local or "error" in self.control:
            return False
        statuses = [_status(one) for one in (self.local, self.control)]
        return statuses[0] in INVITES and statuses[1] == EMPTY

    def explains(self, local: Part, verdict: Verdict) -> bool:
        """Whether a portal is enough to account for a target's verdict.

        A page it accounts for only where the check got the same one, and an answer of DNS only
        where the check's own name led to the same place.
        """
        if not self.captive:
            return False
        if local["http"] and not _same(local["http"][0], self.local["http"][0]):
            return False
        if not any(mechanism.startswith("dns") for mechanism in verdict.mechanisms):
            return True
        here = set((local["dns"] or {}).get("addresses", ()))
        return disjoint(self.local, self.control) and here <= set(self.local["dns"]["addresses"])


def _status(measurement: Part) -> int | None:
    return measurement["http"][0]["status"] if measurement["http"] else None


def _same(one: Part, other: Part) -> bool:
    """Whether two answers are one portal's: a way to one place, or one page.

    The query of its Location often says where somebody wanted to go.
    """
    if one["status"] is None or one["status"] // 100 != other["status"] // 100:
        return False
    if one["location"] or other["location"]:
        return _place(one["location"]) == _place(other["location"])
    if one["title"] or other["title"]:
        return bool(one["title"] == other["title"])
    return bool(one["sha256"] == other["sha256"])


def _place(location: str | None) -> tuple[str, str]:
    """Return the host and the path of a Location; of one that is no URL, what it says."""
    try:
        parts = urlsplit(location or "")
    except ValueError:
        return "", location or ""
    return parts.netloc.lower(), parts.path


@dataclass(slots=True)
class Access:
    """What is known of our access network; asked for once, by whoever needs it first."""

    here: Callable[[Row], Row]
    there: Callable[[Row], Row]
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _check: Check | None = None

    def check(self) -> Check:
        """Return the check, made now where it was not yet."""
        with self._lock:
            if self._check is None:
                target = {"target": "", "kind": "web", "url": CHECK}
                self._check = Check(self.here(target), self.there(target))
            return self._check

    def reconsider(self, local: Part, control: Part, verdict: Verdict) -> Verdict:
        """Return the verdict, or `down` where a portal is all there is to see."""
        if not doubtful(local, control, verdict):
            return verdict
        if not self.check().explains(local, verdict):
            return verdict
        return down(f"a captive portal answers here in everybody's place ({verdict.detail})")


def doubtful(local: Part, control: Part, verdict: Verdict) -> bool:
    """Whether a verdict may be a portal's doing: what the server itself said never is."""
    if "error" in local or "error" in control or authentic(local):
        return False
    if verdict.locus == "server_side" and _vouched(local, control):
        return False
    if verdict.verdict == "ok":
        return bool(local["http"]) and not same_page(local, control)
    return verdict.verdict != "down" and not any(m.startswith("tls") for m in verdict.mechanisms)


def _vouched(local: Part, control: Part) -> bool:
    """Whether the answer names the server that the control's names, or is none of HTTP at all."""
    if not local["http"]:
        return True
    servers = {part["http"][0]["server"] for part in (local, control) if part["http"]}
    return len(servers) == 1 and None not in servers
