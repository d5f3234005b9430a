"""docs/censor.md: complete, and its samples work."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel

from censor import events
from censor.engine.decision import Verdict
from censor.follow.ladder import LADDER
from censor.policy import action, clause, document, quantity
from censor.policy.loader import load
from censor.policy.profile import PROFILES

MANUAL = Path(__file__).parents[2].joinpath("docs", "censor.md").read_text("utf-8")


#: Behaviours, and what they say, as the manual writes their keys.
BEHAVIOURS = {
    name.removesuffix("Behaviour").lower(): model
    for name, model in vars(clause).items()
    if name.endswith("Behaviour")
}
PARTS = (*BEHAVIOURS, "limits")


def models() -> list[type[BaseModel]]:
    return [
        one
        for room in (document, clause, action, quantity)
        for one in vars(room).values()
        if isinstance(one, type) and issubclass(one, quantity.Model)
    ]


def test_every_key_of_a_policy_is_explained() -> None:
    words = set(re.findall(r"[A-Za-z0-9_.]+", MANUAL))
    keys = {field.alias or name for one in models() for name, field in one.model_fields.items()}
    assert len(keys) > 50
    assert {key for key in keys if key not in words and f"tcp.{key}" not in words
            and not any(f"{p}.{key}" in words for p in PARTS)
            } == set()  # fmt: skip


def test_every_event_is_explained() -> None:
    rows = set(re.findall(r"`(\w+)`", MANUAL[MANUAL.index("## Events") :]))
    drivers = set(events.DriverWord.__args__)  # type: ignore[attr-defined]
    assert events.ENGINE_WORDS | drivers <= rows


def test_defaults_are_as_stated() -> None:
    for prefix, model in (
        ("ip", clause.IpBehaviour),
        ("tcp", clause.TcpBehaviour),
        ("limits", document.LimitsDocument),
    ):
        for name, field in model.model_fields.items():
            (row,) = re.findall(rf"^\| `{prefix}\.{name}` \| `?(.*?)`? \|", MANUAL, re.MULTILINE)
            plain = str(field.default).lower().replace("'", "")
            assert row.removesuffix(" s") in (plain, f"{field.default:g}"
                if isinstance(field.default, float) else ""), name  # fmt: skip


def test_samples_work() -> None:
    blocks = re.findall(r"```(\w+)\n(.*?)```", MANUAL, re.DOTALL)
    policies = [load(yaml.safe_load(text)) for kind, text in blocks if kind == "yaml"]
    rules = {rule.id: rule for one in policies[1:] for rule in one.rules}
    assert policies[0].rules[1].chance == 0.75
    assert [act.chance for act in rules["sni"].then] == [0.5, 0.45, 0.1]
    assert {"openvpn", "wireguard"} <= set(rules)
    (code,) = (text for kind, text in blocks if kind == "python")
    exec(code, {})


def test_profiles_are_listed_with_their_facts() -> None:
    row = r"^\| `([a-z0-9-]+)` \| ([a-z-]+) \| `([a-z0-9-]+)`, (\w+) \| (.+) \|$"
    assert re.findall(row, MANUAL, re.MULTILINE) == [
        (name, one.act, one.fact, one.fidelity, one.source) for name, one in PROFILES.items()
    ]


def test_models_of_tcp_are_listed_with_their_keys() -> None:
    row = r"^\| `([a-z0-9-]+)` \| (.+) \| `({.*})` \| (\w+) \| (.+) \|$"
    found = re.findall(row, MANUAL, re.MULTILINE)
    assert [(name, what, yaml.safe_load(keys), *told) for name, what, keys, *told in found] == [
        (name, one.what, dict(one.keys), one.fidelity, one.source) for name, one in LADDER.items()
    ]


def test_every_act_is_listed() -> None:
    rows = re.findall(r"^\| `\{([a-z]+): ([a-z-]*)", MANUAL, re.MULTILINE)
    said = {{"inject": kind, "rewrite": f"rewrite {kind}"}.get(word, word) for word, kind in rows}
    assert said == set(action.ACTS)


def test_encrypted_dns_is_met_by_address_and_by_name(Talk: Any, hello: Any) -> None:
    """Source: fact ir-dot."""
    policy = yaml.safe_load(re.findall(r"```yaml\n(.*?)```", MANUAL, re.DOTALL)[1])
    for server, port, name, dropped in (
        ("1.1.1.1", 853, "dns.adguard.com", True),
        ("1.1.1.1", 853, None, True),
        ("8.8.8.8", 853, "dns.google", False),
        ("94.140.14.14", 853, "dns.adguard.com", True),
        ("94.140.14.14", 443, "dns.adguard.com", True),
        ("8.8.8.8", 443, "dns.google", True),
        ("8.8.8.8", 443, "www.google.com", False),
    ):
        talk = Talk(policy, server=server)
        verdict = talk.connection(port=port).say(hello(name)).verdict
        assert (verdict is Verdict.DROP) is dropped, (server, port, name)
