"""Carry a whole run through: passes, proof, tools, and the closing that keeps every witness."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from filterbed.engine import Engines
from filterbed.order import RESULT, Order, Result
from filterbed.proof import WAYS, play, prove
from filterbed.question import of_scenario
from filterbed.rehearsal import Door
from filterbed.stage import impairment, link, passes
from filterbed.stage.box import BoxError
from filterbed.stage.ground import WORK, Ground
from filterbed.stage.trouble import Trouble


def run(order: Order, say: Callable[[str], None]) -> int:
    """Run the order and leave its result in the run directory; 0 once it lies there.

    Raises: NetworkError, ServiceError, BoxError where the ground could not be stood up.
    """
    result = Result()
    ground = Ground(order, say)
    impaired = impairment.measure(ground.network)
    result.links = [*link.measure(ground.network, order.vantages), *impaired]
    result.sysctls = passes.sysctls(ground)
    result.macs = _macs(ground)
    try:
        result.problems += link.problems([one for one in result.links if "wrong" not in one])
        result.problems += [wrong for one in impaired for wrong in one["wrong"]]
        _passes(ground, order, result, say)
    except Trouble as trouble:
        result.problems += trouble.problems
    except BoxError as error:
        result.problems.append(str(error))
    _close(ground, result, say)
    (Path(order.directory) / RESULT).write_bytes(pickle.dumps(result))
    return 0


def _passes(ground: Ground, order: Order, result: Result, say: Callable[[str], None]) -> None:
    say("control pass")
    if order.idle:
        passes.control(ground, "before")
    else:
        with _engines(ground, order) as engines:  # ready by the time they are fed
            measurements = passes.control(ground, "before")
            say("proof")
            _prove(ground, order, measurements, engines)
    result.tools, result.spells = passes.tools(ground, say)
    for box in ground.boxes:
        box.request("idle")
    ground.forget()  # what the censor forged
    say("control pass again")
    passes.control(ground, "after")


def _doors(ground: Ground) -> list[Door]:
    return [
        Door(
            box.name,
            ground.rundir.door(box.name),
            ground.rundir.path / f".{box.name}.policy.json",
        )
        for box in ground.boxes
    ]


def _engines(ground: Ground, order: Order) -> Engines:
    """Start the engines of the proof: one for each way and box that ever enforces."""
    enforcing = {box for phase in order.phases for box in phase.enforcing}
    policies = {door.box: door.policy for door in _doors(ground) if door.box in enforcing}
    return Engines(policies, WAYS, work=WORK / "proof")


def _prove(
    ground: Ground,
    order: Order,
    measurements: dict[str, list[passes.Measurement]],
    engines: Engines,
) -> None:
    for box in ground.boxes:
        box.request("stats")  # the door record is on disk once this is answered
    question = of_scenario(order.scenario, vantages=order.vantages, targets=order.targets)
    try:
        translations = ground.translators.translations()
    except ValueError as error:
        raise Trouble([f"proof: {error}"]) from error
    doors = [door for door in _doors(ground) if (door.box, WAYS[0]) in engines]
    played = play(question, measurements, doors, engines, translations=translations)
    for number, phase in enumerate(order.phases):
        acting = [door for door in doors if door.box in phase.enforcing]
        if problems := prove(replace(question, truths=phase.truths), played, acting):
            where = f"phase {number + 1}: " if len(order.phases) > 1 else ""
            raise Trouble([where + problem for problem in problems])


def _close(ground: Ground, result: Result, say: Callable[[str], None]) -> None:
    say("closing")
    result.problems += [p for p in ground.casualties() if p not in result.problems]
    result.problems += ground.still()
    for box in ground.boxes:
        try:
            result.boxes[box.name] = dict(box.request("stop"))
            box.process.wait(5)
        except BoxError as error:
            if str(error) not in result.problems and box.alive():
                result.problems.append(str(error))
    result.problems += [p for p in ground.settle() if p not in result.problems]
    result.links += [{"at": at, **counts} for at, counts in ground.holds.counts.items()]
    if ground.order.keep_work:
        shutil.copytree(WORK, ground.rundir.path / "work", ignore=lambda *_: ["logs"])


def _macs(ground: Ground) -> dict[str, str]:
    """Return the hardware address of every interface of every box."""
    found = {}
    for box in ground.network.plan.boxes:
        for line in ground.network.run(box.node, "ip -o link").splitlines():
            words = line.split()
            name = words[1].partition("@")[0].rstrip(":")
            if "link/ether" in words:
                found[name] = words[words.index("link/ether") + 1]
    return found
