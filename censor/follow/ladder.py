"""Keep the published models of how censors follow TCP, as the keys that `tcp.profile` fills in.

Geneva's mock censors are a ladder: each was written to resist what beats the one before it. Theirs
know one connection at a time or share state between all; here each connection has its own. What
they do once they found something is an act, not TCP: the table in docs/censor.md pairs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Rung:
    """One model: what it is, how sure that is, where it was published, and its keys of `tcp`."""

    what: str
    fidelity: str
    source: str
    keys: Mapping[str, Any]


_GENEVA: Final = "Geneva (CCS), 2019; github.com/Kkevsterrr/geneva, censors/"
_KHATTAK: Final = "Towards Illuminating a Censorship Monitor's Model (FOCI), 2013"
_WANG: Final = "Your State is Not Mine (IMC), 2017"
_NEXT: Final[Mapping[str, Any]] = {"reassemble": False, "window": 0}
_ANYWHERE: Final[Mapping[str, Any]] = {
    "reassemble": False, "require_handshake": False, "reads": "both",
}  # fmt: skip
_LOST: Final[Mapping[str, Any]] = {**_NEXT, "resync": ["rst", "fin"], "resync_at": "packet"}

#: By name. Keys are those of `tcp` in a policy document.
LADDER: Final[Mapping[str, Rung]] = {
    "stateless": Rung(
        "each packet by itself, whoever began", "documented",
        "Ignoring the Great Firewall of China (PET), 2006",
        _ANYWHERE,
    ),
    "geneva-1": Rung("the next segment only, from the last SYN on", "modelled",
                     _GENEVA + "censor1", _NEXT),
    "geneva-2": Rung("as 1", "modelled", _GENEVA + "censor2", _NEXT),
    "geneva-3": Rung("as 1", "modelled", _GENEVA + "censor3", _NEXT),
    "geneva-4": Rung("and numbers taken from every bare ACK", "modelled", _GENEVA + "censor4",
                     {**_NEXT, "adopt": ["syn", "ack"]}),
    "geneva-5": Rung("as 1", "modelled", _GENEVA + "censor5", _NEXT),
    "geneva-6": Rung("any packet, until any RST or FIN", "modelled", _GENEVA + "censor6",
                     {**_ANYWHERE, "adopt": [], "teardown": ["rst", "fin"]}),
    "geneva-7": Rung("any packet, until a RST or FIN of the connection", "modelled",
                     _GENEVA + "censor7", {**_ANYWHERE, "adopt": [], "teardown": ["rst", "fin"]}),
    "geneva-8": Rung("any packet, until a RST or FIN with the right number", "modelled",
                     _GENEVA + "censor8",
                     {**_ANYWHERE, "adopt": [], "teardown": ["rst", "fin"], "ends_at": "next"}),
    "geneva-8b": Rung("the next segment only, until a RST with the right number", "modelled",
                      _GENEVA + "censor8b", {**_NEXT, "teardown": ["rst"], "ends_at": "next"}),
    "geneva-9": Rung("a RST or FIN with the right number makes it resynchronise", "modelled",
                     _GENEVA + "censor9", {**_LOST, "adopt": [], "ends_at": "next"}),
    "geneva-10": Rung("and checksums are checked, and the last SYN counts", "modelled",
                      _GENEVA + "censor10",
                      {**_LOST, "verify_checksum": True, "ends_at": "next"}),
    "geneva-11": Rung("and numbers taken from every bare ACK", "modelled", _GENEVA + "censor11",
                      {**_LOST, "verify_checksum": True, "adopt": ["syn", "ack"],
                       "ends_at": "next"}),
    "gfw-2013": Rung("the first SYN counts; RST and FIN tear down", "modelled", _KHATTAK,
                     {"adopt": [], "teardown": ["rst", "fin"]}),
    "gfw-2017": Rung("SYN or SYN+ACK begin; more of them, or a RST, make it resynchronise",
                     "modelled", _WANG,
                     {"require_handshake": "either", "adopt": [], "overlap": "last",
                      "resync": ["syn", "syn-ack", "rst"]}),
}  # fmt: skip
