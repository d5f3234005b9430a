"""Keys that mean nothing beside what else a policy says are refused, and only these."""

from __future__ import annotations

from typing import Any

import pytest

from censor.policy.loader import problems

NAME: dict[str, Any] = {"suffix": ["blocked.example"]}
HTTP: dict[str, Any] = {"http.host": NAME}
DNS: dict[str, Any] = {"dns.name": NAME}
DROP: dict[str, Any] = {"drop": "packet"}
RTP: dict[str, Any] = {"rtp": True}
STUN: dict[str, Any] = {"stun": True}
FIRST: dict[str, Any] = {"first.fully_encrypted": True}
LIKE: dict[str, Any] = {"first.like": ["http"]}
SDP: dict[str, Any] = {"by": ["sdp"]}
BOTH: dict[str, Any] = {"by": ["sdp", "behaviour"]}

#: A condition, a section, what it says, and which key of it is of no use.
SECTIONS: list[tuple[dict[str, Any], str, dict[str, Any], str]] = [
    (HTTP, "tcp", {"reassemble": False, "overlap": "last"}, "overlap"),
    (HTTP, "tcp", {"window": 0, "overlap": "last"}, "overlap"),
    (HTTP, "tcp", {"profile": "geneva-1", "overlap": "last"}, "overlap"),
    (RTP, "rtp", {**SDP, "steady": True}, "steady"),
    (RTP, "rtp", {**SDP, "need": 4}, "need"),
    (RTP, "rtp", {**SDP, "window": 4}, "window"),
    (RTP, "rtp", {**SDP, "consecutive": False}, "consecutive"),
    (RTP, "rtp", {"need": 9, "window": 8}, "need"),
    (RTP, "rtp", {"window": 2}, "window"),
    (RTP, "rtp", {"by": []}, "by"),
    (RTP, "rtp", {"over": []}, "over"),
    (STUN, "stun", {"relayed": True, "over": ["tcp"]}, "relayed"),
    (LIKE, "first", {"sparse": 2}, "sparse"),
    (LIKE, "first", {"tls_minor": 2}, "tls_minor"),
    (FIRST, "first", {"sparse": 5}, "sparse"),
    (FIRST, "first", {"dense": 3}, "dense"),
    (HTTP, "http", {"ports": []}, "ports"),
    (HTTP, "clock", {"start": "12:00"}, "start"),
    (HTTP, "clock", {"hour": "1 min"}, "hour"),
]

USED: list[tuple[dict[str, Any], str, dict[str, Any]]] = [
    (HTTP, "tcp", {"overlap": "last"}),
    (HTTP, "tcp", {"profile": "gfw-2017", "reassemble": False}),
    (HTTP, "tcp", {"profile": "geneva-1", "reassemble": True, "window": 9, "overlap": "last"}),
    (RTP, "rtp", SDP),
    (RTP, "rtp", {**BOTH, "steady": True, "need": 4, "window": 4}),
    (STUN, "stun", {"relayed": True}),
    (FIRST, "first", {"sparse": 3, "dense": 4}),
    ({"protocol": "tcp", "not": FIRST}, "first", {"prefix": 9}),
]

ANSWER: dict[str, Any] = {"inject": "dns-answer"}
INSTEAD: dict[str, Any] = {"rewrite": "dns-answer"}
V4 = ["1.2.3.4", "1.2.3.5"]
SIX = ["2600::1"]
AAAA: dict[str, Any] = {**DNS, "dns.qtype": ["AAAA"]}
RESET: dict[str, Any] = {"inject": "reset"}
PAGE: dict[str, Any] = {"inject": "block-page"}
POSER: dict[str, Any] = {"inject": "impostor"}
PROBE: dict[str, Any] = {"inject": "probe", "from": ["24.1.1.1"]}
KEPT: dict[str, Any] = {"residual": {"key": "server", "seconds": 9, "then": DROP}}

