"""From a tool's place nothing of the testbed or the host can be seen, signalled or changed."""

from __future__ import annotations

import ctypes
import json
import os
import socket
import subprocess
import sys
import uuid
from collections.abc import Callable
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

def refused(name, attempt):
    try:
        saw = attempt()
    except OSError as error:
        say(name, True, error)
    else:
        say(name, not saw, saw)

for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/sysrq", "/proc/sys/vm/drop_caches",
             "/proc/sys/net/core/rmem_max", "/proc/sysrq-trigger",
             "/dev/kmsg", "/dev/mem", "/sys/kernel/uevent_helper", "/sys/kernel/mm/ksm/run",
             "/sys/fs/cgroup/cgroup.procs", "/etc/resolv.conf", "/etc/hosts",
             "/etc/ssl/certs/ca-certificates.crt"):
    def write(path=path):
        with open(path, "w") as file:
            return file.write("0") and path
    refused("write to " + path, write)

# 4b. The testbed's memory, files and keys by other roads.
PTRACE_ATTACH = 16
for pid in (1, os.getppid()):
    say(f"trace process {pid}", pid == os.getpid() or libc.ptrace(PTRACE_ATTACH, pid, 0, 0) != 0)
for name in ("environ", "mem", "maps", "fd/3", "root/etc", "cwd"):
    refused("/proc/1/" + name, lambda: os.stat("/proc/1/" + name + "/.") if "/" in name or
            name == "cwd" else open("/proc/1/" + name, "rb").read(1))
roots = glob.glob("/proc/*/root") + glob.glob("/proc/*/cwd") + glob.glob("/proc/*/task/*/root")
found = []
for root in roots:
    for name in ("/scenarios/loader.py", "/tests/live/test_sandbox.py", "/.git/HEAD", "/.git"):
        for path in (root + project + name, root + name):
            if os.path.isfile(path) and os.path.getsize(path):
                found.append(path)
            if os.path.isdir(path) and os.listdir(path):
                found.append(path)
say("scenarios by other paths", not found, found)
os.makedirs("/tmp/below", exist_ok=True)
def revealed():
    return [n for n in ("scenarios", "tests") if os.path.isdir("/tmp/below/" + n)
            and os.listdir("/tmp/below/" + n)]
for flags in (4096, 4096 | 16384):
    libc.mount(project.encode(), b"/tmp/below", None, ctypes.c_ulong(flags), None)
    say(f"bind what is covered ({flags})", not revealed(), revealed())
    libc.umount2(b"/tmp/below", 2)
libc.mount(b"overlay", b"/tmp/below", b"overlay", ctypes.c_ulong(0),
           b"lowerdir=" + project.encode() + b":/usr")
say("look below with an overlay", not revealed(), revealed())
libc.umount2(b"/tmp/below", 2)
code, text = output("unshare", "-U", "-r", "-m", "sh", "-c",
                    f"umount -l {project}/scenarios; ls {project}/scenarios; true")
say("umount in a namespace of one's own", "loader.py" not in text, text)
text = open("/proc/self/mountinfo").read()
say("names in the table of mounts", "pool-2010" not in text, text)
KEYCTL = {"x86_64": 250, "aarch64": 219}.get(os.uname().machine)
if KEYCTL:
    found = libc.syscall(KEYCTL, 10, -3, b"user", b"filterbed-test", 0)
    say("the caller's keys", found < 0, found)

# 4c. Services of the host.
def connect(address):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(address)
        return address
refused("an abstract socket", lambda: connect("\0" + sys.argv[2]))
refused("a socket in the working directory", lambda: connect("service.sock"))
found = [k for k in os.environ if k.startswith("FILTERBED_") and k not in
         ("FILTERBED_TARGETS", "FILTERBED_VANTAGE", "FILTERBED_CONTROL")]
say("the runner's own variables", not found, found)
found = [n for n in os.listdir("/sys/class/net") if n != "lo" and not n.endswith("-eth0")]
say("the host's interfaces in /sys", not found, found)

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


def attempts(scenario: str, cwd: Path) -> list[dict[str, object]]:
    name = f"filterbed-{uuid.uuid4().hex}"
    with socket.socket(socket.AF_UNIX) as abstract, socket.socket(socket.AF_UNIX) as service:
        abstract.bind("\0" + name)
        abstract.listen()
        service.bind(str(cwd / "service.sock"))
        service.listen()
        os.chmod(cwd / "service.sock", 0o777)
        done = subprocess.run(
            [sys.executable, "-P", "-m", "filterbed", "exec", scenario, "--at", "client", "--",
             sys.executable, "-", str(PROJECT), name],
            input=ATTEMPTS,
            capture_output=True,
            text=True,
            timeout=60,
            cwd=cwd,
            env={**os.environ, "PYTHONPATH": str(PROJECT), "FILTERBED_SECRET": "truth"},
            check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def open_directory(tmp_path: Path) -> Path:
    """A directory that others may enter and write to, as far as its own mode says."""
    path = tmp_path / "open"
    path.mkdir()
    path.chmod(0o777)
    return path


def add_key() -> None:
    """Put a key into this process's session keyring, where there is one."""
    number = {"x86_64": 248, "aarch64": 217}.get(os.uname().machine)
    if number is not None:
        libc = ctypes.CDLL(None)
        libc.syscall(number, b"user", b"filterbed-test", b"secret", 6, -3)


def test_from_a_tools_place_nothing_can_be_reached(open_directory: Path) -> None:
    add_key()
    found = attempts("dns/pool-2010", open_directory)
    assert len(found) > 50
    assert [a for a in found if not a["ok"]] == []


def test_the_host_is_left_as_it_was(
    open_directory: Path, host: Callable[[], dict[str, object]]
) -> None:
    before = host()
    attempts("dns/pool-2010", open_directory)
    assert host() == before


LOOK = """
import glob, json, os, sys
names = ("run.json", "policy.json", "*.pcapng")
found = [p for top in (os.getcwd(), os.environ["LOOK_AT"]) for pattern in names
         for p in glob.glob(top + "/**/" + pattern, recursive=True, include_hidden=True)]
table = [line for line in open("/proc/self/mountinfo") if "pool-2010" in line]
print(json.dumps([found, table]), file=sys.stderr)
"""


@pytest.mark.parametrize("out", [".", "runs", "../elsewhere"])
def test_a_tool_sees_no_run_not_even_its_own(open_directory: Path, out: str) -> None:
    path = (open_directory / out).resolve()
    earlier = path / "china-2010" / "december"
    earlier.mkdir(parents=True)
    (earlier / "run.json").write_text("{}")
    (earlier / "policy.json").write_text("{}")
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", "dns/pool-2010", "--out", out,
         "--target", "debian", "--name", "look", "--json", "--", sys.executable, "-c", LOOK],
        cwd=open_directory, capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "PYTHONPATH": str(PROJECT), "LOOK_AT": str(path)},
    )  # fmt: skip
    (entry,) = json.loads(done.stdout)["runs"]
    assert entry["valid"], entry
    log = open_directory / entry["dir"] / "logs" / "tool-look-client.stderr.log"
    found, table = json.loads(log.read_text())
    assert found == []
    assert out == "." or table == []
