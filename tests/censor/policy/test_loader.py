"""Policies: what a document means once it is compiled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from censor.errors import PolicyError
from censor.policy.document import PolicyDocument
from censor.policy.loader import InvalidPolicy, load, scaled
from censor.policy.quantity import seconds
from censor.rule.act import BlockPage, DnsAnswer, Drop, Number, Reset, Toward
from censor.rule.rules import App

WEB = {"http.host": {"exact": ["A.Example."]}}
TLS = {"tls": True}


def one(then: Any, when: Any = None, **more: Any) -> Any:
    when = when or ({"dns": True} if "dns-answer" in str(then) else WEB)
    policy = load(
        {"position": "in-path", "rules": [{"id": "r", "when": when, "then": then}], **more}
    )
    return (policy.exceptions + policy.rules)[0]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (0, 0.0), (1.5, 1.5), ("2 ms", 0.002), ("90 s", 90.0), ("90s", 90.0), ("20 min", 1200.0),
        ("1.5 h", 5400.0), ("7 d", 604800.0), ("250 us", 0.00025), ("0 s", 0.0),
    ],
)  # fmt: skip
def test_durations(text: Any, value: float) -> None:
    assert seconds(text) == value


@pytest.mark.parametrize(
    "text", ["", "ms", "2", "2 m", "-1 s", "1,5 s", "2  ms", None, [], "1e3 s"]
)
def test_no_durations(text: Any) -> None:
    with pytest.raises(ValueError, match="a duration"):
        seconds(text)


def test_defaults_by_position() -> None:
    on, within = load({"position": "on-path"}), load({"position": "in-path"})
    assert (on.in_path, on.latency) == (False, 0.002)
    assert (within.in_path, within.latency) == (True, 0.0)
    assert load({"position": "in-path", "latency": "16 ms"}).latency == 0.016
    answer = {"inject": "dns-answer", "empty": True}
    assert one(answer).then[0].drop
    assert not one(answer | {"request": "pass"}).then[0].drop
    assert not one(answer, position="on-path").then[0].drop
    assert not one({"inject": "reset"}).then[0].drop


def test_names_are_lower_case_and_without_a_final_dot() -> None:
    names = one({"drop": "flow"}).when.name
    assert names.exact == {"a.example"}
    assert names.find("a.example")


def test_conditions_compile() -> None:
    when = one(
        {"drop": "packet", "toward": "client"},
        {
            "client.address": ["24.48.0.0/16", "2600::/32"],
            "server.port": [53, "5060-5061"],
            "protocol": "udp",
            "direction": "inbound",
            "sip.method": ["invite"],
            "not": {"sip.host": {"suffix": ["carrier.example"]}},
        },
    ).when
    assert when.client.find(bytes([24, 48, 9, 9]))
    assert when.server_ports == {53, 5060, 5061}
    assert when.protocols == {17}
    assert when.inside is False
    assert when.app is App.SIP
    assert when.methods == {"INVITE"}
    assert when.negated.name.find("x.carrier.example")


def test_resets_compile() -> None:
    act = one({"inject": "reset", "offsets": [0, 1460, 4380], "ttl": {"random": [238, 39]},
               "ip_id": "mirror", "flags": "R", "df": False, "window": 54692}).then[0]  # fmt: skip
    assert isinstance(act, Reset)
    assert (act.count, act.flags, act.offsets, act.toward) == (3, 4, (0, 1460, 4380), Toward.BOTH)
    assert act.header.ttl == Number(39, 238)
    assert act.header.ip_id.mirror
    assert act.window == Number(54692, 54692)
    assert one({"inject": "reset"}).then[0].flags == 0x14
    assert one({"inject": "reset", "count": 5}).then[0].count == 5


def test_pools_are_resolved_by_family() -> None:
    pools = {"p": ["8.7.198.45", "2001:db8::1", "1.2.3.4"]}
    act = one({"inject": "dns-answer", "addresses": "p", "pick": "all"}, pools=pools).then[0]
    assert isinstance(act, DnsAnswer)
    assert act.v4 == (bytes([8, 7, 198, 45]), bytes([1, 2, 3, 4]))
    assert len(act.v6) == 1
    assert act.pick is None
    assert one({"inject": "dns-answer", "addresses": ["1.2.3.4"]}).then[0].pick == 1
    assert one({"inject": "dns-answer", "rcode": "nxdomain"}).then[0].rcode == 3
    assert one({"inject": "dns-answer", "rcode": "refused"}).then[0].rcode == 5


def test_pages_are_whole_responses() -> None:
    act = one({"inject": "block-page", "status": 302, "location": "http://w.example/",
               "body": "né", "headers": {"Server": "x"}}).then[0]  # fmt: skip
    assert isinstance(act, BlockPage)
    head, _, body = act.response.partition(b"\r\n\r\n")
    assert head.split(b"\r\n")[0] == b"HTTP/1.1 302 Found"
    assert b"Location: http://w.example/" in head
    assert b"Content-Length: 3" in head
    assert b"Server: x" in head
    assert body.decode() == "né"
    odd = one({"inject": "block-page", "status": 599}).then[0]
    assert odd.response.startswith(b"HTTP/1.1 599 \r\n")


def test_a_memory_does_what_its_act_did_unless_it_says_otherwise() -> None:
    memory = {"seconds": "90 s"}
    reset = one({"inject": "reset", "count": 2, "residual": memory}).then[0]
    assert reset.residual.then[0].count == 2
    assert reset.residual.then[0].residual is None
    assert (reset.residual.key, reset.residual.data_only, reset.residual.renew) == (
        "3-tuple", True, False,
    )  # fmt: skip
    drop = one({"drop": "flow", "residual": memory}).then[0]
    assert drop.residual.then == (Drop(False, Toward.BOTH, name="r.then[0]"),)
    other = one({"drop": "flow", "residual": memory | {"then": {"inject": "reset"}}}).then[0]
    assert isinstance(other.residual.then[0], Reset)


def test_exceptions_come_first_whatever_their_place() -> None:
    rules = [
        {"id": "all", "when": {}, "then": {"drop": "packet"}},
        {"id": "but", "when": {"server.port": [22]}, "then": {"allow": True}},
    ]
    policy = load({"position": "in-path", "rules": rules})
    assert [rule.id for rule in policy.exceptions] == ["but"]
    assert [rule.id for rule in policy.rules] == ["all"]


def test_a_bad_document_holds_all_its_problems() -> None:
    with pytest.raises(InvalidPolicy) as caught:
        load({"position": "x", "rules": [{}]})
    assert isinstance(caught.value, PolicyError)
    assert len(caught.value.details) == len(caught.value.problems) == 4
    assert "rules[0].then" in str(caught.value)


def test_scaled_divides_what_is_remembered_and_nothing_else() -> None:
    document = {
        "position": "on-path",
        "latency": "2 ms",
        "limits": {"idle": "10 min", "flows": 5},
        "rules": [
            {"id": "a", "when": WEB, "then": {"inject": "reset", "residual": {"seconds": "90 s"}}},
            {
                "id": "b",
                "when": {"tls": True},
                "then": [{"inject": "reset", "residual": {"seconds": 60}}],
            },
            {
                "id": "c",
                "when": {"http.method": ["GET"]},
                "then": {
                    "inject": "reset",
                    "residual": {
                        "seconds": 6,
                        "after": "6 s",
                        "then": {"inject": "fin", "latency": "3 ms"},
                    },
                },
            },
            {
                "id": "d",
                "when": {"sip.method": ["ACK"]},
                "then": {"inject": "sip-bye", "after": "2 min", "latency": "4 ms"},
            },
        ],
    }
    before = json.dumps(document)
    fast = scaled(document, 60)
    assert json.dumps(document) == before
    assert fast["latency"] == 0.002
    assert fast["limits"] == {"idle": 10.0, "flows": 5}
    assert fast["rules"][0]["then"]["residual"]["seconds"] == 1.5
    assert fast["rules"][1]["then"][0]["residual"]["seconds"] == 1.0
    delayed = fast["rules"][2]["then"]["residual"]
    assert delayed == {"seconds": 0.1, "after": 0.1, "then": {"inject": "fin", "latency": 0.003}}
    bye = fast["rules"][3]["then"]
    assert (bye["after"], bye["latency"]) == (2.0, 0.004)
    assert load(json.loads(json.dumps(fast))).limits.idle == 10.0
    same = scaled(document, 1)
    assert same["rules"][0]["then"]["residual"]["seconds"] == 90.0
    assert scaled({"position": "in-path"}, 100)["limits"]["idle"] == 6.0
    with pytest.raises(InvalidPolicy):
        scaled({}, 2)


def test_the_schema_for_editors_knows_the_dotted_keys() -> None:
    schema = json.dumps(PolicyDocument.model_json_schema(by_alias=True))
    assert all(word in schema for word in ("server.address", "dns.name", "block-page", '"not"'))
