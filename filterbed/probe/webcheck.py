"""Check targets from here against a control, and say which are blocked, and how.

The built-in tool: an honest outsider that knows the targets and never the truth. It reads the
list of targets at $FILTERBED_TARGETS, measures each here and, through http://$FILTERBED_CONTROL,
at the control, and prints one line of JSON a target as soon as its verdict stands.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from filterbed.probe import control as control_helper
from filterbed.probe.address import endpoint
from filterbed.probe.errors import ProbeError
from filterbed.probe.judge import judge
from filterbed.probe.measure import TIMEOUT, measure
from filterbed.probe.portal import Access
from filterbed.probe.proof import gather, wanted
from filterbed.probe.stream import Row
from filterbed.probe.verdict import Verdict

#: Seconds to wait for the control beyond what a call may last.
PATIENCE = 10.0
CONCURRENCY = 32
#: The share of a call's packets whose loss at the control speaks of a line that is too slow.
STRAINED = 0.05
_PARTS = frozenset({"dns", "tcp", "tls", "http", "sip"})


class Outside:
    """The control helper, seen from here."""

    def __init__(self, address: str) -> None:
        self.host, self.port = endpoint(address, control_helper.PORT)

    def measure(self, target: Row) -> Row:
        """Return the control's measurement, or `{"error": reason}`."""
        patience = PATIENCE + float(target.get("seconds", 0))
        connection = http.client.HTTPConnection(self.host, self.port, timeout=patience)
        try:
            connection.request("POST", "/measure", json.dumps(target))
            answer = json.loads(connection.getresponse().read())
        except (OSError, http.client.HTTPException, ValueError) as error:
            return {"error": f"control {self.host}:{self.port}: {error or type(error).__name__}"}
        finally:
            connection.close()
        return self._shaped(answer)

    def _shaped(self, answer: Any) -> Row:
        if isinstance(answer, dict) and "error" in answer:
            return {"error": str(answer["error"])}
        if not isinstance(answer, dict) or not answer.keys() >= _PARTS:
            return {"error": f"control {self.host}:{self.port}: its answer is no measurement"}
        return {"udp": [], **answer}


def here(target: Row, *, timeout: float, resolver: str | None) -> Row:
    """Return our own measurement, or `{"error": reason}`."""
    try:
        return measure(target, timeout=timeout, resolver=resolver)
    except (ProbeError, OSError) as error:
        return {"error": str(error)}


def check(
    target: Row, outside: Outside, access: Access, *, timeout: float, resolver: str | None
) -> Verdict:
    """Measure one target at both places at once, follow up where it helps, and judge."""
    answer: list[Row] = []
    thread = threading.Thread(target=lambda: answer.append(outside.measure(target)), daemon=True)
    thread.start()
    local = here(target, timeout=timeout, resolver=resolver)
    thread.join()
    control = answer[0]
    if strained(control):
        # Two calls at once over a line that is too slow for one spoil each other: once more, alone.
        local = here(target, timeout=timeout, resolver=resolver)
    names = wanted(local, control)
    proof = gather(names, target, local, control, outside.measure, resolver)
    return access.reconsider(local, control, judge(local, control, proof))


def strained(control: Row) -> bool:
    """Whether the control's own call lost media: then the line may be to blame, here too."""
    placed = (control.get("sip") or {}).get("call") or {}
    return any(
        way["sent"] and (way["lost"] or 0) > STRAINED * way["sent"]
        for way in (placed.get("media") or {}).values()
    )


def check_all(
    targets: list[Row], outside: Outside, *, timeout: float, resolver: str | None
) -> Iterator[tuple[str, Verdict]]:
    """Check every target, many at once; yield each verdict as it stands."""
    access = Access(lambda one: here(one, timeout=timeout, resolver=resolver), outside.measure)
    with ThreadPoolExecutor(CONCURRENCY) as pool:
        jobs = {
            pool.submit(check, target, outside, access, timeout=timeout, resolver=resolver): target
            for target in targets
        }
        for job in as_completed(jobs):
            yield jobs[job]["target"], job.result()


def line(name: str, verdict: Verdict) -> str:
    """Write a verdict as the contract's line (section 3)."""
    row: dict[str, Any] = {"target": name, "verdict": verdict.verdict}
    if verdict.verdict == "blocked":
        row |= {"mechanisms": list(verdict.mechanisms), "locus": verdict.locus}
    return json.dumps(row | {"detail": verdict.detail})


def load(path: str) -> list[Row]:
    """Read the list of targets; ProbeError says what is wrong with it."""
    try:
        targets = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ProbeError(f"{path}: {error}; expected a JSON list of targets") from error
    if not isinstance(targets, list) or not all(
        isinstance(one, dict) and isinstance(one.get("target"), str) for one in targets
    ):
        raise ProbeError(f"{path}: expected a JSON list of objects, each with a `target`")
    return targets


def main(argv: list[str] | None = None, environ: Mapping[str, str] = os.environ) -> int:
    """Run as a program; exit 2 when there is nothing to check or no control named."""
    parser = argparse.ArgumentParser(prog="filterbed.probe.webcheck", description=__doc__)
    parser.add_argument("--targets", default=environ.get("FILTERBED_TARGETS"), metavar="FILE")
    parser.add_argument("--control", default=environ.get("FILTERBED_CONTROL"), metavar="HOST:PORT")
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for each step")
    parser.add_argument("--resolver", help="address of the DNS server; the system's by default")
    options = parser.parse_args(argv)
    for name in ("targets", "control"):
        if not getattr(options, name):
            print(f"no {name}: set FILTERBED_{name.upper()} or --{name}", file=sys.stderr)
            return 2
    try:
        targets, outside = load(options.targets), Outside(options.control)
    except ProbeError as error:
        print(error, file=sys.stderr)
        return 2
    where = {"timeout": options.timeout, "resolver": options.resolver}
    for name, verdict in check_all(targets, outside, **where):
        print(line(name, verdict), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
