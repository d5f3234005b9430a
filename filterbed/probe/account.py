"""Read and write the account of its media that one end of a call gives the other in SIP.

Wire:    the header X-RTP-Stat of AudioCodes' gateways, in BYE and in the 200 that answers it:
         NAME=VALUE separated by ";". PS, OS packets and octets sent; PR, OR received; PL lost; JI
         jitter and LA one-way delay, in milliseconds; PD (Siemens) packets too late to be played.
         Those that begin with X are this project's own: XD duplicates, XO out of order, XG the
         longest gap in milliseconds, XH packets before the first loss, XB burst ratio, XC
         the evenness of what came (`filterbed.probe.rtp.Reception.spacing`), XE who ended the call
         as the speaker saw it: "us" or "them", XT the median of arrival minus timestamp, in
         milliseconds modulo PERIOD: a sender that wrote down its own has the delay from it.
Limits:  PR counts each number once and PL what is missing below the highest number that came: a
         reader who knows how many it sent need not believe PL.
Source:  AudioCodes "SIP User's Manual" version 6.2 (2011), parameter QoSStatistics.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, Literal

from filterbed.probe.rtp import CLOCK, Reception

HEADER: Final = "X-RTP-Stat"
#: Seconds after which a timestamp of 32 bits begins anew.
PERIOD: Final = (1 << 32) / CLOCK
_FIELD: Final = re.compile(r"([A-Z]{2})=([^;,\s]+)")

Side = Literal["us", "them"]


@dataclass(frozen=True, slots=True)
class Account:
    """What one end says of a call: what it sent, and what it received. Times in seconds.

    None is what it did not say. `ended_by` is "us" where the speaker hung up.
    """

    sent: int | None = None
    received: int | None = None
    lost: int | None = None
    jitter: float | None = None
    delay: float | None = None
    late: int | None = None
    duplicates: int | None = None
    out_of_order: int | None = None
    longest_gap: float | None = None
    head: int | None = None
    burst: float | None = None
    spacing: float | None = None
    transit: float | None = None
    ended_by: Side | None = None

    def json(self) -> dict[str, Any]:
        """Return what was said, but for `transit`, which means little alone."""
        said = {name: getattr(self, name) for name in self.__dataclass_fields__}
        del said["transit"]
        return {name: value for name, value in said.items() if value is not None}


#: Attribute, field, and how many of the field's units make one of ours.
_COUNTS: Final = {
    "sent": "PS", "received": "PR", "lost": "PL", "late": "PD", "duplicates": "XD",
    "out_of_order": "XO", "head": "XH",
}  # fmt: skip
_MILLISECONDS: Final = {"jitter": "JI", "delay": "LA", "longest_gap": "XG", "transit": "XT"}
_RATIOS: Final = {"burst": "XB", "spacing": "XC"}


def tell(
    sent: int, heard: Reception, *, payload: int, delay: float | None, ended_by: Side | None
) -> str:
    """Write the header's value; `payload` is the octets in each packet."""
    fields = [f"PS={sent}", f"OS={sent * payload}"]
    fields += [f"PR={heard.received}", f"OR={heard.received * payload}", f"PL={heard.lost}"]
    fields.append(f"JI={heard.jitter * 1000:.3f}")
    fields += [f"LA={delay * 1000:.3f}"] if delay is not None else []
    fields += [f"PD={heard.late}", f"XD={heard.duplicates}", f"XO={heard.out_of_order}"]
    fields += [f"XG={heard.longest_gap * 1000:.3f}", f"XH={heard.head}", f"XB={heard.burst:.3f}"]
    fields += [f"XC={heard.spacing:.3f}"] if heard.spacing is not None else []
    if heard.transit is not None:
        fields.append(f"XT={heard.transit % PERIOD * 1000:.3f}")
    fields += [f"XE={ended_by}"] if ended_by else []
    return ";".join(fields)


def understand(value: str) -> Account | None:
    """Read the header's value, of whatever maker; None if it tells no count at all."""
    said = dict(_FIELD.findall(value))
    found: dict[str, Any] = {name: _number(said.get(key)) for name, key in _COUNTS.items()}
    found = {name: None if v is None else int(v) for name, v in found.items()}
    for name, key in _MILLISECONDS.items():
        number = _number(said.get(key))
        found[name] = None if number is None else round(number / 1000, 6)
    found |= {name: _number(said.get(key)) for name, key in _RATIOS.items()}
    if found["sent"] is None and found["received"] is None:
        return None
    ended = said.get("XE")
    return Account(**found, ended_by=ended if ended in ("us", "them") else None)


def _number(text: str | None) -> float | None:
    """Return a number from 0 to a thousand million; None for anything else."""
    if text is None or not re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", text):
        return None
    return float(text)
