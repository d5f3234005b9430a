"""The passes of a run: control, proof, tools, control again."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from filterbed.baseline import holds
from filterbed.order import BUILT_IN, Probe, Spell, ToolRun
from filterbed.stage import phase, tool
from filterbed.stage.ground import Ground
from filterbed.stage.trouble import Trouble, watch
from filterbed.stage.vantage import environment
from topologies import condition
from topologies.network import NetworkError

Measurement = Mapping[str, Any]
CONTROL_SECONDS = 60.0


def control(ground: Ground, turn: str) -> dict[str, list[Measurement]]:
    """Have every vantage measure every target, nobody interfering; check against the baselines.

    Returns the measurements by vantage. Raises: Trouble with every difference.
    """
    order = ground.order
    targets = [t for t in order.scenario.targets if t.name in order.targets]
    with ThreadPoolExecutor(len(order.vantages)) as pool:
        found = dict(
            zip(
                order.vantages,
                pool.map(lambda vantage: _measure(ground, vantage, turn), order.vantages),
                strict=True,
            )
        )
    _record(ground, turn, found)
    problems = []
    for vantage, measurements in found.items():
        by_target = {m["target"]: m for m in measurements}
        missing = [target.name for target in targets if target.name not in by_target]
        if missing:
            log = (ground.rundir.logs / f"control-{turn}-{vantage}.log").read_text(
                "utf-8", "replace"
            )
            problems.append(
                f"control pass ({turn}): {vantage} has no measurement of {len(missing)} targets "
                f"({', '.join(missing[:3])}...); {log.strip()[-300:]}"
            )
        for target in targets:
            measurement = by_target.get(target.name)
            where = f"control pass ({turn}): {vantage} sees {target.name}"
            if measurement is None:
                continue
            word = target.baseline[vantage]
            expected = _expected(ground, target.fields)
            problems += [
                f"{where}: {why}" for why in holds(word, measurement, target.public(), expected)
            ]
    if problems:
        raise Trouble(problems)
    return found


def _record(ground: Ground, turn: str, measurements: dict[str, list[Measurement]]) -> None:
    path = ground.rundir.path / f"control-{turn}.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for vantage, found in measurements.items():
            for measurement in found:
                file.write(json.dumps({"vantage": vantage, **measurement}) + "\n")


def tools(ground: Ground, say: Callable[[str], None]) -> tuple[list[ToolRun], list[Spell]]:
    """Run every probe at every vantage, in declared order, each probe against fresh state.

    With a timeline, every probe goes through it from the start, once in each of its phases.
    """
    order = ground.order
    fresh = {vantage: condition.read(ground.network, vantage) for vantage in order.vantages}
    runs, spells = [], []
    for probe in order.probes:
        for spell in phase.through(ground, probe.name, say):
            ground.forget()  # a poisoned answer would be what is true of the phase before
            spells.append(spell)
            for vantage in order.vantages:
                turn = f", phase {spell.phase + 1}" if len(order.phases) > 1 else ""
                say(f"{probe.name} at {vantage}{turn}")
                runs.append(_tool(ground, probe, vantage, spell.phase))
                _put_back(ground, probe, vantage, fresh[vantage])
    return runs, spells


def _put_back(ground: Ground, probe: Probe, vantage: str, fresh: str) -> None:
    """Undo what a tool did to its vantage's network. Raises: Trouble where that fails."""
    if condition.read(ground.network, vantage) == fresh:
        return
    why = ""
    try:
        condition.mend(ground.network, vantage)
    except NetworkError as error:
        why = f": {error}"
    left = set(condition.read(ground.network, vantage).splitlines()) ^ set(fresh.splitlines())
    if left:
        raise Trouble(
            [
                f"{probe.name} changed the network of {vantage}, and it could not be put back"
                f"{why}; what differs: {'; '.join(sorted(left)[:6])}"
            ]
        )


def _tool(ground: Ground, probe: Probe, vantage: str, turn: int) -> ToolRun:
    order = ground.order
    after = f"-{turn + 1}" if turn else ""
    log = ground.rundir.logs / f"tool-{probe.name}-{vantage}{after}.stderr.log"
    outcome = tool.run(
        ground.place(vantage),
        probe.argv or (sys.executable, *BUILT_IN[probe.name]),
        env=environment(order, vantage),
        cwd=order.cwd,
        timeout=order.timeout,
        log=log,
        watch=lambda: watch(ground),
    )
    if not outcome.placed:
        words = log.read_text("utf-8", "replace").strip()[-300:]
        raise Trouble([f"{probe.name} had no place at {vantage}: {words}"])
    return ToolRun(
        probe.name,
        vantage,
        outcome.started,
        outcome.ended,
        tuple(outcome.chunks),
        outcome.cut,
        outcome.end,
        outcome.status,
        turn,
    )


def _measure(ground: Ground, vantage: str, turn: str) -> list[Measurement]:
    order = ground.order
    targets = [t.public() for t in order.scenario.targets if t.name in order.targets]
    outcome = tool.run(
        ground.place(vantage),
        [sys.executable, "-P", "-m", "filterbed.probe.measure"],
        env=environment(order, vantage),
        cwd="/",
        timeout=CONTROL_SECONDS,
        log=ground.rundir.logs / f"control-{turn}-{vantage}.log",
        stdin=b"".join(json.dumps(t).encode() + b"\n" for t in targets),
        watch=lambda: watch(ground),
    )
    text = b"".join(data for _, data in outcome.chunks).decode("utf-8", "replace")
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def _expected(ground: Ground, fields: Mapping[str, Any]) -> tuple[str, ...]:
    from urllib.parse import urlsplit

    keys = ("name", "host", "registrar", "filter")
    name = next((fields[key] for key in keys if fields.get(key)), "")
    if "url" in fields:
        name = urlsplit(fields["url"]).hostname or ""
    name = str(name).rpartition(":")[0] or str(name) if str(name).count(":") == 1 else str(name)
    return ground.order.scenario.dns.get(name.lower(), ())


def sysctls(ground: Ground) -> dict[str, str]:
    """Return the sysctls of the first box that matter to what was measured."""
    node = ground.network.plan.boxes[0].node if ground.network.plan.boxes else "control"
    names = (
        "net/ipv4/tcp_rmem",
        "net/ipv4/tcp_wmem",
        "net/ipv4/icmp_ratelimit",
        "net/core/rmem_max",
    )
    script = "".join(f'echo "{n}=$(cat /proc/sys/{n} 2>/dev/null)"\n' for n in names)
    lines = ground.network.run(node, script).splitlines()
    found = dict(line.partition("=")[::2] for line in lines)
    found["rmem_max_seen"] = found.get("net/core/rmem_max", "") or _rmem_max()
    return found


def _rmem_max() -> str:
    try:
        with open("/proc/sys/net/core/rmem_max") as file:
            return file.read().strip()
    except OSError:
        return os.strerror(2)
