"""Every topology carries both versions of IP: from each client to each server, and back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.live.stage import UNSHARE
from topologies.catalogue import TOPOLOGIES

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
#: Stands a topology up and has each client, and the control, ask each server and the resolver.
PROGRAM = """
import json, select, socket, sys
from filterbed.sandbox.netns import socket_in
from filterbed.sandbox.place import nest
from topologies import network
from topologies.catalogue import build
from topologies.place import Place, Vantage
use = sys.argv[1]
client, options = Vantage(), {}
inside = Place(("66.33.200.9", "2607:f298::9"), inside=True)
if use in ("national", "series"):
    client = Vantage("guangzhou", "unicom")
    inside = Place(("66.33.200.9", "2607:f298::9"), carrier="unicom")
if use == "series":
    options["province"] = ["guangzhou"]
plan = build(
    {"use": use, **options},
    {"client": client, "far": Vantage(abroad=True)},
    {"inside": inside, "servers": Place(("66.33.200.8", "2607:f298::8"))},
)
net = network.stand(plan, nest=nest)
told = {}
for near in ("client", "far", "control"):
    for far in ("inside", "servers", "resolver", "root", "tld", "auth"):
        for version, family in ((4, socket.AF_INET), (6, socket.AF_INET6)):
            with (socket_in(net.pid(near), family, socket.SOCK_DGRAM) as a,
                  socket_in(net.pid(far), family, socket.SOCK_DGRAM) as b):
                b.bind((plan.primary(far, version), 7))
                a.sendto(b"?", b.getsockname())
                heard = bool(select.select([b], [], [], 3)[0])
                if heard:
                    b.sendto(b"!", b.recvfrom(9)[1])
                    heard = bool(select.select([a], [], [], 3)[0])
                told[f"{near} {far} {version}"] = heard
print(json.dumps(told))
"""


@pytest.mark.parametrize("use", TOPOLOGIES)
def test_both_versions_of_ip_reach_everybody(use: str) -> None:
    done = subprocess.run(
        [*UNSHARE, "sh", "-c",
         f"ip link set lo up; mount -t tmpfs none /run; exec {sys.executable} -P - {use}"],
        input=PROGRAM,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert len(told) == 36
    assert [pair for pair, heard in told.items() if not heard] == []
