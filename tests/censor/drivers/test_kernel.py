"""The kernel's side, as far as it can be told without touching it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from censor.drivers import kernel
from censor.errors import MachineError

ROOT = Path(__file__).parents[3]


def test_it_refuses_a_network_that_is_the_machine_s() -> None:
    if os.stat("/proc/self/ns/user").st_ino != 0xEFFFFFFD:
        pytest.skip("these tests run in a user namespace, so this network is not the machine's")
    with pytest.raises(MachineError, match="unshare"):
        kernel.refuse_outside_a_sandbox()


def test_it_accepts_a_network_made_for_it() -> None:
    script = "from censor.drivers.kernel import refuse_outside_a_sandbox as r; r(); print('in')"
    done = subprocess.run(
        ["unshare", "-U", "-r", "-n", sys.executable, "-c", script],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if "unshare:" in done.stderr:
        pytest.skip(f"no user namespaces here: {done.stderr}")
    assert done.stdout == "in\n", done.stderr


def test_marks_of_generations_differ_and_none_is_nothing() -> None:
    marks = {kernel.mark(generation) for generation in range(1, 1000)}
    assert len(marks) == 999
    assert kernel.MARK not in marks
    assert all(mark & 0xFFF00000 == kernel.MARK for mark in marks)


def test_the_rules_ask_first_and_pass_only_this_generation() -> None:
    text = kernel.Filter(3, offload=True)._rules(5)
    lines = text.splitlines()
    assert lines[0] == "*mangle"
    assert lines[-1] == "COMMIT"
    syn, settled, rest = (
        next(n for n, line in enumerate(lines) if part in line)
        for part in ("--syn", "ACCEPT", "-A FORWARD -j NFQUEUE --queue-num 3")
    )
    assert syn < settled < rest
    assert hex(kernel.mark(5)) in lines[settled]
    assert "bypass" not in text


def test_idle_and_inspecting_everything_pass_nothing_by() -> None:
    assert "ACCEPT" not in kernel.Filter(3, offload=True)._rules(None)
    plain = kernel.Filter(3, offload=False)._rules(None)
    assert "CONNMARK" not in plain  # no connection tracking at all
    assert "--queue-num 3" in plain


def test_counters_that_are_not_there_are_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    table = tmp_path / "nfnetlink_queue"
    monkeypatch.setattr(kernel, "_COUNTERS", table)
    with pytest.raises(MachineError, match="ordinary user"):
        kernel.counters(7)
    table.write_text("    7  31337     2 2  4016     5     6       99  1\n")
    assert kernel.counters(7) == kernel.Counters(2, 5, 6)
    with pytest.raises(MachineError, match="queue 8 is not there"):
        kernel.counters(8)


def test_an_icmp_error_neither_takes_nor_leaves_the_mark_of_what_it_is_about() -> None:
    lines = kernel.Filter(3, offload=True)._rules(5).splitlines()
    marking = [line for line in lines if "CONNMARK" in line]
    assert len(marking) == 2
    assert all("! --ctstate RELATED" in line for line in marking)


@pytest.mark.parametrize(
    ("saved", "found"),
    [
        ("*mangle\n:FORWARD ACCEPT [0:0]\n-A FORWARD -j NFQUEUE --queue-num 7\nCOMMIT\n", None),
        ("*filter\n-A INPUT -p tcp --dport 53 -j DROP\nCOMMIT\n*nat\nCOMMIT\n", None),
        ("*nat\n-A POSTROUTING -o eth0 -j MASQUERADE\n", "-A POSTROUTING -o eth0 -j MASQUERADE"),
        ("*filter\n-A INPUT -m state --state NEW\n", "-A INPUT -m state --state NEW"),
        ("*mangle\n-A FORWARD -j CONNMARK --save-mark\n", "-A FORWARD -j CONNMARK --save-mark"),
        ("*raw\n-A PREROUTING -j CT --notrack\n", "-A PREROUTING -j CT --notrack"),
    ],
)
def test_rules_that_make_the_kernel_track_connections_are_known(
    saved: str, found: str | None
) -> None:
    assert kernel.tracking_rule(saved) == found


def test_the_kernel_forgets_no_later_than_the_box(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = {"tcp_timeout_established": 432_000, "udp_timeout": 30, "udp_timeout_stream": 120,
             "frag6_timeout": 60}  # fmt: skip
    for name, seconds in found.items():
        (tmp_path / f"nf_conntrack_{name}").write_text(f"{seconds}\n")
    monkeypatch.setattr(kernel, "_TRACKER", tmp_path)
    kernel.forget_after(59.9)
    assert {name: int((tmp_path / f"nf_conntrack_{name}").read_text()) for name in found} == {
        "tcp_timeout_established": 59, "udp_timeout": 30, "udp_timeout_stream": 59,
        "frag6_timeout": 60,
    }  # fmt: skip


def test_only_flows_with_ports_bear_marks() -> None:
    named = [kernel.may_be_marked({"protocol": name}) for name in ("tcp", "udp", "icmp", "47")]
    assert named == [True, True, False, False]
