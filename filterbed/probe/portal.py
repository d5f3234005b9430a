"""Find out whether a captive portal answers in everybody's place, and what it explains.

As phones and browsers do: one page is known to be empty, with the status 204, and never to be
anything else. Where the control gets that and somebody answers us otherwise, without TLS, we are
behind a portal; then what fails here says nothing about its target. It is asked for once, and only
where something differs.

Source: Chromium's and Android's check, "generate_204"; RFC 8952 section 1 for what portals do.
Limits: a censor that forged exactly this answer would excuse itself; what a portal lets pass
        (a walled garden) and somebody behind it blocks is put down to the portal.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from filterbed.probe.page import same_page
from filterbed.probe.stream import Row
from filterbed.probe.verdict import Part, Verdict, authentic, disjoint, down

CHECK: Final = "http://connectivitycheck.gstatic.com/generate_204"
EMPTY: Final = 204


@dataclass(frozen=True, slots=True)
class Check:
    """The page that is never anything else, as we and as the control got it."""

    local: Part
    control: Part

    @property
    def captive(self) -> bool:
        """Whether somebody answered in its place."""
        if "error" in self.local or "error" in self.control:
            return False
        statuses = [_status(one) for one in (self.local, self.control)]
        return statuses[0] not in (None, EMPTY) and statuses[1] == EMPTY

    def explains(self, local: Part, verdict: Verdict) -> bool:
        """Whether a portal is enough to account for a target's verdict.

        An answer of DNS it accounts for only where the check's own name led to the same place.
        """
        if not self.captive:
            return False
        if not any(mechanism.startswith("dns") for mechanism in verdict.mechanisms):
            return True
        here = set((local["dns"] or {}).get("addresses", ()))
        return disjoint(self.local, self.control) and here <= set(self.local["dns"]["addresses"])


def _status(measurement: Part) -> int | None:
    return measurement["http"][0]["status"] if measurement["http"] else None


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
    """Whether a verdict may be a portal's doing: what a certificate vouches for never is."""
    if "error" in local or "error" in control or authentic(local):
        return False
    if verdict.verdict == "ok":
        return bool(local["http"]) and not same_page(local, control)
    return verdict.verdict != "down" and not any(m.startswith("tls") for m in verdict.mechanisms)
