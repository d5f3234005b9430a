"""Do one order inside the sandbox: say what goes on, bring back a result."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from filterbed.order import Order
from filterbed.rundir import RunDir
from filterbed.sandbox import place as places
from filterbed.stage import phase
from filterbed.stage.box import BoxError
from filterbed.stage.ground import Ground
from filterbed.stage.vantage import environment
from topologies.errors import TopologyError
from topologies.network import NetworkError

LACKS = 3


def main(order: Order, channel: int) -> int:
    """Carry the order out; return the stage's exit status (of the command, for "exec").

    What it says on `channel` are JSON lines: `{"say": text}` as things happen,
    `{"failed": text, "status": 3}` where the machine lacks something, and for "exec"
    `{"ended": status}` of the command.
    """
    out = os.fdopen(channel, "w", buffering=1, encoding="utf-8")

    def say(text: str) -> None:
        out.write(json.dumps({"say": text}) + "\n")

    try:
        if order.mode != "run":
            status = _exec(order, say)
            out.write(json.dumps({"ended": status}) + "\n")
            return 0
        from filterbed.stage import run

        return run.run(order, say)
    except (NetworkError, TopologyError, BoxError, OSError) as error:
        out.write(json.dumps({"failed": str(error), "status": LACKS}) + "\n")
        return LACKS
    finally:
        out.close()


def _exec(order: Order, say: Callable[[str], None]) -> int:
    directory = RunDir(Path(order.directory))
    for path in (directory.path, directory.capture, directory.logs):
        path.mkdir()
    ground = Ground(order, say)
    wrong = phase.begin(ground, say)
    if order.mode == "shell":
        from filterbed.stage.shell import Shell

        return Shell(ground, order, lambda text: print(text, flush=True)).run()
    process = places.spawn(
        ground.place(order.host), order.argv, env=environment(order, order.host), cwd=order.cwd
    )
    status = process.wait()
    if casualties := [*ground.casualties(), *map(str, wrong)]:
        raise BoxError(
            "what the command saw is not what the scenario says: " + "; ".join(casualties)
        )
    return status if status >= 0 else 128 - status
