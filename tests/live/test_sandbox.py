"""From a tool's place nothing of the testbed or the host can be seen, read, signalled or changed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]

#: What a tool tries; each entry prints one JSON object {name, ok, saw}. "ok" means the attempt
#: came to nothing.
ATTEMPTS = r"""
import ctypes, glob, json, os, re, signal, socket, subprocess, sys
project = sys.argv[1]

def say(name, ok, saw=""):
    print(json.dumps({"name": name, "ok": bool(ok), "saw": str(saw)[:300]}), flush=True)

def output(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.returncode, done.stdout + done.stderr

# 1. Reading the truth.
found = [p for p in glob.glob(project + "/scenarios/**", recursive=True) if os.path.isfile(p)]
say("scenario", not found, found[:3])
found = []
for top in ("/run", "/tmp", "/var/tmp", "/dev/shm", project, os.path.expanduser("~")):
    for base, _, names in os.walk(top):
        if ".venv" in base:
            continue
        for name in names:
            if re.search(r"policy\.json|events\.jsonl|\.door\.pcapng|run\.json|\.pcapng$", name):
                found.append(os.path.join(base, name))
say("policy and events", not found, found[:3])
libc = ctypes.CDLL(None, use_errno=True)
for path in (project + "/scenarios", "/tmp", "/run", "/proc"):
    say("umount " + path, libc.umount2(path.encode(), 2) != 0 or path in ("/tmp", "/run"), "")
found = [p for p in glob.glob(project + "/scenarios/**", recursive=True) if os.path.isfile(p)]
say("scenario after umount", not found, found[:3])

# 2. Seeing or signalling the runner.
pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
texts = []
for pid in pids:
    try:
        texts.append(open(f"/proc/{pid}/cmdline").read().replace("\0", " "))
    except OSError:
        pass
others = [t for t in texts if "censor run" in t or "filterbed.stage" in t or "launch" in t]
say("see the runner", len(pids) == 2 and not others, texts)
killed = []
for pid in range(2, 4000):
    if pid in (os.getpid(), os.getppid()) or pid in pids:
        continue
    try:
        os.kill(pid, 0)
        killed.append(pid)
    except ProcessLookupError:
        pass
    except PermissionError:
        killed.append(pid)
say("signal others", not killed, killed)
say("/proc/1/root", not os.path.exists("/proc/1/root" + project + "/scenarios/loader.py"))

# 3. The censor's rules, and other hosts' networks.
code, text = output("iptables", "-t", "mangle", "-S")
say("flush the censor's rules", "NFQUEUE" not in text, text)
output("iptables", "-t", "mangle", "-F")
code, text = output("nsenter", "-t", "1", "-n", "iptables", "-t", "mangle", "-S")
say("enter another network", "NFQUEUE" not in text, text)
code, text = output("ip", "netns", "list")
say("list networks", not text.strip(), text)

# 4. Writing to the host.
wrote = []
for path in ("/etc/x", "/usr/x", project + "/x", "/var/x", "/root/x", "/var/lib/x", "/home/x",
             "/opt/x", "/boot/x", "/sys/kernel/x", "/proc/sys/kernel/hostname"):
    try:
        with open(path, "w") as file:
            file.write("x")
        if not path.startswith(("/root/", "/home/")) or not os.path.ismount(os.path.dirname(path)):
            wrote.append(path)
    except OSError:
        pass
say("write to the host", not wrote, wrote)
for flags in (32 | 4096,):
    say("remount /", libc.mount(b"none", b"/", None, ctypes.c_ulong(flags), None) != 0)
try:
    open("/etc/shadow").read()
    say("read /etc/shadow", False)
except OSError as error:
    say("read /etc/shadow", True, error)
try:
    os.mknod("/tmp/disk", 0o600 | 0o060000, os.makedev(8, 0))
    open("/tmp/disk", "rb").read(1)
    say("make a disk", False)
except OSError as error:
    say("make a disk", True, error)
try:
    os.unlink("/tmp/disk")
except OSError:
    pass

# 5. Sending a packet out.
interfaces = output("ip", "-br", "link")[1]
names = [line.split()[0].partition("@")[0] for line in interfaces.splitlines()]
say("interfaces", all(n == "lo" or n.endswith("-eth0") for n in names), names)
say("raw sockets work", socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).fileno() > 0)
try:
    os.setgroups([0])
    say("groups", False)
except OSError as error:
    say("groups", True, error)
"""


def attempts(scenario: str) -> list[dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "exec", scenario, "--at", "client", "--",
         sys.executable, "-", str(PROJECT)],
        input=ATTEMPTS,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=PROJECT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_from_a_tools_place_nothing_can_be_reached() -> None:
    found = attempts("dns/pool-2010")
    assert len(found) > 15
    assert [a for a in found if not a["ok"]] == []


def test_the_host_is_left_as_it_was() -> None:
    def state() -> tuple[object, ...]:
        links = subprocess.run(["ip", "-br", "link"], capture_output=True, text=True).stdout
        return links, sorted(os.listdir("/tmp")), Path("/proc/sys/net/ipv4/ip_forward").read_text()

    before = state()
    attempts("dns/pool-2010")
    assert state() == before
