"""The engine's laws: any bytes, the same again, bounded, said."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from censor.engine.decision import Verdict
from censor.engine.engine import Engine
from censor.policy.loader import load
from censor.wire import forge
from censor.wire.packet import Malformed, parse

ROOT = Path(__file__).parents[3]
ACCEPT, DROP = Verdict.ACCEPT, Verdict.DROP


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.binary(max_size=120),
                st.binary(min_size=20, max_size=100).map(lambda b: b"\x45" + b[1:]),
                st.builds(
                    lambda sport, dport, flags, seq, payload: forge.tcp(
                        forge.Ip(b"\1\1\1\1", b"\2\2\2\2"),
                        forge.Tcp(sport, dport, seq, 1, flags), payload,
                    ),
                    st.integers(0, 3), st.integers(80, 82), st.integers(0, 255),
                    st.integers(0, 2**32 - 1), st.binary(max_size=40),
                ),
                st.builds(
                    lambda sport, payload: forge.udp(
                        forge.Ip(b"\1\1\1\1", b"\2\2\2\2"), sport, 53, payload
                    ),
                    st.integers(0, 20), st.binary(max_size=60),
                ),
            ),
            st.booleans(),
            st.floats(0, 100),
        ),
        max_size=40,
    )
)  # fmt: skip
def test_any_bytes_give_a_decision(
    EVERYTHING: Any, packets: list[tuple[bytes, bool, float]]
) -> None:
    engine = Engine(load(EVERYTHING))
    now = 0.0
    for data, inside, step in packets:
        now += step
        decision = engine.receive(data, now=now, inside=inside)
        assert (decision.data is None) or not isinstance(parse(decision.data), Malformed)
        assert (decision.until is not None) == (decision.verdict is Verdict.HOLD)
        for injection in decision.injections:
            assert not isinstance(parse(injection.data), Malformed)
        due = engine.due()
        assert due is None or due > now


def test_malformed_and_truncated_packets_are_said(
    policy: Any, POISON: Any, Talk: Any, query: Any
) -> None:
    talk = Talk(policy(POISON))
    talk.give(b"")
    talk.give(b"\x45\0\0\x14")
    packet = forge.udp(forge.Ip(b"\1\1\1\1", b"\2\2\2\2"), 4, 53, query("blocked.example") * 9)
    talk.give(packet[:60])
    assert talk.words() == ["malformed", "malformed", "truncated"]
    assert talk.events()[2].detail == {"captured": 60, "length": len(packet)}
    assert [event.n for event in talk.events()] == [1, 2, 3]


def test_flows_are_bounded_and_evictions_are_said(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    talk = Talk(policy(HOST, limits={"flows": 3}))
    for n in range(5):
        talk.connection(sport=50000 + n).say(get("free.example"))
    assert talk.words() == ["evicted", "evicted"]
    assert talk.events()[0].flow["client_port"] == 50000
    assert len(talk.engine._table) == 3
    assert len(talk.engine._quick) == 6


def test_what_was_settled_and_had_to_make_room_is_said(
    policy: Any, HOST: Any, Talk: Any, get: Any
) -> None:
    talk = Talk(policy(HOST, limits={"flows": 2}))
    settled, unsettled = talk.connection(sport=50000), talk.connection(sport=50001)
    settled.say(get("free.example"))
    unsettled.say(b"GET /")
    for n in range(2, 5):
        talk.connection(sport=50000 + n)
    found = [flow["client_port"] for _, _, one in talk.log for flow in one.forgotten]
    assert found == [50000]


@pytest.fixture
def story(policy: Any, POISON: Any, HOST: Any, Talk: Any, query: Any, get: Any) -> Any:
    """Tell a story of chances with a seed."""
    rules = policy(
        {**POISON, "chance": 0.5, "then": {**POISON["then"], "ttl": {"random": [30, 255]}}},
        {**HOST, "then": {"inject": "reset", "ttl": {"random": [1, 255]}}},
    )

    def tell(seed: int) -> str:
        talk = Talk(rules, seed=seed)
        for n in range(30):
            talk.udp(query("blocked.example"), sport=4000 + n)
            talk.connection(sport=50000 + n).say(get(f"w{n}.blocked.example"))
        return repr([(e.record(box="b")) for e in talk.events()])

    return tell


def test_the_same_seed_does_the_same(story: Any) -> None:
    assert story(7) == story(7)
    assert story(7) != story(8)


def test_python_s_hash_seed_changes_nothing(tmp_path: Path) -> None:
    script = tmp_path / "story.py"
    script.write_text(
        f"""
import hashlib, json
from benchmarks.mix import POLICY, mix
from censor.engine.engine import Engine
from censor.policy.loader import load
rules = [{{**rule, "chance": 0.5}} for rule in POLICY["rules"]]
engine = Engine(load({{**POLICY, "rules": rules}}), seed=5)
digest = hashlib.sha256()
for one in mix({5000}):
    for event in engine.receive(one.packet, now=one.now, inside=one.inside).events:
        digest.update(json.dumps(event.record(box="b")).encode())
print(digest.hexdigest())
"""
    )
    digests = {
        subprocess.run(
            [sys.executable, str(script)],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True, text=True, check=True,
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(digests) == 1
    assert digests != {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n"}


def test_the_engine_has_no_socket_clock_or_die() -> None:
    banned = {"socket", "time", "random", "threading", "logging", "yaml", "scapy", "netfilterqueue"}
    script = (
        "import sys, builtins; real = builtins.__import__; seen = set()\n"
        "def spy(name, globals=None, *rest):\n"
        "    if (globals or {}).get('__name__', '').startswith('censor'):\n"
        "        seen.add(name.split('.')[0])\n"
        "    return real(name, globals, *rest)\n"
        "builtins.__import__ = spy\nimport censor.engine.engine\nprint(*seen)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    imported = set(done.stdout.split())
    assert "censor" in imported
    assert not imported & banned
