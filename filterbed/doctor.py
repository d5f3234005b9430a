"""Say what this machine has and lacks for a run, each lack with its cure.

The kernel is asked by trying: one short-lived sandbox in which each thing a run needs is done
once. Nothing outside it changes. It works as root and as an ordinary user and takes under a second.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from importlib import machinery, metadata, util
from pathlib import Path
from typing import Literal

from filterbed.trial import SBIN, SCRATCH, TRIALS, answer, attempt, last_line

State = Literal["ok", "warn", "missing"]

#: Programs a run starts: (name, option that prints its version, Debian package).
PROGRAMS = (
    ("ip", "-V", "iproute2"),
    ("iptables", "-V", "iptables"),
    ("ip6tables", "-V", "iptables"),
    ("conntrack", "-V", "conntrack"),
    ("ethtool", "--version", "ethtool"),
    ("sysctl", "--version", "procps"),
    ("unshare", "--version", "util-linux"),
    ("mount", "--version", "mount"),
    ("mnexec", "-v", "mininet"),
    ("nginx", "-v", "nginx-light"),
    ("caddy", "version", "caddy"),
    ("squid", "-v", "squid"),
    ("nsd", "-v", "nsd"),
    ("unbound", "-V", "unbound"),
    ("kamailio", "-v", "kamailio"),
    ("turnserver", "--version", "coturn"),
    ("sipp", "-v", "sip-tester"),
    ("baresip", "-h", "baresip-core"),
    ("dumpcap", "-v", "wireshark-common"),
    ("dig", "-v", "bind9-dnsutils"),
    ("curl", "-V", "curl"),
)

#: Of these, what only some scenarios ask for, and what is not to be had without.
OPTIONAL = {"baresip": "calls by client: baresip"}

#: Python distributions a run imports.
MODULES = (
    "mininet",
    "NetfilterQueue",
    "scapy",
    "PyYAML",
    "pydantic",
    "dnspython",
    "cryptography",
    "aioquic",
    "rich",
    "click",
)

#: The usual net.core.rmem_max; the hosts' TCP windows are sized so that a queue of this size fits.
USUAL_RMEM = 212_992
#: mount_setattr(2), with which the host's files are shown read-only, came with Linux 5.12.
OLDEST_KERNEL = (5, 12)
DISK_WANTED = 1 << 30


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: `missing` makes a run impossible, `warn` makes it poorer."""

    name: str
    state: State
    detail: str
    cure: str = ""


def find_program(name: str) -> str | None:
    """Return a program's path, looking into the sbin folders too; None where it is not there."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), *SBIN)))


def engine() -> str:
    """Return "compiled" where the censor's hot modules are (setup.py), else "python"."""
    spec = util.find_spec("censor.engine.engine")
    origin = (spec and spec.origin) or ""
    return "compiled" if origin.endswith(tuple(machinery.EXTENSION_SUFFIXES)) else "python"


def diagnose() -> list[Finding]:
    """Look at everything; the order is the one a person would cure things in."""
    with ThreadPoolExecutor(max_workers=4) as pool:
        programs = pool.map(_program, *zip(*PROGRAMS, strict=True))
        sandbox = pool.submit(lambda: list(_sandbox()))
        return [
            _python(),
            *_modules(),
            Finding("engine", "ok", engine()),
            *programs,
            _kernel(),
            *sandbox.result(),
            _receive_buffer(_number("/proc/sys/net/core/rmem_max")),
            _disk(Path.cwd()),
            _cores(),
        ]


def lacking(findings: Iterable[Finding]) -> list[Finding]:
    """Return those that make a run impossible."""
    return [finding for finding in findings if finding.state == "missing"]


def main(json: bool = False) -> int:  # the option's name
    """Print the findings and return 0, or 3 where a run is impossible."""
    findings = diagnose()
    lacks = lacking(findings)
    print(_as_json(findings) if json else _as_text(findings))
    return 3 if lacks else 0


# Programs and Python -----------------------------------------------------------------------------


def _python() -> Finding:
    return Finding("Python", "ok", f"{platform.python_version()} at {sys.executable}")


def _modules() -> Iterator[Finding]:
    for name in MODULES:
        try:
            yield Finding(f"Python: {name}", "ok", metadata.version(name))
        except metadata.PackageNotFoundError:
            cure = "bin/bootstrap, or pip install -r requirements.lock in this environment"
            yield Finding(f"Python: {name}", "missing", "not installed", cure)


def _program(name: str, option: str, package: str) -> Finding:
    path = find_program(name)
    if path is None:
        where = f"not in PATH, nor in {', '.join(SBIN)}"
        cure = f"bin/bootstrap, or as root: apt-get install --no-install-recommends {package}"
        if name in OPTIONAL:
            return Finding(name, "warn", f"{where}: no {OPTIONAL[name]}", cure)
        return Finding(name, "missing", where, cure)
    status, text = answer([path, option])
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if status < 0 or not lines:
        return Finding(name, "ok", path)
    return Finding(name, "ok", f"{path}: {lines[0][:60]}")


