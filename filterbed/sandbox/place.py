"""Give a tool its place: a vantage of its own, from which nothing of the testbed can be seen.

A vantage's network belongs to a user namespace nested in the sandbox's (`nest`). A tool joins it
in a fresh pid namespace and a mount namespace in which the scenario, the run directory, homes and
other people's temporary files are covered; since that namespace is owned by the nested user
namespace, the covers are locked (mount_namespaces(7)) and the censor's and routers' namespaces
are out of reach. Under root the tool is, for the host, an unprivileged user. On a host that is no
vantage a command runs as the same user, with what it takes to look at the network and no more.
"""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from typing import IO, Any

from filterbed.sandbox import kernel, view
from filterbed.sandbox.init import _decode
from filterbed.sandbox.kernel import Capability, Clone, Mount

NESTED = Clone.NEWUSER | Clone.NEWNET | Clone.NEWNS | Clone.NEWUTS | Clone.NEWIPC
FILES = "/run/filterbed"
_JOINED = {
    "user": Clone.NEWUSER,
    "net": Clone.NEWNET,
    "uts": Clone.NEWUTS,
    "ipc": Clone.NEWIPC,
}
CANNOT_RUN, NOT_FOUND, OWN_FAILURE = 126, 127, 125


@dataclass(frozen=True, slots=True)
class Place:
    """Where and as whom a tool runs.

    Args:
        pid: a process in the vantage's namespaces (its Mininet shell).
        host: the vantage's name, also its hostname.
        hidden: paths that look empty from there.
        covered: directories replaced by an empty one (homes), beside the private ones.
        keep: paths under a covered or private directory that the tool needs.
        files: content by name, written below /run/filterbed.
        replaced: paths shown with the content of one of `files` instead.
        nested: the host is a vantage; another host's network belongs to the sandbox itself.
    """

    pid: int
    host: str
    hidden: tuple[str, ...] = ()
    covered: tuple[str, ...] = ()
    keep: tuple[str, ...] = ()
    files: Mapping[str, str] = field(default_factory=dict)
    replaced: Mapping[str, str] = field(default_factory=dict)
    nested: bool = True


def nest() -> None:
    """Move this process (a fresh child) into a nested user namespace with a network of its own.

    Under root as user 1 of the sandbox, so that inside it nobody is the host's root.
    """
    if _two_users():
        os.setgroups([])
        os.setresgid(1, 1, 1)
        os.setresuid(1, 1, 1)
        kernel.stay_dumpable()
    uid, gid = os.geteuid(), os.getegid()
    kernel.unshare(NESTED)
    kernel.write_map("self", "setgroups", "deny")
    kernel.write_map("self", "uid_map", f"0 {uid} 1")
    kernel.write_map("self", "gid_map", f"0 {gid} 1")


def spawn(
    place: Place,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str = "/",
    stdin: int | IO[Any] | None = None,
    stdout: int | IO[Any] | None = None,
    stderr: int | IO[Any] | None = None,
    made: int | None = None,
) -> subprocess.Popen[bytes]:
    """Start `argv` in `place`; the returned process ends when the tool's first process does.

    Killing it kills everything the tool started, daemons included. Its status is the tool's, or
    125 (the place could not be made), 126 (not executable), 127 (not found), 128 + signal. A byte
    is written to the descriptor `made` once the place is there: a tool may end with 125 too.
    """
    order = {"made": made, "place": asdict(place), "argv": list(argv), "env": dict(env), "cwd": cwd}
    fd = os.memfd_create("place")
    os.write(fd, json.dumps(order).encode())
    os.lseek(fd, 0, os.SEEK_SET)
    try:
        return subprocess.Popen(
            [sys.executable, "-P", "-m", "filterbed.sandbox.place", str(fd)],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=(fd,) if made is None else (fd, made),
        )
    finally:
        os.close(fd)


def _two_users() -> bool:
    with open("/proc/self/uid_map") as lines:
        return len(lines.readlines()) > 1


def _main(order: Mapping[str, Any]) -> int:
    """Enter the place and run the tool: the part that runs as a process of its own."""
    kernel.die_with_parent()
    place = Place(**order["place"])
    namespaces = {
        kind: os.open(f"/proc/{place.pid}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC)
        for name, kind in (
            ("user", Clone.NEWUSER),
            ("net", Clone.NEWNET),
            ("uts", Clone.NEWUTS),
            ("ipc", Clone.NEWIPC),
        )
    }
    if _two_users():
        os.setgroups([])
        _hand_over_pipes()
    kernel.leave_keyring()
    kernel.unshare(Clone.NEWNS | Clone.NEWPID)
    alive, held = os.pipe()
    child = os.fork()
    if child == 0:
        status = OWN_FAILURE
        try:
            os.close(held)
            _see(place)
            _join(place, namespaces)
            kernel.stay_unread()
            kernel.die_with_parent()
            if select.select([alive], [], [], 0)[0]:
                return status  # the parent died before the kernel was told
            if (made := order["made"]) is not None:
                os.write(made, b"1")
                os.close(made)
            status = _first(order["argv"], order["env"], order["cwd"])
        except OSError as error:
            print(f"filterbed: no place at {place.host}: {error}", file=sys.stderr)
        finally:
            sys.stderr.flush()
            os._exit(status)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: os.kill(child, n))
    while True:
        try:
            return _decode(os.waitpid(child, 0)[1])
        except InterruptedError:
            continue


