"""What flows bear, as transcripts: policing, shaping, delay, loss, cuts."""

from __future__ import annotations

from typing import Any

import pytest

from censor.engine.decision import Verdict
from censor.interfere.burden import DROP, Bucket, Buckets, Shelf
from censor.policy.loader import load, scaled
from censor.rule.act import Cut, Toward
from censor.rule.luck import Luck

ACCEPT, DROPPED, HOLD = Verdict.ACCEPT, Verdict.DROP, Verdict.HOLD
SNI = {"tls.sni": {"suffix": ["blocked.example"]}}
ANY = {"server.port": [9]}


def policy(then: Any, when: Any = None, **more: Any) -> dict[str, Any]:
    rule = {"id": "r", "when": when or ANY, "then": then}
    return {"position": "in-path", "rules": [rule], **more}


def stream(talk: Any, count: int, size: int, gap: float, **how: Any) -> list[Verdict]:
    """Send `count` datagrams of `size` bytes of IP, `gap` seconds apart."""
    begin = len(talk.log)
    for _ in range(count):
        talk.now += gap - 0.01
        talk.udp(bytes(size - 28), port=9, **how)
    return [decision.verdict for _, _, decision in talk.log[begin:]]


# --- policing --------------------------------------------------------------------------------


def test_a_policer_drops_what_is_above_its_rate(Talk: Any) -> None:
    """ru-twitter-2021: 140 kbit/s, packets above it dropped, not delayed."""
    talk = Talk(policy({"police": "140 kbit/s", "burst": "10 kB"}))
    seconds, size = 60, 1250
    verdicts = stream(talk, seconds * 56, size, 1 / 56)  # 560 kbit/s
    passed = verdicts.count(ACCEPT) * size * 8
    assert set(verdicts) == {ACCEPT, DROPPED}
    assert passed == pytest.approx(140_000 * seconds + 80_000, rel=0.01)
    assert verdicts[:8] == [ACCEPT] * 8  # the burst
    assert talk.words().count("dropped") == verdicts.count(DROPPED)


def test_each_direction_and_flow_has_tokens_of_its_own(Talk: Any) -> None:
    talk = Talk(policy({"police": "8 kbit/s", "burst": 1000}))
    assert stream(talk, 3, 500, 0.01) == [ACCEPT, ACCEPT, DROPPED]
    assert stream(talk, 3, 500, 0.01, back=True) == [ACCEPT, ACCEPT, DROPPED]
    assert stream(talk, 3, 500, 0.01, sport=40001) == [ACCEPT, ACCEPT, DROPPED]
    one_way = Talk(policy({"police": "8 kbit/s", "burst": 1000, "toward": "client"}))
    assert stream(one_way, 3, 500, 0.01) == [ACCEPT] * 3
    assert stream(one_way, 3, 500, 0.01, back=True) == [ACCEPT, ACCEPT, DROPPED]


@pytest.mark.parametrize(("per", "same", "other"), [("pair", 0, 2), ("rule", 0, 0), ("flow", 2, 2)])
def test_whose_bytes_are_counted_together(Talk: Any, per: str, same: int, other: int) -> None:
    talk = Talk(policy({"police": "8 kbit/s", "burst": 1000, "per": per}))
    assert stream(talk, 3, 500, 0.01).count(ACCEPT) == 2
    assert stream(talk, 3, 500, 0.01, sport=40001).count(ACCEPT) == same
    talk.client = "24.48.0.3"
    assert stream(talk, 3, 500, 0.01).count(ACCEPT) == other


