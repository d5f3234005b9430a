"""The proof with the real engine: true policies pass, and each break is told apart."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from scapy.layers.inet import ICMP, IP, UDP
from scapy.packet import Raw

from filterbed.attribution import of_measurements
from filterbed.pcapng import Frame, read, write
from filterbed.proof import Group, gather, lay, memory
from filterbed.question import Question
from filterbed.rehearsal import Door
from scenarios.model import Truth
from tests.filterbed.recording import (
    AUTH,
    CLIENTS,
    EPOCH,
    OK,
    POISONED,
    POLICY,
    RESET,
    RESIDUAL,
    RESOLVER,
    SHARED,
    SITES,
    TRUTHS,
    Pass,
    control,
    proof,
    question,
    targets,
)


def proven(
    tmp_path: Path, asked: Question, made: Pass, policy: Mapping[str, Any] = POLICY
) -> list[str]:
    write(tmp_path / "door.pcapng", ("inside", "outside"), made.frames)
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    door = Door("gfw", tmp_path / "door.pcapng", tmp_path / "policy.json")
    return proof(asked, made.measurements, door, tmp_path / "proof")


def without(rule: str) -> dict[str, Any]:
    return {**POLICY, "rules": [r for r in POLICY["rules"] if r["id"] != rule]}


# The proof holds


def test_what_is_declared_is_proven(tmp_path: Path) -> None:
    """Chance rules are certain, and the collateral is hit in declared order."""
    assert proven(tmp_path, question(), control()) == []
    assert read(tmp_path / "proof" / "gfw.alone.pcapng").frames


def test_two_vantages_do_not_hit_each_other(tmp_path: Path) -> None:
    asked = question(vantages=("bj", "sh"))
    assert proven(tmp_path, asked, control(vantages=("bj", "sh"))) == []


def test_concurrent_flows_are_told_apart(tmp_path: Path) -> None:
    """The control pass measured everything at once: the packets stand mixed in the record."""
    made = control()
    mixed: list[Frame] = []
    by_port: dict[int, list[Frame]] = {}
    for frame in made.frames:
        ports = (frame.data[20:22], frame.data[22:24])
        by_port.setdefault(max(int.from_bytes(p, "big") for p in ports), []).append(frame)
    while any(by_port.values()):
        for frames in by_port.values():
            if frames:
                at = round((EPOCH + len(mixed) / 1000) * 1e9)
                mixed.append(frames.pop(0)._replace(at=at))
    made.frames = mixed
    assert proven(tmp_path, question(), made) == []


def test_a_recursors_own_questions_count_for_all_who_ask_it(tmp_path: Path) -> None:
    """Both vantages ask a recursor inside; only its own query, once, crosses the border."""
    made = Pass()
    made.ask(RESOLVER, AUTH, "facebook.com", 5353)
    for vantage in CLIENTS:
        name, server = SITES["facebook"]
        made.fetch(CLIENTS[vantage], server, name, 6000)
        flow = ["tcp", CLIENTS[vantage], 6000, server, 80]
        made.measurements[vantage] = [
            {"target": "facebook", "t_start": EPOCH, "t_end": made.now, "flows": [flow]}
        ]
    asked = question(
        order=["facebook"], vantages=tuple(CLIENTS), resolvers={RESOLVER: ("bj", "sh")}
    )
    assert proven(tmp_path, asked, made) == []
    # Without the recursor the question is nobody's, and facebook draws no act.
    problems = proven(tmp_path, replace(asked, resolvers={}), made)
    assert len(problems) == 3
    assert "udp 8.8.0.53:5353 - 9.9.0.53:53 belongs to no target" in problems[2]


# The proof breaks


def test_a_rule_that_was_removed(tmp_path: Path) -> None:
    (problem,) = proven(tmp_path, question(), control(), without("facebook-dns"))
    assert problem == (
        "proof: facebook from bj is declared blocked dns.injection.other (network), but fed the "
        "control pass the engine draws no act on it (gfw saw 10 packets of it)"
    )


def test_a_rule_that_was_removed_takes_its_memory_along(tmp_path: Path) -> None:
    problems = proven(tmp_path, question(), control(), without("banned-host"))
    assert len(problems) == 2
    assert "banned from bj is declared blocked http.reset.host" in problems[0]
    assert "beside from bj may be blocked residual (network) as the log decides" in problems[1]


def test_a_name_too_many(tmp_path: Path) -> None:
    policy = json.loads(json.dumps(POLICY))
    policy["rules"][0]["when"] = {"dns.name": {"suffix": ["facebook.com", "example.net"]}}
    (problem,) = proven(tmp_path, question(), control(), policy)
    assert problem.startswith("proof: clean from bj is declared ok, but the engine acts on it: ")
    assert "gfw injected, rule facebook-dns" in problem
    assert "clean.example.net" in problem


def test_collateral_that_is_not_declared(tmp_path: Path) -> None:
    asked = question({**TRUTHS, "beside": Truth(OK, OK)})
    (problem,) = proven(tmp_path, asked, control())
    assert "beside from bj is declared ok, and alone it is left in peace, but after" in problem
    assert "rule banned-host" in problem
    assert "from a memory" in problem
    assert problem.endswith("collateral that is not declared")


def test_collateral_declared_before_its_trigger_is_never_hit(tmp_path: Path) -> None:
    order = ("beside", "facebook", "banned", "clean")
    (problem,) = proven(tmp_path, question(order=order), control(order))
    assert "beside from bj may be" in problem
    assert "right after the target whose memory should hit it" in problem


def test_a_block_that_only_a_neighbours_memory_makes_is_no_rule(tmp_path: Path) -> None:
    """`beside` is declared blocked by a rule of its own; alone nothing happens to it."""
    asked = question({**TRUTHS, "beside": Truth(RESET, OK)})
    (problem,) = proven(tmp_path, asked, control())
    assert "beside from bj is declared blocked http.reset.host" in problem
    assert "write decided-by: log" in problem
    residual = question({**TRUTHS, "beside": Truth(RESIDUAL, OK)})
    (problem,) = proven(tmp_path, residual, control())
    assert "only a memory that the targets before it leave acts on it" in problem


def test_what_is_left_to_chance_is_left_to_the_log(tmp_path: Path) -> None:
    rules = [dict(rule) for rule in POLICY["rules"]]
    rules[0]["chance"] = 0.01
    policy = {**POLICY, "rules": rules}
    (problem,) = proven(tmp_path, question(), control(), policy)
    assert "facebook from bj is declared blocked" in problem
    assert "but only by chance" in problem
    racing = {**POLICY, "race": "may-lose"}
    assert len(proven(tmp_path, question(), control(), racing)) == 2  # facebook and banned
    by_log = question({**TRUTHS, "facebook": Truth(POISONED, OK, by_log=True)})
    assert proven(tmp_path, by_log, control(), policy) == []


def test_packets_of_nobody_draw_no_act(tmp_path: Path) -> None:
    made = control()
    made.ask("1.9.9.9", RESOLVER, "www.facebook.com", 999)
    (problem,) = proven(tmp_path, question(), made)
    assert "udp 1.9.9.9:999 - 8.8.0.53:53 belongs to no target, but the engine acts" in problem


def test_packets_that_never_reached_the_box(tmp_path: Path) -> None:
    made = control()
    made.frames = [f for f in made.frames if b"facebook" not in f.data]
    made.measurements["bj"][0]["flows"] = []
    (problem,) = proven(tmp_path, question(), made)
    assert "(gfw saw 0 packets of it)" in problem


def test_a_subset_of_targets_need_not_hit_collateral(tmp_path: Path) -> None:
    asked = question(order=["beside"])
    assert len(proven(tmp_path, asked, control(["beside"]))) == 1
    part = replace(question(), targets=targets(["beside"]))
    assert part.partial
    assert proven(tmp_path, part, control(["beside"])) == []


def test_a_refused_policy_and_a_missing_record(tmp_path: Path) -> None:
    problems = proven(tmp_path, question(), control(), {"position": "nowhere"})
    assert problems
    assert all("ended with status 2" in problem for problem in problems)
    door = Door("gfw", tmp_path / "none.pcapng", tmp_path / "policy.json")
    (problem,) = proof(question(), {}, door, tmp_path)
    assert "proof: box gfw: " in problem
    assert "none.pcapng" in problem


# Parts


def test_laying_keeps_order_and_distances_within_a_group() -> None:
    def group(owner: Any, *times: float) -> Group:
        return Group(owner, tuple(Frame(round(t * 1e9), 0, b"", 0) for t in times))

    groups = [
        group(("bj", "a"), 5.0, 5.5),
        group(("bj", "b"), 2.0, 1.9, 3.0),
        group(("sh", "a"), 9.0),
        group((17, (b"", 1), (b"", 2)), 1.0),
    ]
    ordered = lay(groups, gap=100.0, alone=False)
    assert [frame.at / 1e9 for frame in ordered.frames] == pytest.approx(
        [0, 0.5, 0.6, 0.6, 1.6, 101.6, 201.6]
    )
    alone = lay(groups, gap=100.0, alone=True)
    assert [frame.at / 1e9 for frame in alone.frames] == pytest.approx(
        [0, 0.5, 100.5, 100.5, 101.5, 201.5, 301.5]
    )
    assert ordered.owners == alone.owners
    assert [owner for owner in ordered.owners if owner == ("bj", "b")] == [("bj", "b")] * 3


def test_groups_come_in_declared_order_and_strays_last() -> None:
    frames = [Frame(n, 0, b"", 0) for n in range(4)]
    stray = (17, (b"", 1), (b"", 2))
    owners: list[Any] = [(stray,), (("bj", "b"), ("bj", "a")), (("bj", "a"),), (None,)]
    groups = gather(frames, owners, [("bj", "a"), ("bj", "b"), ("bj", "c")])
    assert [group.owner for group in groups] == [("bj", "a"), ("bj", "b"), stray, None]
    assert [frame.at for frame in groups[0].frames] == [1, 2]


def test_one_port_used_for_two_targets_is_told_apart_by_time() -> None:
    made = Pass()
    for target, name in (("banned", "x"), ("beside", "y")):
        start = made.now
        made.fetch(CLIENTS["bj"], SHARED, name, 5060)
        flow = ["tcp", CLIENTS["bj"], 5060, SHARED, 80]
        made.measurements.setdefault("bj", []).append(
            {"target": target, "t_start": start, "t_end": made.now, "flows": [flow]}
        )
        made.now += 5
    owners = of_measurements(question(), made.measurements).sort(made.frames)
    assert owners == [(("bj", "banned"),)] * 8 + [(("bj", "beside"),)] * 8


def test_errors_and_fragments_belong_to_the_flow_they_are_about() -> None:
    made = Pass()
    made.measure("bj", "clean")
    about = made.frames[0].data
    error = IP(src="7.7.7.7", dst=CLIENTS["bj"]) / ICMP(type=3, code=1) / Raw(about[:28])
    made.see(error, inside=False)
    whole: Any = IP(src=CLIENTS["bj"], dst=RESOLVER, id=7) / UDP(sport=made.port, dport=53)
    for piece in (whole / Raw(b"x" * 3000)).fragment(fragsize=1400):
        made.see(piece, inside=True)
    owners = of_measurements(question(), made.measurements).sort(made.frames)
    assert set(owners) == {(("bj", "clean"),)}


def test_the_longest_memory_of_a_policy() -> None:
    assert memory(POLICY) == 90
    nested = {"then": {"residual": {"seconds": 180, "then": {"residual": {"seconds": 400}}}}}
    assert memory({"rules": [nested]}) == 400
    assert memory({"residual": {"seconds": 9.5, "after": 60}}) == 69.5  # it begins late
    assert memory({}) == memory([]) == memory("x") == 0
