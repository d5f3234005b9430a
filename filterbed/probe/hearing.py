"""Judge a call's media: each way here against the same way at the control. Pure.

Where the callee told what it heard, the two ways are known apart. Where it did not, what it sends
back of our own packets stands for the way to it, and that has been both ways.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from filterbed.probe.verdict import Part, Verdict, blocked, down, ok, unknown

#: A way is thinned out when less than this share comes through, and the control's share is better
#: by more than APART.
THIN: Final = 0.8
APART: Final = 0.2
#: Of what is lost, this share is missing at the end, and for so many packets: media was cut off.
TAIL: Final = 0.9
CUT: Final = 15
#: Interarrival jitter, in seconds, that no busy machine makes by itself; and how many times the
#: control's it must be.
UNEVEN: Final = 0.03
MORE: Final = 3.0
#: Of what comes, this share more than the control's came too late to be played. A box that holds
#: packets and keeps their order makes much of that, and little jitter: they come in bunches.
LATE: Final = 0.2
#: A policer lets a burst pass and then one packet after each equal number of others.
REGULAR: Final = 0.35
BURST: Final = 3

State = Literal["fine", "none", "mute", "cut", "thin", "uneven", "untold"]


@dataclass(frozen=True, slots=True)
class Way:
    """One way of a call's media, as far as it is known."""

    name: str
    sent: int | None
    received: int | None
    lost: int | None = None
    tail: int | None = None
    jitter: float | None = None
    head: int | None = None
    spacing: float | None = None
    late: int | None = None

    @property
    def overdue(self) -> float:
        """How much of what came was too late to be played, 0 to 1; 0 where nobody told."""
        return (self.late or 0) / self.received if self.received else 0.0

    @property
    def share(self) -> float:
        """How much came through, 0 to 1; 1 where it is not known."""
        received = self.received or 0
        whole = self.sent or 0 if self.lost is None else received + self.lost
        return min(1.0, received / whole) if whole else 1.0

    @property
    def state(self) -> State:
        """What is wrong with it, the worst first."""
        if self.received is None:
            return "untold"
        if not self.received:
            return "mute" if self.sent == 0 else "none"
        if self.lost and self.tail and self.tail >= max(CUT, TAIL * self.lost):
            return "cut"
        if self.share < THIN:
            return "thin"
        uneven = (self.jitter or 0.0) > UNEVEN or self.overdue > LATE
        return "uneven" if uneven else "fine"

    def alike(self, other: Way) -> bool:
        """Whether the other end of the comparison fares no better."""
        if self.state in ("none", "mute", "cut"):
            return other.state == self.state
        if self.state == "thin":
            return other.share - self.share <= APART
        shaken = (self.jitter or 0.0) > max(UNEVEN, (other.jitter or 0.0) * MORE)
        return not shaken and self.overdue - other.overdue <= LATE

    def __str__(self) -> str:
        if self.received is None:
            return f"{self.name}: not told"
        of = f" of {self.sent}" if self.sent is not None else ""
        late = f", {self.late} too late" if self.overdue > LATE else ""
        return f"{self.name}: {self.received}{of}{late}"


def ways(part: Part) -> tuple[Way, Way]:
    """Return the ways to the callee and from it; from older measurements, by the echo."""
    media = part.get("media")
    if media is None:
        echoed = Way("to the callee", part["rtp_sent"], part["rtp_echoed"])
        return echoed, Way("from the callee", None, part["rtp_received"])
    keys = ("sent", "received", "lost", "tail", "jitter", "head", "spacing", "late")
    there, back = media["to_callee"], media["from_callee"]
    return (
        Way("to the callee", *(there.get(key) for key in keys)),
        Way("from the callee", *(back.get(key) for key in keys)),
    )


def media(here: Part, there: Part | None) -> Verdict:
    """Compare the media of two calls that were answered."""
    local = ways(here)
    said = "; ".join(map(str, local))
    if all(way.state in ("fine", "untold") for way in local):
        if all(not way.received for way in local):
            return unknown(f"{said}: no media to judge by")
        return ok(said)
    if there is None or there["outcome"] != "ok":
        return unknown(f"{said}; the control could not call")
    control = ways(there)
    said += f"; at the control {'; '.join(map(str, control))}"
    pairs = [pair for pair in zip(local, control, strict=True) if _wrong(pair[0])]
    if all(one.alike(other) for one, other in pairs):
        return down(said)
    worse = [one for one, other in pairs if other.state == "fine" and one.state != "mute"]
    if not worse:
        return unknown(f"{said}: neither call is whole")
    return blocked(_mechanism(local, worse), said)


def _wrong(way: Way) -> bool:
    return way.state not in ("fine", "untold")


def _mechanism(local: tuple[Way, Way], worse: list[Way]) -> str:
    """Name the deepest mechanism that the ways which are worse here support."""
    gone = [way for way in worse if way.state in ("none", "cut")]
    if gone:
        others = [way for way in local if way not in gone]
        heard = any(way.received and way.state != "cut" for way in others)
        return "rtp.oneway" if heard else "rtp.timeout"
    thin = [way for way in worse if way.state == "thin"]
    return max(map(_thinned, thin)) if thin else "rtp.jitter"


def _thinned(way: Way) -> str:
    """Tell a policer's regular pattern from losses by chance; `rtp` where it may be either."""
    if way.spacing is None or way.spacing > REGULAR:
        return "rtp.loss"
    return "rtp.throttle" if (way.head or 0) >= BURST else "rtp"
