"""The sandbox's own root: names are found step by step, by real clients and by the recursor."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from topologies.address import AUTHORITATIVE, NAME_SERVERS, RESOLVER, ROOT, TLD

pytestmark = pytest.mark.live
PROJECT = Path(__file__).parents[2]
NAME, ADDRESS = "www.facebook.com", "69.63.189.16"
#: What each step down says, beside whom it came from.
STEPS = [
    (ROOT, "a.root-servers.net", "com. NS a.nic.com."),
    (TLD, "a.nic.com", "facebook.com. NS a.ns.facebook.com."),
    (AUTHORITATIVE, "a.ns.facebook.com", f"{NAME}. A {ADDRESS}"),
]


def dig(*options: str, scenario: str = "dns/pool-2010", at: str = "client") -> str:
    command = [sys.executable, "-P", "-m", "filterbed", "exec", scenario, "--at", at, "--idle"]
    done = subprocess.run(
        [*command, "--", "dig", *options],
        capture_output=True,
        text=True,
        timeout=90,
        cwd=PROJECT,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("version", [4, 6])
def test_a_trace_goes_from_the_root_to_the_name(version: int) -> None:
    first = RESOLVER[version == 6]
    said = dig(f"-{version}", f"@{first}", "+trace", "+nodnssec", NAME)
    heard = re.findall(r"^;; Received \d+ bytes from (\S+)#53\((\S+)\)", said, re.M)
    steps = [(holder.addresses[version == 6], name) for holder, name, _ in STEPS]
    assert heard == [(first, first), *steps], said
    lines = {" ".join(line.split()).replace("0 IN ", "") for line in said.splitlines()}
    assert lines >= {told for _, _, told in STEPS}, said


def test_a_chain_of_keys_leads_from_the_root_to_the_name() -> None:
    said = dig("+dnssec", NAME, scenario="dns/validating", at="checks")
    flags = re.search(r"^;; flags: ([a-z ]+);", said, re.M)
    assert flags is not None
    assert "ad" in flags[1].split(), said
    traced = dig("+trace", NAME, scenario="dns/validating", at="checks")
    assert {f"{zone}." for zone in re.findall(r"^(\S+)\.\s+0\s+IN\s+DS\s", traced, re.M)} == {
        "com.",
        "facebook.com.",
    }, traced


#: Stands `line` up with its servers, and writes down each question that comes to one of DNS.
PROGRAM = """
import json, select, socket, sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
import dns.message, dns.query
from filterbed.sandbox.netns import socket_in
from filterbed.sandbox.place import nest
from topologies import network, services
from topologies.address import NAME_SERVERS, RESOLVER
from topologies.catalogue import build
from topologies.place import Vantage
from topologies.services import ready, unbound
name, address = sys.argv[1:]
workdir = Path("/run/work")
plan = build({"use": "line"}, {"client": Vantage()}, {})
net = network.stand(plan, nest=nest)
within = lambda node: f"/proc/{net.pid(node)}/ns/net"
services.stand(plan, (), {name: (address,)}, workdir=workdir, spawn=net.popen, namespace=within)
ETHERNET = {4: 0x0800, 6: 0x86DD}
taps = {
    (server.node, version): socket_in(net.pid(server.node), socket.AF_PACKET, socket.SOCK_DGRAM)
    for server in NAME_SERVERS for version in ETHERNET}
for (node, version), tap in taps.items():
    tap.bind((f"{node}-eth0", ETHERNET[version]))
def arrived():
    found = {}
    for (node, version), tap in taps.items():
        while select.select([tap], [], [], 0)[0]:
            packet, (_, _, kind, *_) = tap.recvfrom(2048)
            start = (packet[0] & 15) * 4 if version == 4 else 40
            udp = packet[9 if version == 4 else 6] == 17
            if kind == socket.PACKET_HOST and udp and packet[start + 2:start + 4] == b"\\0\\x35":
                asked = dns.message.from_wire(packet[start + 8:]).question[0].name.to_text()
                found.setdefault(f"{node} {version}", []).append(asked)
    return {where: [one for one in asked if one != "."] for where, asked in found.items()}
def ask():
    ready.enter(within("client"))
    answer = dns.query.udp(dns.message.make_query(name, "A"), RESOLVER[0], timeout=20)
    return [item.to_text() for rrset in answer.answer for item in rrset]
told = {}
for which in ("both", "6 alone"):
    if which != "both":
        net.run("resolver", "iptables -A OUTPUT -p udp --dport 53 -j REJECT")
    unbound.flush("resolver-unbound", workdir)  # delegations are kept until their second is over
    arrived()
    with ThreadPoolExecutor(1) as pool:
        told[which] = [pool.submit(ask).result(), arrived()]
print(json.dumps(told))
"""


def test_the_recursors_questions_arrive_at_each_step() -> None:
    done = subprocess.run(
        ["unshare", "-Urnmpuif", "--mount-proc", "--kill-child", "sh", "-c",
         f"ip link set lo up; mount -t tmpfs none /run; "
         f"exec {sys.executable} -P - {NAME} {ADDRESS}"],
        input=PROGRAM,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    for name, version in (("both", 4), ("6 alone", 6)):
        answers, arrived = told[name]
        assert answers == [ADDRESS]
        assert {where: set(asked) for where, asked in arrived.items()} == {
            f"{server.node} {version}": {f"{NAME}."} for server in NAME_SERVERS
        }, (name, arrived)
