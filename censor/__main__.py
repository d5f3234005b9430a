"""Run the censor by itself: live on a queue, or over a recording; or check a policy.

Exit status: 0 well; 1 a replay differs, or a live censor failed; 2 bad usage or policy; 3 the
machine lacks something.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from censor.drivers import document, garbage, replay
from censor.errors import CensorError, MachineError, PolicyError
from censor.policy.loader import InvalidPolicy, load, problems
from censor.policy.reference import reference
from censor.rule.rules import Policy

_EPILOG = """exit status: 0 well; 1 a replay differs or a live censor failed; 2 bad usage or
policy; 3 the machine lacks something. See docs/censor.md."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.act(options)
    except MachineError as fault:
        print(f"censor: {fault}", file=sys.stderr)
        return 3
    except CensorError as fault:
        print(f"censor: {fault}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        return 0
    return status


def _run(options: argparse.Namespace) -> int:
    from censor.drivers import queue
    from censor.drivers.place import Place

    policy = _policy(options.policy)
    return queue.run(
        policy,
        Place(
            queue=options.queue,
            inside=tuple(options.inside),
            outside=tuple(options.outside),
            events=options.events,
            door=options.door,
            box=options.box,
            seed=options.seed,
            clock_rate=options.clock_rate,
            offload=options.offload,
        ),
    )


def _replay(options: argparse.Namespace) -> int:
    policy = _policy(options.policy)
    if options.events is not None:
        return _report(replay.compare(options.capture, policy, options.events), options.json)
    sides = replay.Sides(replay.prefixes(options.inside) if options.inside else None)
    replay.active(
        options.capture,
        policy,
        _print,
        seed=options.seed,
        certain=options.certain,
        sides=sides,
        box=options.box,
    )
    return 0


def _report(found: replay.Comparison, as_json: bool) -> int:
    if as_json:
        _print(
            {
                "equal": found.equal,
                "packets": found.packets,
                "events": found.events,
                "index": found.index,
                "logged": found.logged,
                "replayed": found.replayed,
            }
        )
    elif found.equal:
        print(f"equal: {found.packets} packets gave the same {found.events} events")
    else:
        print(f"different at engine event {found.index} of {found.events}:")
        print(f"  logged:   {json.dumps(found.logged)}")
        print(f"  replayed: {json.dumps(found.replayed)}")
    return 0 if found.equal else 1


def _check(options: argparse.Namespace) -> int:
    bad = 0
    for path in options.policies:
        try:
            found = [str(problem) for problem in problems(document.read(path))]
        except PolicyError as fault:
            found = list(fault.problems)
        for text in found:
            print(f"{path}: {text}", file=sys.stderr)
        bad += bool(found)
        if not found:
            print(f"{path}: good")
    return 2 if bad else 0


def _reference(options: argparse.Namespace) -> int:
    print(reference(), end="")
    return 0


def _policy(path: Path) -> Policy:
    try:
        policy = load(document.read(path))
    except InvalidPolicy as fault:
        raise PolicyError(f"{path}: {problem}" for problem in fault.problems) from fault
    garbage.spare()
    return policy


def _print(line: Mapping[str, Any]) -> None:
    print(json.dumps(line))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m censor", description=__doc__.splitlines()[0] if __doc__ else "",
        epilog=_EPILOG,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    run = commands.add_parser(
        "run", help="stand between real interfaces, on NFQUEUE", epilog=_EPILOG
    )
    run.set_defaults(act=_run)
    run.add_argument("--policy", type=Path, required=True, help="YAML or JSON")
    run.add_argument("--queue", type=int, default=0, help="number of the queue, 0 to 65535")
    run.add_argument("--inside", nargs="+", required=True, metavar="IF", help="censored side")
    run.add_argument("--outside", nargs="+", required=True, metavar="IF", help="the other side")
    run.add_argument("--events", type=Path, required=True, help="where the log goes (JSON lines)")
    run.add_argument("--door", type=Path, help="record what reaches the engine (pcapng)")
    run.add_argument("--seed", type=int, default=0)
    run.add_argument(
        "--clock-rate", type=float, default=1.0, help="for t_scenario; durations are as written"
    )
    run.add_argument("--box", default="box", help="the name events give")
    run.add_argument(
        "--no-offload", dest="offload", action="store_false", help="inspect every packet"
    )

    again = commands.add_parser("replay", help="feed a recording to the engine", epilog=_EPILOG)
    again.set_defaults(act=_replay)
    again.add_argument("capture", type=Path, help="door record, pcap or pcapng; -: standard input")
    again.add_argument("--policy", type=Path, required=True)
    how = again.add_mutually_exclusive_group()
    how.add_argument("--events", type=Path, help="a live run's log: compare with it")
    how.add_argument("--active", action="store_true", help="print what the policy does (default)")
    again.add_argument("--certain", action="store_true", help="make every chance come true")
    again.add_argument("--seed", type=int, default=0, help="with --active")
    again.add_argument("--box", default="replay", help="the name events give, with --active")
    again.add_argument(
        "--inside", nargs="+", metavar="PREFIX", help="the censored side's addresses"
    )
    again.add_argument("--json", action="store_true", help="one JSON document for --events")

    known = commands.add_parser("reference", help="print every key of a policy, as Markdown")
    known.set_defaults(act=_reference)

    check = commands.add_parser("check", help="say what is wrong with policies", epilog=_EPILOG)
    check.set_defaults(act=_check)
    check.add_argument("policies", type=Path, nargs="+", metavar="POLICY")
    return parser


if __name__ == "__main__":
    sys.exit(main())
