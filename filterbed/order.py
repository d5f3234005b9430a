"""What the runner asks of the stage inside the sandbox, and the files both know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from scenarios.model import Scenario
from scenarios.timeline import Phase

#: The probe that needs no command: it comes with the testbed.
BUILT_IN: Mapping[str, tuple[str, ...]] = {
    "webcheck": ("-P", "-m", "filterbed.probe.webcheck"),
}
#: What the stage brings back; in the run directory until the runner has read it.
RESULT = ".result.pickle"
OUTPUT_LIMIT = 16 * 2**20  # bytes of a tool's output that are kept, by contract


@dataclass(frozen=True, slots=True)
class Probe:
    """A tool under test: what it is called and how it is started."""

    name: str
    argv: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """One sandbox's work.

    Args:
        mode: "run" (passes and tools), "exec" (one command on one host) or "shell" (a prompt).
        directory: the run directory; the sandbox may write there and nowhere else on the host.
        policies: policy document by censor, durations resolved and divided by the clock rate.
        phases: of the scenario's timeline, in order; every tool is run once in each ("run").
        vantages, targets: those asked for, in declared order.
        idle: the censors are never made active.
        capture: whether the wire is recorded on both sides of every box.
        timeout: seconds a tool may take at one vantage.
        env, cwd: of the command line, for tools.
        keep: paths tools need although they lie under a home or a temporary directory.
        hidden: paths no tool may see.
        covered: directories (homes) that are empty for tools but for `keep`.
        keep_work: servers' configurations and the proof's recordings are copied to `work/`.
        host, argv: for "exec".
    """

    mode: Literal["run", "exec", "shell"]
    scenario: Scenario
    directory: str
    policies: Mapping[str, Mapping[str, object]]
    vantages: tuple[str, ...]
    targets: tuple[str, ...]
    phases: tuple[Phase, ...] = ()
    seed: int = 0
    clock_rate: float = 1.0
    idle: bool = False
    capture: bool = True
    timeout: float = 120.0
    probes: tuple[Probe, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str = "/"
    keep: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    keep_work: bool = False
    host: str = ""
    argv: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ToolRun:
    """One probe at one vantage: what it printed, as it arrived, and how it ended.

    `chunks` are (epoch seconds, bytes); `end` says how it ended if not by itself with status 0;
    `phase` is the number of the timeline's phase, from 0.
    """

    probe: str
    vantage: str
    started: float
    ended: float
    chunks: tuple[tuple[float, bytes], ...]
    cut: bool
    end: str | None
    status: int
    phase: int = 0


@dataclass(frozen=True, slots=True)
class Spell:
    """One probe in one phase: who enforced, `first` by box the packets it had seen before.

    `begun` is in seconds after the probe's pass began: not before the timeline says so, and later
    where a tool was still measuring.
    """

    probe: str
    phase: int
    begun: float
    enforcing: frozenset[str]
    first: Mapping[str, int]


@dataclass(slots=True)
class Result:
    """What a stage brings back for the judge.

    `problems` are reasons why the run is invalid; `boxes` what each censor said when it stopped;
    `macs` the hardware address of each interface of a box.
    """

    problems: list[str] = field(default_factory=list)
    links: list[dict[str, object]] = field(default_factory=list)
    boxes: dict[str, dict[str, object]] = field(default_factory=dict)
    tools: list[ToolRun] = field(default_factory=list)
    spells: list[Spell] = field(default_factory=list)
    macs: dict[str, str] = field(default_factory=dict)
    sysctls: dict[str, str] = field(default_factory=dict)