# The kernel --------------------------------------------------------------------------------------


def _kernel() -> Finding:
    release = platform.release()
    numbers = tuple(int("0" + part) for part in release.split("-")[0].split(".")[:2])
    if numbers >= OLDEST_KERNEL:
        return Finding("kernel", "ok", f"Linux {release}")
    return Finding(
        "kernel", "missing", f"Linux {release}", "Linux 5.12 or later; Debian 12 has 6.1"
    )


def _sandbox() -> Iterator[Finding]:
    """Try to make a sandbox, then each trial within it."""
    status, text = answer([*SCRATCH, "mount", "-t", "tmpfs", "none", "/run"])
    if status != 0:
        yield Finding("user namespaces", "missing", last_line(text), _namespace_cure())
        return
    yield Finding("user namespaces", "ok", "user, net, mount, pid, uts and ipc can be made")
    status, text = answer([*SCRATCH, "--mount-proc", "true"])
    if status != 0:
        yield Finding(
            "/proc",
            "missing",
            f"a new one cannot be mounted, so the present one is masked: {last_line(text)}",
            "start the container with --security-opt systempaths=unconfined "
            "(podman: --security-opt unmask=ALL)",
        )
        return
    yield Finding("/proc", "ok", "can be mounted in a sandbox")
    yield from _trials()


def _trials() -> Iterator[Finding]:
    for trial, refusal in attempt(TRIALS):
        if refusal is None:
            yield Finding(trial.name, "ok", trial.meaning)
        else:
            yield Finding(trial.name, trial.lacking, f"{refusal} ({trial.meaning})", trial.cure)


def _namespace_cure() -> str:
    """Name the switch that forbids user namespaces, of the several there are."""
    if _number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == 1:
        return (
            "AppArmor forbids them (Ubuntu 24.04's default); as root: "
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
        )
    if _number("/proc/sys/kernel/unprivileged_userns_clone") == 0:
        return "as root: sysctl -w kernel.unprivileged_userns_clone=1"
    if _number("/proc/sys/user/max_user_namespaces") == 0:
        return "as root: sysctl -w user.max_user_namespaces=10000"
    return (
        "in a container: --cap-add SYS_ADMIN --cap-add NET_ADMIN --security-opt seccomp=unconfined "
        "--security-opt apparmor=unconfined; in a chroot they are refused always: use pivot_root"
    )


def _receive_buffer(size: int | None) -> Finding:
    name = "queue buffer"
    if size is None:
        return Finding(name, "warn", "net.core.rmem_max cannot be read", "mount /proc")
    text = f"net.core.rmem_max is {size:,} bytes"
    if size < USUAL_RMEM:
        return Finding(
            name,
            "warn",
            f"{text}: bulk transfers may overflow the queue, which makes a run invalid",
            f"as root: sysctl -w net.core.rmem_max={USUAL_RMEM}",
        )
    if size == USUAL_RMEM:
        return Finding(name, "ok", f"{text}, the usual: hosts' TCP windows are sized to fit it")
    return Finding(name, "ok", f"{text}, more than the usual {USUAL_RMEM:,} a run is sized for")


# The rest ----------------------------------------------------------------------------------------


def _disk(where: Path) -> Finding:
    free = shutil.disk_usage(where).free
    text = f"{free / 1e9:.1f} GB free in {where}"
    if free >= DISK_WANTED:
        return Finding("disk", "ok", text)
    return Finding(
        "disk", "warn", text, "captures of a bulk run can fill 1 GB: use --out elsewhere"
    )


def _cores() -> Finding:
    cores = len(os.sched_getaffinity(0))
    if cores >= 2:
        return Finding("cores", "ok", f"{cores}")
    cure = "two or more: timing-sensitive scenarios may be invalid on one"
    return Finding("cores", "warn", f"{cores}", cure)


def _number(path: str) -> int | None:
    try:
        return int(Path(path).read_text())
    except (OSError, ValueError):
        return None


def _as_json(findings: list[Finding]) -> str:
    return json.dumps([asdict(finding) for finding in findings], indent=2)


def _as_text(findings: list[Finding]) -> str:
    width = max(len(finding.name) for finding in findings)
    lines = []
    for finding in findings:
        lines.append(f"{finding.state:8} {finding.name:{width}}  {finding.detail}")
        if finding.cure:
            lines.append(f"{'':8} {'':{width}}  cure: {finding.cure}")
    lacks = lacking(findings)
    lines.append("")
    lines.append(
        f"{len(lacks)} missing: a run is not possible"
        if lacks
        else "nothing that a run needs is missing"
    )
    return "\n".join(lines)