def test_a_name_brings_the_burden_on_its_own_flow_only(Talk: Any, hello: Any) -> None:
    talk = Talk(policy({"police": "140 kbit/s", "burst": "3 kB"}, SNI))
    bad = talk.connection(port=443)
    good = talk.connection(port=443, sport=50001)
    bad.say(hello("abs.blocked.example"))
    good.say(hello("free.example"))
    verdicts = {True: [], False: []}  # type: ignore[var-annotated]
    for _ in range(20):
        verdicts[True].append(bad.say(bytes(1000), back=True).verdict)
        decision = good.say(bytes(1000), back=True)
        verdicts[False].append(decision.verdict)
        assert decision.settled
    assert verdicts[True].count(DROPPED) > 8
    assert set(verdicts[False]) == {ACCEPT}
    assert not any(d.settled for _, _, d in talk.log if d.verdict is DROPPED)


# --- shaping, delay, jitter ------------------------------------------------------------------


def test_a_shaper_holds_and_keeps_the_order(Talk: Any) -> None:
    talk = Talk(policy({"shape": "80 kbit/s", "burst": 1000, "queue": "300 ms"}))
    verdicts = stream(talk, 8, 1000, 0.01)
    assert verdicts == [ACCEPT, HOLD, HOLD, HOLD, DROPPED, DROPPED, DROPPED, DROPPED]
    leaves = [d.until for _, _, d in talk.log if d.until is not None]
    assert leaves == pytest.approx([0.11, 0.21, 0.31])  # one packet each 100 ms
    assert talk.events()[2].event == "held"
    assert talk.events()[2].detail["until"] == leaves[1]


def test_delay_and_jitter_hold_every_packet(Talk: Any) -> None:
    talk = Talk(policy({"delay": "300 ms", "jitter": "100 ms", "toward": "client"}))
    assert stream(talk, 3, 100, 0.02) == [ACCEPT] * 3
    assert stream(talk, 200, 100, 0.02, back=True) == [HOLD] * 200
    waits = [d.until - t for t, _, d in talk.log if d.until is not None]
    leaves = [d.until for _, _, d in talk.log if d.until is not None]
    assert min(waits) >= 0.3
    assert max(waits) <= 0.4
    assert 0.33 < sum(waits) / len(waits) < 0.38
    assert leaves == sorted(leaves)


def test_what_is_held_has_a_limit(Talk: Any) -> None:
    talk = Talk(policy({"delay": 1}, limits={"held": 2}))
    assert stream(talk, 4, 100, 0.1) == [HOLD, HOLD, DROPPED, DROPPED]
    assert talk.words() == ["matched", "held", "held", "evicted", "dropped", "evicted", "dropped"]
    assert talk.events()[3].detail == {"what": "held", "limit": 2}
    assert stream(talk, 1, 100, 0.75) == [HOLD]  # the first has left


# --- loss ------------------------------------------------------------------------------------


def test_thinning_loses_its_share(Talk: Any) -> None:
    talk = Talk(policy({"thin": 0.3}), seed=1)
    verdicts = stream(talk, 2000, 100, 0.01)
    assert 0.27 < verdicts.count(DROPPED) / 2000 < 0.33
    certain = Talk(policy({"thin": 0.3}), certain=True)
    assert set(stream(certain, 100, 100, 0.01)) == {ACCEPT, DROPPED}  # still a share


# --- cuts ------------------------------------------------------------------------------------


def test_cut_after_packets_or_bytes_whichever_is_first(Talk: Any) -> None:
    """ru-16kb: after 25 data packets either way, or 16 KiB, silence in both directions."""
    cut = {"cut": {"packets": 25, "bytes": "16 KiB"}, "data_only": True}
    talk = Talk(policy(cut, {"server.port": [443]}))
    small = talk.connection(port=443)
    verdicts = [small.say(b"x", back=bool(n % 2)).verdict for n in range(30)]
    assert verdicts == [ACCEPT] * 25 + [DROPPED] * 5
    assert small.segment().verdict is DROPPED
    big = talk.connection(port=443, sport=50001)
    verdicts = [big.say(bytes(1024), back=True).verdict for _ in range(20)]
    assert verdicts == [ACCEPT] * 16 + [DROPPED] * 4