#: A condition, an act, and which key of it is of no use.
ACTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (HTTP, {**RESET, "count": 1, "offsets": [0, 9]}, "count"),
    (HTTP, {**RESET, "profile": "gfw-2023-type-2", "offsets": [0, 1, 2, 3]}, "offsets"),
    (DNS, {**ANSWER, "rcode": "refused", "pick": "all"}, "pick"),
    (DNS, {**ANSWER, "empty": True, "otherwise": "a"}, "otherwise"),
    (DNS, {**ANSWER, "cname": "a.example", "pick": 2}, "pick"),
    (DNS, {**ANSWER, "rcode": "nxdomain", "answer_ttl": 60}, "answer_ttl"),
    (DNS, {**ANSWER, "addresses": []}, "addresses"),
    (DNS, {**ANSWER, "addresses": [*V4, *SIX], "pick": 3}, "pick"),
    (DNS, {**ANSWER, "addresses": "pool", "pick": 3}, "pick"),
    (DNS, {**ANSWER, "addresses": SIX, "otherwise": "a"}, "otherwise"),
    (AAAA, {**ANSWER, "addresses": V4, "otherwise": "nothing"}, "otherwise"),
    (DNS, {**INSTEAD, "rcode": "refused", "ttl": 9}, "ttl"),
    (DNS, {**INSTEAD, "rcode": "refused", "request": "drop"}, "request"),
    (DNS, {**INSTEAD, "rcode": "refused", "latency": "1 ms"}, "latency"),
    (HTTP, {**PAGE, "reset_flags": "R"}, "reset_flags"),
    ({}, {**POSER, "data": "nothing", "reset_flags": "RA"}, "reset_flags"),
    ({}, {**POSER, "data": "page", "reset_flags": "RA"}, "reset_flags"),
    (HTTP, {"cut": {"seconds": 3}, "counting": "client"}, "counting"),
    (HTTP, {"cut": {"seconds": 3}, "data_only": True}, "data_only"),
    (FIRST, {**PROBE, "confirm": ["closed"]}, "confirm"),
    (FIRST, {**PROBE, **KEPT, "confirm": []}, "confirm"),
]

MEANT: list[tuple[dict[str, Any], dict[str, Any]]] = [
    (HTTP, {**RESET, "count": 3, "offsets": [0, 9]}),
    (HTTP, {**RESET, "profile": "gfw-classic-type-2", "count": 1}),
    (DNS, {**ANSWER, "addresses": V4, "pick": 2, "otherwise": "a"}),
    (DNS, {**ANSWER, "addresses": "pool", "pick": "in-turn"}),
    (DNS, {**ANSWER, "cname": "a.example", "answer_ttl": 60}),
    (DNS, {**ANSWER, "profile": "gfw-dns-wallbleed", "rcode": "refused"}),
    (DNS, {**ANSWER, "addresses": V4, "otherwise": "nothing"}),
    (DNS, {**ANSWER, "profile": "turkmenistan-dns", "pick": "all"}),
    (DNS, {**INSTEAD, "rcode": "refused", "over_tcp": "answer", "latency": "1 ms"}),
    (HTTP, {**PAGE, "then": "fin-reset", "reset_flags": "R"}),
    ({}, {**POSER, "reset_flags": "RA"}),
    (HTTP, {"cut": {"seconds": 3, "packets": 9}, "counting": "client", "data_only": True}),
    (FIRST, {**PROBE, **KEPT, "confirm": ["closed"]}),
]


def document(when: Any, act: Any, **more: Any) -> dict[str, Any]:
    pools = {"pool": V4}
    rule = {"id": "r", "when": when, "then": act}
    return {"position": "in-path", "rules": [rule], "pools": pools, **more}


@pytest.mark.parametrize(("when", "section", "said", "key"), SECTIONS)
def test_what_no_rule_heeds_is_refused(when: Any, section: str, said: Any, key: str) -> None:
    (problem,) = problems(document(when, DROP, **{section: said}))
    assert problem.path == (section, key)


@pytest.mark.parametrize(("when", "section", "said"), USED)
def test_what_a_rule_heeds_is_not(when: Any, section: str, said: Any) -> None:
    assert problems(document(when, DROP, **{section: said})) == []


def test_a_clock_is_for_hours() -> None:
    hourly = document(HTTP, DROP, clock={"start": "12:00", "hour": "1 min"})
    hourly["rules"][0]["chance"] = {"by_hour": [0.5] * 24}
    assert problems(hourly) == []


@pytest.mark.parametrize(("when", "act", "key"), ACTS)
def test_a_key_of_no_use_is_refused(when: Any, act: Any, key: str) -> None:
    (problem,) = problems(document(when, act))
    assert problem.path == ("rules", 0, "then", key)


@pytest.mark.parametrize(("when", "act"), MEANT)
def test_a_key_of_use_is_not(when: Any, act: Any) -> None:
    assert problems(document(when, act)) == []
