"""Keep the fingerprints of documented injectors, as the keys of an act that `profile` fills in.

What a fact does not say is the act's default. TTLs are as they were seen where the fact was
measured, some hops after the box. Facts that give a cycle without its bounds got bounds of ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Profile:
    """One injector: the act it does, the id of the fact that describes it, how sure that is, where
    it was published, and the act's keys."""

    act: str
    fact: str
    fidelity: str
    source: str
    keys: Mapping[str, Any]


_TYPES_2023: Final = "A Wall Behind A Wall: Emerging Regional Censorship in China (IEEE S&P), 2025"
_WEAVER: Final = "Detecting Forged TCP Reset Packets (NDSS), 2009"
_TRIPLET: Final = "Triplet Censors (FOCI), 2020"
_IRAN: Final = "Internet Censorship in Iran: A First Look (FOCI), 2013"
_RISING: Final[Mapping[str, Any]] = {
    "ttl": {"cycle": [64, 128]},
    "window": {"cycle": [1024, 8192], "step": 13},
}

#: By name. Keys are those of the act in a policy document.
PROFILES: Final[Mapping[str, Profile]] = {
    "gfw-2006": Profile(
        "reset", "cn-http-rst-2006", "documented",
        "Ignoring the Great Firewall of China (PET), 2006",
        {"flags": "R", "offsets": [0, 1460, 4380], "base": "own", "ttl": 47},
    ),
    "gfw-2009-ipid-64": Profile(
        "reset", "cn-rst-injectors-2009", "modelled", _WEAVER, {"flags": "R", "ip_id": 64},
    ),
    "gfw-2009-ipid-minus-26": Profile(
        "reset", "cn-rst-injectors-2009", "modelled", _WEAVER,
        {"flags": "R", "ip_id": {"mirror": -26}},
    ),
    "gfw-2009-seq-1460": Profile(
        "reset", "cn-rst-injectors-2009", "modelled", _WEAVER,
        {"flags": "R", "offsets": [0, 1460]},
    ),
    "gfw-2009-rae": Profile(
        "reset", "cn-rst-injectors-2009", "documented", _WEAVER, {"flags": "RAN"},
    ),
    "gfw-classic-type-1": Profile(
        "reset", "cn-rst-type1-type2-classic", "modelled",
        "getlantern/circumvention-corpus, 2026", {"flags": "R"},
    ),
    "gfw-classic-type-2": Profile(
        "reset", "cn-rst-type1-type2-classic", "modelled",
        "getlantern/circumvention-corpus, 2026",
        {"flags": "RA", "offsets": [0, 1460, 4380], **_RISING},
    ),
    "gfw-classic-type-2-syn": Profile(
        "syn-ack", "cn-rst-type1-type2-classic", "modelled",
        "getlantern/circumvention-corpus, 2026", {"ttl": {"cycle": [64, 128]}},
    ),
    "gfw-forged-address": Profile(
        "impostor", "cn-dns-forged-ip-handshake", "documented",
        "I'll shake your hand: what happens after DNS poisoning (net4people/bbs #294), 2023",
        {"data": "reset", "reset_flags": "R", "chance": 0.75},
    ),
    "gfw-2023-type-1": Profile(
        "reset", "cn-rst-types-2023", "documented", _TYPES_2023,
        {"flags": "R", "df": False, "ip_id": 0, "ttl": {"random": [55, 118]}},
    ),
    "gfw-2023-type-2": Profile(
        "reset", "cn-rst-types-2023", "documented", _TYPES_2023,
        {"flags": "RA", "count": 3, "df": True, "ip_id": {"random": [0x00A3, 0xFE5F]},
         "ttl": {"random": [39, 238]}},
    ),
    "gfw-2023-type-3": Profile(
        "reset", "cn-rst-types-2023", "documented", _TYPES_2023,
        {"flags": "RA", "df": False, "ip_id": {"random": [0x9916, 0x9933]}, "ttl": 248},
    ),
    "gfw-2025-port-443": Profile(
        "reset", "cn-port443", "documented",
        "gfw.report, Analysis of the GFW's Unconditional Port 443 Block, 2025",
        {"flags": "RA", "count": 3, "toward": "client", **_RISING},
    ),
    "henan": Profile(
        "reset", "cn-henan", "documented", _TYPES_2023,
        {"flags": "RA", "toward": "client", "payload": "01 02 03 04 05 06 07 08 09 00",
         "ip_id": 1, "df": False, "ttl": 58, "window": 0},
    ),
    "iran-http": Profile(
        "reset", "ir-http", "documented", _IRAN,
        {"flags": "R", "toward": "server", "offsets": [0, 0, 0, 30, 30]},
    ),
    "iran-sni": Profile(
        "reset", "ir-sni", "documented", "IRBlock (USENIX Security), 2025",
        {"flags": "RA"},
    ),
    "turkmenistan": Profile(
        "reset", "tm-all", "documented",
        "Measuring and Evading Turkmenistan's Internet Censorship (WWW), 2023",
        {"flags": "R", "ip_id": 30000, "df": False, "ttl": 128, "window": 0},
    ),
    "brunei": Profile(
        "reset", "bn-tj-th", "documented",
        "Detecting Network Interference Without Endpoint Participation (FOCI), 2023",
        {"flags": "R", "ip_id": "mirror"},
    ),
    "tajikistan": Profile(
        "reset", "bn-tj-th", "documented",
        "Detecting Network Interference Without Endpoint Participation (FOCI), 2023",
        {"flags": "RA", "payload": "00" * 22},
    ),
    "cuba-2017": Profile(
        "block-page", "cu-skype-2017", "documented",
        "Measuring Internet Censorship in Cuba's ParkNets (OONI), 2017",
        {"status": 200, "body": "", "headers": {"Server": "V2R2C00-IAE/1.0"}, "then": "reset"},
    ),
    "iran-403": Profile(
        "block-page", "ir-http", "documented", _IRAN,
        {"status": 403, "then": "fin-reset", "reset_flags": "RPA", "reset_server": False,
         "body": '<html><title>403</title><body><iframe'
                 ' src="http://10.10.34.34?type=Invalid Site&policy=MainPolicy"'
                 ' style="width: 100%; height: 100%" scrolling="no" marginwidth="0"'
                 ' marginheight="0" frameborder="0" vspace="0" hspace="0"></iframe></body></html>'},
    ),
    "airtel-2018": Profile(
        "block-page", "in-http", "modelled",
        "Where The Light Gets In: Analyzing Web Censorship Mechanisms in India (IMC), 2018",
        {"ip_id": 242, "then": "fin-reset", "reset_server": False},
    ),
    "egypt-blank": Profile(
        "block-page", "eg-dpi", "documented", "ooni/blocking-fingerprints, 2024",
        {"status": 200, "body": "<HTML></HTML>"},
    ),
    "korea-warning": Profile(
        "block-page", "kr-warning", "documented", "ooni/blocking-fingerprints, 2024",
        {"status": 302, "location": "http://warning.or.kr"},
    ),
    "gfw-dns-2007": Profile(
        "dns-answer", "cn-dns-2007-pool8", "documented",
        "The Great DNS Wall of China, 2007", {"ttl": {"random": [30, 255]}},
    ),
    "gfw-dns-1": Profile(
        "dns-answer", "cn-dns-injector-1", "documented", _TRIPLET,
        {"df": False, "ttl": {"cycle": [64, 255]}, "aa": True, "answer_ttl": 60},
    ),
    "gfw-dns-2": Profile(
        "dns-answer", "cn-dns-injector-2", "documented", _TRIPLET,
        {"df": True, "ttl": {"random": [30, 255]}, "aa": False},
    ),
    "gfw-dns-3": Profile(
        "dns-answer", "cn-dns-injector-3", "documented", _TRIPLET,
        {"df": False, "ip_id": 0, "ttl": "mirror", "aa": False},
    ),
    "gfw-dns-wallbleed": Profile(
        "dns-answer", "cn-dns-wallbleed", "documented",
        "Wallbleed (NDSS), 2025",
        {"df": False, "ip_id": 0, "ttl": "mirror", "aa": False, "pick": "in-turn"},
    ),
    "turkmenistan-dns": Profile(
        "dns-answer", "tm-all", "documented",
        "Measuring and Evading Turkmenistan's Internet Censorship (WWW), 2023",
        {"addresses": ["127.0.0.1"], "answer_ttl": 300, "ip_id": 30000, "df": False, "ttl": 128},
    ),
}  # fmt: skip