def test_cut_counts_one_direction(Talk: Any) -> None:
    talk = Talk(policy({"cut": {"packets": 3}, "counting": "client", "toward": "server"}))
    assert stream(talk, 9, 100, 0.01) == [ACCEPT] * 9
    assert stream(talk, 4, 100, 0.01, back=True) == [ACCEPT] * 4
    assert stream(talk, 2, 100, 0.01) == [DROPPED] * 2
    assert stream(talk, 2, 100, 0.01, back=True) == [ACCEPT] * 2


def test_a_delayed_symmetric_drop_lasts_its_time(Talk: Any, hello: Any) -> None:
    """ru-tspu-sni2: 5 to 8 more packets pass after the ClientHello, then none for 420 s."""
    counts = set()
    for seed in range(12):
        cut = {"cut": {"packets": {"random": [5, 8]}}, "for": "420 s"}
        talk = Talk(policy(cut, SNI), seed=seed)
        tcp = talk.connection(port=443)
        assert tcp.say(hello("www.blocked.example")).verdict is ACCEPT
        verdicts = [tcp.say(b"x", back=bool(n % 2)).verdict for n in range(12)]
        count = verdicts.count(ACCEPT)
        assert verdicts == [ACCEPT] * count + [DROPPED] * (12 - count)
        counts.add(count)
        cut_at = next(t for t, _, d in talk.log if d.verdict is DROPPED)
        talk.now = cut_at + 419.9
        assert tcp.say(b"x").verdict is DROPPED
        talk.now = cut_at + 420.1
        decision = tcp.say(b"x")
        assert (decision.verdict, decision.settled) == (ACCEPT, True)
    assert counts == {5, 6, 7, 8}


def test_cut_after_seconds_follows_the_clock_rate(Talk: Any) -> None:
    document = policy([{"cut": {"seconds": "20 s"}, "for": "40 s"}, {"delay": "100 ms"}])
    for clock_rate in (1, 10):
        fast = scaled(document, clock_rate)
        assert fast["rules"][0]["then"][1]["delay"] == 0.1
        talk = Talk(fast)
        assert stream(talk, 1, 100, 1) == [HOLD]
        assert stream(talk, 1, 100, 19.9 / clock_rate) == [HOLD]
        assert stream(talk, 1, 100, 0.2 / clock_rate) == [DROPPED]
        assert stream(talk, 1, 100, 41 / clock_rate) == [HOLD]


# --- rules -----------------------------------------------------------------------------------


def test_a_plain_rule_binds_a_flow_once_and_keeps_later_rules_out(Talk: Any) -> None:
    rules = [
        {"id": "slow", "when": ANY, "then": {"thin": 0.5}, "chance": 0.5},
        {"id": "gone", "when": ANY, "then": {"drop": "packet"}},
    ]
    talk = Talk({"position": "in-path", "rules": rules}, seed=2)
    kinds = set()
    for n in range(20):
        begin = len(talk.log)
        verdicts = stream(talk, 40, 100, 0.01, sport=4000 + n)
        events = [e for _, _, d in talk.log[begin:] for e in d.events if e.event == "matched"]
        kinds.add((len(events), verdicts.count(DROPPED) == 40))
    assert kinds == {(1, False), (2, True)}


def test_the_burdened_do_not_settle_and_an_exception_lifts_it(Talk: Any, hello: Any) -> None:
    rules = [
        {"id": "slow", "when": {"server.port": [443]}, "then": {"thin": 1.0, "toward": "client"}},
        {"id": "friend", "when": {"tls.sni": {"exact": ["friend.example"]}},
         "then": {"allow": True}},
    ]  # fmt: skip
    rules.append({"id": "other", "when": SNI, "then": {"drop": "flow"}})
    talk = Talk({"position": "in-path", "rules": rules})
    tcp = talk.connection(port=443)
    tcp.say(hello("friend.example"))
    assert tcp.say(b"x", back=True).settled
    foe = talk.connection(port=443, sport=50001)
    assert foe.say(hello("free.example")).settled is False
    assert foe.say(b"x", back=True).verdict is DROPPED