def _hand_over_pipes() -> None:
    """Let the tool open /dev/stdin, /dev/stdout and /dev/stderr anew where they are pipes."""
    for fd in (0, 1, 2):
        with suppress(OSError):
            if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:["):
                os.fchown(fd, 1, 1)


def _see(place: Place) -> None:
    """Lay out the file system, still as the sandbox's own user."""
    kernel.mount("proc", "/proc", "proc", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC)
    hidden = [os.path.realpath(p) for p in place.hidden]
    for path in hidden:
        with suppress(OSError):  # no mount is left there; the host's own are locked
            while True:
                kernel.unmount(path)
    view.cover([*view.PRIVATE, *place.covered], place.keep)
    view.hide(hidden)
    os.makedirs(FILES, mode=0o755)
    for name, content in place.files.items():
        with open(f"{FILES}/{name}", "w") as file:
            file.write(content)
        os.chmod(f"{FILES}/{name}", 0o644)
    view.replace({path: f"{FILES}/{name}" for path, name in place.replaced.items()})
    os.makedirs("/tmp/home", exist_ok=True)
    os.chmod("/tmp/home", 0o1777)
    for directory in ("/run", *place.covered):
        if os.path.ismount(directory):
            kernel.set_read_only(directory, True)


def _join(place: Place, namespaces: Mapping[Clone, int]) -> None:
    if not place.nested:
        kernel.unshare(Clone.NEWUTS)
        socket.sethostname(place.host)
        kernel.setns(namespaces[Clone.NEWNET], Clone.NEWNET)
        _show_own_interfaces()
        user = 1 if _two_users() else 0
        kernel.become(user, user, Capability)
        return
    kernel.setns(namespaces[Clone.NEWUSER], Clone.NEWUSER)
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)
    for kind in (Clone.NEWNET, Clone.NEWUTS, Clone.NEWIPC):
        kernel.setns(namespaces[kind], kind)
    socket.sethostname(place.host)
    # A copy of this view owned by the nested user namespace: what is mounted is locked in it.
    kernel.unshare(Clone.NEWNS)
    _show_own_interfaces()


def _show_own_interfaces() -> None:
    """Show /sys as of this network; where that is refused (a masked /sys), no network at all."""
    flags = Mount.RDONLY | Mount.NOSUID | Mount.NODEV | Mount.NOEXEC
    try:
        kernel.mount("sysfs", "/sys", "sysfs", flags)
    except OSError:
        view.hide(["/sys/class/net", "/sys/devices/virtual/net"])


def _first(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> int:
    """Be the place's process 1: start the tool, pass signals on, reap, end when it ends."""
    tool = os.fork()
    if tool == 0:
        _become(argv, env, cwd)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda n, _frame: os.kill(tool, n))
    while True:
        try:
            pid, raw = os.waitpid(-1, 0)
        except InterruptedError:
            continue
        if pid == tool:
            return _decode(raw)


def _become(argv: Sequence[str], env: Mapping[str, str], cwd: str) -> None:
    status = OWN_FAILURE
    try:
        os.setsid()
        kernel.die_with_parent()
        try:
            os.chdir(cwd)
        except OSError as error:
            home = env.get("HOME", "/")
            print(f"filterbed: {cwd}: {error.strerror}; starting in {home}", file=sys.stderr)
            os.chdir(home)
        os.execvpe(argv[0], list(argv), dict(env))
    except FileNotFoundError:
        print(f"filterbed: {argv[0]}: command not found", file=sys.stderr)
        status = NOT_FOUND
    except OSError as error:
        print(f"filterbed: {argv[0]}: {error.strerror}{_hint(error)}", file=sys.stderr)
        status = CANNOT_RUN
    finally:
        sys.stderr.flush()
        os._exit(status)


def _hint(error: OSError) -> str:
    if not isinstance(error, PermissionError):
        return ""
    return "; it must be executable, by others too when root runs it: tools are never root"


if __name__ == "__main__":
    _fd = int(sys.argv[1])
    with os.fdopen(_fd) as _file:
        _order = json.load(_file)
    sys.exit(_main(_order))
