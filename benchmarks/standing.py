"""Time how long a scenario's network, with its services, takes to stand up and come down."""

from __future__ import annotations

import json
import subprocess
import sys
import time

#: (what it is called, scenario, aim in seconds)
GROUNDS = (
    ("line, up and down", "dns/pool-2010", 1.0),
    ("national, up and down", "china-2010/december", 3.0),
)
#: A country with a hundred clients, without services: what it is called, and the aims.
HUNDRED = "a hundred hosts, up"
HUNDRED_SECONDS, HUNDRED_MEGABYTES = 5.0, 1000.0
SCRATCH = ("unshare", "-Urnmpuif", "--mount-proc", "--kill-child", "sh", "-c")
PROGRAM = """
import json, os, time
from filterbed.sandbox.place import nest
from topologies import network
from topologies.catalogue import build
from topologies.place import Vantage
cities, carriers = ("beijing", "shanghai", "guangzhou"), ("unicom", "telecom")
vantages = {f"v{n}": Vantage(cities[n % 3], carriers[n % 2]) for n in range(100)}
begin = time.monotonic()
network.stand(build({"use": "national"}, vantages, {}), nest=nest)
seconds = time.monotonic() - begin
held = 0
for pid in filter(str.isdigit, os.listdir("/proc")):
    with open(f"/proc/{pid}/smaps_rollup") as lines:
        held += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
print(json.dumps([seconds, held / 1024]))
"""


def hundred() -> tuple[float, float]:
    """Return the seconds until a hundred clients stand, and the megabytes that they hold.

    Raises: RuntimeError with what was said instead.
    """
    shell = f"ip link set lo up; mount -t tmpfs none /run; exec {sys.executable} -P -"
    done = subprocess.run(
        [*SCRATCH, shell], input=PROGRAM, capture_output=True, text=True, check=False, timeout=120
    )
    if done.returncode != 0:
        raise RuntimeError(f"a hundred hosts: {done.stderr.strip()[-500:]}")
    seconds, megabytes = json.loads(done.stdout)
    return float(seconds), float(megabytes)


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