# --- the parts -------------------------------------------------------------------------------


def test_buckets() -> None:
    bucket = Bucket(100.0, 50.0, 0.0)
    assert [bucket.police(30, 0.0), bucket.police(30, 0.0), bucket.police(30, 0.1)] == [0, DROP, 0]
    bucket = Bucket(100.0, 0.0, 0.0)
    assert [bucket.shape(10, 0.0, 1.0) for _ in range(3)] == pytest.approx([0.1, 0.2, 0.3])
    assert bucket.shape(100, 0.0, 1.0) == DROP


def test_shared_buckets_are_bounded() -> None:
    (act,) = load(policy({"police": 8000, "per": "pair"})).rules[0].then
    shared = Buckets(2)
    found = [shared.find(("r", True, bytes([n]), b""), act, 0.0) for n in range(3)]  # type: ignore[arg-type]
    assert shared.find(("r", True, bytes([2]), b""), act, 0.0) is found[2]  # type: ignore[arg-type]
    assert shared.find(("r", True, bytes([0]), b""), act, 0.0) is not found[0]  # type: ignore[arg-type]


def test_a_shelf_has_room_again_once_packets_left() -> None:
    shelf = Shelf(1)
    assert [shelf.take(2.0, 1.0), shelf.take(3.0, 1.5), shelf.take(3.0, 2.0)] == [True, False, True]


@pytest.mark.parametrize(
    ("per", "same", "other"), [("flow", False, False), ("pair", True, False), ("rule", True, True)]
)
def test_whose_packets_a_cut_counts_together(Talk: Any, per: str, same: bool, other: bool) -> None:
    act = {"cut": {"packets": 3}, "per": per, "for": "60 s"}
    rule = {"id": "r", "when": {"protocol": "udp"}, "then": act}
    talk = Talk({"position": "in-path", "rules": [rule]})
    first = [talk.udp(b"x", port=4000).verdict for _ in range(5)]
    assert first == [Verdict.ACCEPT] * 3 + [Verdict.DROP] * 2
    assert (talk.udp(b"x", port=4000, sport=40001).verdict is Verdict.DROP) is same
    talk.server = "93.184.216.35"
    assert (talk.udp(b"x", port=4000).verdict is Verdict.DROP) is other
    talk.now += 61
    talk.server = "93.184.216.34"
    anew = [talk.udp(b"x", port=4000, sport=40002).verdict for _ in range(4)]
    assert anew == [Verdict.ACCEPT] * 3 + [Verdict.DROP]


def test_shared_cuts_are_bounded() -> None:
    shared = Buckets(2)
    cut = Cut(
        toward=Toward.BOTH, lasting=None, packets=None, size=9, seconds=None,
        counting=Toward.BOTH, data_only=False,
    )  # fmt: skip
    for n in range(5):
        shared.gauge(("cut", True, bytes([n]), b""), cut, 0.0, Luck(0))
    assert len(shared._gauges) == 2


@pytest.mark.parametrize(
    "act", [{"police": 8000, "per": "pair"}, {"cut": {"packets": 9}, "per": "pair"}]
)
def test_a_shared_count_that_had_to_go_is_said(Talk: Any, act: Any) -> None:
    rule = {"id": "r", "when": {"protocol": "udp"}, "then": act}
    talk = Talk({"position": "in-path", "rules": [rule], "limits": {"flows": 1}})
    talk.udp(b"x", port=9)
    talk.server = "93.184.216.35"
    talk.udp(b"x", port=9)
    gone = [event.detail for event in talk.events() if event.event == "evicted"]
    assert {"what": "bucket", "act": "r.then[0]", "limit": 1} in gone
