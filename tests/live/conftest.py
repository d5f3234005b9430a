"""What live tests share: a run that is watched from outside, and what the host looks like."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import PATIENCE, perform, wait_for

PROJECT = Path(__file__).resolve().parents[2]
SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv4/conf/all/rp_filter",
    "net/ipv4/icmp_ratelimit",
    "net/ipv4/tcp_rmem",
    "net/ipv4/ip_local_port_range",
    "net/ipv6/conf/all/forwarding",
    "net/core/rmem_max",
    "kernel/hostname",
    "kernel/pid_max",
    "kernel/msgmax",
    "fs/file-max",
    "vm/overcommit_memory",
    "user/max_user_namespaces",
)


def host_state() -> dict[str, object]:
    """Return what a run must not change: links, networks, rules, sysctls, mounts, files."""

    def said(*argv: str) -> str:
        found = subprocess.run(argv, capture_output=True, text=True, env=_SBIN, check=False)
        return "\n".join(li for li in found.stdout.splitlines() if not li.startswith("#"))

    return {
        "links": said("ip", "-br", "link"),
        "addresses": said("ip", "-br", "address"),
        "routes": said("ip", "route") + said("ip", "-6", "route"),
        "namespaces": said("ip", "netns", "list"),
        "rules": [said("iptables-save"), said("ip6tables-save")] if os.geteuid() == 0 else [],
        "sysctls": {name: _text(f"/proc/sys/{name}") for name in SYSCTLS},
        "mounts": _text("/proc/self/mountinfo"),
        "files": [sorted(os.listdir(d)) for d in ("/run", "/var/tmp", "/etc", "/root")
                  if os.access(d, os.R_OK)],
        "temporary": [n for n in sorted(os.listdir("/tmp")) if n.startswith("filterbed")],
    }  # fmt: skip


_SBIN = {**os.environ, "PATH": os.environ.get("PATH", "") + ":/usr/sbin:/sbin"}


def _text(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _parents() -> dict[int, int]:
    """Return the parent of every process there is."""
    found = {}
    for pid in (int(p) for p in os.listdir("/proc") if p.isdigit()):
        stat = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
        if stat and stat[0] not in "ZX":
            found[pid] = int(stat[1])
    return found


def _started(pid: int) -> str:
    """Return when a process began: with its number, who it is."""
    stat = _text(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return stat[19] if len(stat) > 19 and stat[0] not in "ZX" else ""


def _pid_namespace(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return ""


class Watched:
    """A `filterbed` command in a process group of its own, followed from outside."""

    def __init__(self, arguments: Sequence[str], directory: Path, **more: Any) -> None:
        self.token = f"token-{uuid.uuid4().hex}"
        self.temporary = directory / "tmp"
        self.temporary.mkdir(exist_ok=True)
        env = {**os.environ, **more.pop("env", {})}
        env |= {"FILTERBED_TEST": self.token, "TMPDIR": str(self.temporary)}
        before: list[str] = more.pop("before", [])
        options: dict[str, Any] = {"cwd": PROJECT, "stdin": subprocess.DEVNULL} | more
        self.process: subprocess.Popen[bytes] = subprocess.Popen(
            [*before, sys.executable, "-P", "-m", "filterbed", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=env,
            start_new_session=True,
            **options,
        )
        self.said = b""
        self._known: dict[int, str] = {}
        self._namespaces: set[str] = set()
        self._over: float | None = None

    def until(self, text: str) -> None:
        """Wait until it has said `text` on stderr."""
        deadline = time.monotonic() + PATIENCE
        while text.encode() not in self.said:
            if not self._read(deadline - time.monotonic()):
                pytest.fail(f"{text!r} was not said: {self.said.decode()}")

    def end(self, seconds: float = PATIENCE) -> int:
        """Wait for its end; return its status."""
        deadline = time.monotonic() + seconds
        while self._read(deadline - time.monotonic()):
            pass
        return int(self.process.wait(max(0.1, deadline - time.monotonic())))

    def _read(self, seconds: float) -> bool:
        assert self.process.stderr is not None
        if seconds <= 0 or not select.select([self.process.stderr], [], [], seconds)[0]:
            pytest.fail(f"nothing more was said: {self.said.decode()}")
        data = os.read(self.process.stderr.fileno(), 65536)
        self.said += data
        return bool(data)

    def tree(self) -> list[int]:
        """Return the process and all that descend from it; remember them."""
        parents = _parents()
        found = [self.process.pid] if self.process.pid in parents else []
        for pid in found:
            found += [child for child, parent in parents.items() if parent == pid]
        own = _pid_namespace(os.getpid())
        for pid in found:
            self._known[pid] = _started(pid)
            self._namespaces |= {_pid_namespace(pid)} - {own, ""}
        return found

    def find(self, *words: str) -> int:
        """Wait for a process below it whose command line holds all `words`; return its number."""

        def look() -> int | None:
            if self.process.poll() is not None:
                self.end()
                pytest.fail(f"it ended before there was {words}: {self.said.decode()}")
            own = _text(f"/proc/{self.process.pid}/cmdline")
            for pid in self.tree()[1:] if own else []:
                line = _text(f"/proc/{pid}/cmdline")
                # A child that has not yet become another program has its parent's command line.
                if line != own and all(word in line.replace("\0", " ") for word in words):
                    return pid
            return None

        return int(wait_for(look, f"a process {words}"))

    def left(self) -> list[str]:
        """Return what still lives of it: processes known, marked, or in its namespaces."""
        found = []
        if self._over is None:
            ticks = os.sysconf("SC_CLK_TCK")
            self._over = time.clock_gettime(time.CLOCK_BOOTTIME) * ticks
        for pid in _parents():
            if pid == os.getpid() or float(_started(pid) or "inf") > self._over:
                continue  # numbers of namespaces and processes are used again
            known = pid in self._known and _started(pid) == self._known[pid]
            marked = self.token in _text(f"/proc/{pid}/environ")
            if known or marked or _pid_namespace(pid) in self._namespaces:
                found.append(f"{pid}: {_text(f'/proc/{pid}/cmdline')}".replace("\0", " "))
        return [*found, *(str(path) for path in self.temporary.iterdir())]

    def gone(self, seconds: float) -> None:
        """Wait until nothing is left of it; fail after `seconds` of a processor that never sleeps.

        On a machine that does nothing else they are seconds; on a busy one they last longer, as
        whatever is to end does: who looks without a pause gets no more of a processor than that.
        """
        begun = time.process_time()
        while left := self.left():
            if time.process_time() - begun > seconds:
                pytest.fail(f"after {seconds:g} s there is still {left}")

    def ends(self, seconds: float) -> int:
        """Wait for its end, as `gone` counts the seconds; return its status."""
        assert self.process.stderr is not None
        begun = time.process_time()
        while self.process.poll() is None:
            if select.select([self.process.stderr], [], [], 0)[0]:
                self.said += os.read(self.process.stderr.fileno(), 65536)
            if time.process_time() - begun > seconds:
                pytest.fail(f"it has not ended after {seconds:g} s: {self.said.decode()}")
        return self.end()

    def close(self) -> None:
        """End it, whatever became of it."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        for pipe in (self.process.stdout, self.process.stderr):
            if pipe is not None:
                pipe.close()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., Watched]]:
    """Start `filterbed ARGUMENTS...` so that a test can interfere; it is ended with the test."""
    started: list[Watched] = []

    def start(*arguments: str, **more: Any) -> Watched:
        started.append(Watched(arguments, tmp_path, **more))
        return started[-1]

    yield start
    for one in started:
        one.close()


@pytest.fixture
def await_() -> Callable[..., Any]:
    """Wait for a condition with a deadline."""
    return wait_for


@pytest.fixture
def host() -> Callable[[], dict[str, object]]:
    """Say what the host looks like, so that it can be compared."""
    return host_state


@pytest.fixture
def play(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Perform a scene in a sandbox; what it needs beside the usual stands in its file's TOOLS."""
    tools = ("unshare", "ip", "ethtool", "dig", "curl", *getattr(request.module, "TOOLS", ()))
    if missing := [tool for tool in tools if not shutil.which(tool)]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    return partial(perform, folder=tmp_path)
