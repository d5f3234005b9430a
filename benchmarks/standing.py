"""Time how long a scenario's network, with its services, takes to stand up and come down."""

from __future__ import annotations

import subprocess
import sys
import time

#: (what it is called, scenario, aim in seconds)
GROUNDS = (
    ("line, up and down", "dns/pool-2010", 1.0),
    ("national, up and down", "china-2010/december", 3.0),
)


def stand(scenario: str) -> float:
    """Return the seconds of `filterbed exec SCENARIO --at control -- true`, interpreter included.

    Raises: RuntimeError with the program's own words where it fails.
    """
    command = [sys.executable, "-P", "-m", "filterbed", "exec", scenario]
    begin = time.monotonic()
    done = subprocess.run(
        [*command, "--at", "control", "--", "true"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.strip()[-500:]}")
    return seconds
