"""Become the sandbox: own user, network, mount, pid, uts and ipc namespaces, then run the stage.

Started by `filterbed.sandbox.launch` as `python -P -m filterbed.sandbox.init FD` where FD is the
reading end of a pipe that only the runner holds: when it closes, or the runner dies, or this
process's parent does, everything inside ends within moments.

Under root two users exist inside, 0 and 1 (an unprivileged one, for tools); else just 0. Who is
root only of a user namespace that holds no second user counts as an ordinary user.
"""

from __future__ import annotations

import os
import select
import signal
import sys
from collections.abc import Callable

from filterbed.sandbox import kernel, view
from filterbed.sandbox.kernel import Clone, Mount

#: Whom user 1 of a sandbox made by root is outside: "nobody".
NOBODY = 65534
ALL = Clone.NEWUSER | Clone.NEWNS | Clone.NEWNET | Clone.NEWPID | Clone.NEWUTS | Clone.NEWIPC


def enter(
    watch: int,
    main: Callable[[], int],
    *,
    refused: Callable[[str], None],
    keep: list[str],
    write: list[str],
) -> int:
    """Make the sandbox, run `main` in it as its process 2, and return main's exit status.

    Args:
        watch: descriptor whose end of file ends the sandbox.
        main: what to run inside.
        refused: told why, in words, where the sandbox could not be made.
        keep: paths that must stay visible although they lie under /tmp or /run.
        write: directories that may be written; everything else of the host is read-only.
    """
    try:
        _new_namespaces()
    except OSError as error:
        refused(str(error))
        return 125
    child = os.fork()
    if child == 0:
        status = 125
        try:
            kernel.die_with_parent()  # and where that came too late, `watch` has ended
            _lay_out(keep, write)
            status = _init(watch, main)
        except OSError as error:
            refused(str(error))
        finally:
            os._exit(status)
    return _status_of(child)


def _new_namespaces() -> None:
    uid, gid = os.geteuid(), os.getegid()
    if uid != 0 or not (_is_mapped("uid_map") and _is_mapped("gid_map")):
        kernel.unshare(ALL)
        kernel.write_map("self", "setgroups", "deny")
        kernel.write_map("self", "uid_map", f"0 {uid} 1")
        kernel.write_map("self", "gid_map", f"0 {gid} 1")
        return
    # Two lines need privilege over the outer namespace, which is gone after unshare: a helper
    # that stays outside writes them.
    me = os.getpid()
    ready_read, ready_write = os.pipe()
    helper = os.fork()
    if helper == 0:
        status = 1
        try:
            os.close(ready_write)  # so that it reads an end of file if we die
            if os.read(ready_read, 1):
                kernel.write_map(me, "uid_map", f"0 {uid} 1\n1 {NOBODY} 1")
                kernel.write_map(me, "gid_map", f"0 {gid} 1\n1 {NOBODY} 1")
                status = 0
        finally:
            os._exit(status)
    os.close(ready_read)
    try:
        kernel.unshare(ALL)
        os.write(ready_write, b"x")
    finally:
        os.close(ready_write)
        mapped = _status_of(helper) == 0
    if not mapped:
        raise OSError("the maps of users and groups could not be written")
    os.setgroups([])


def _is_mapped(which: str) -> bool:
    """Say whether user `NOBODY` exists in the user namespace we are in."""
    with open(f"/proc/self/{which}") as lines:
        ranges = [(int(start), int(size)) for start, _, size in map(str.split, lines)]
    return any(start <= NOBODY < start + size for start, size in ranges)


def _lay_out(keep: list[str], write: list[str]) -> None:
    kernel.mount("none", "/", flags=Mount.REC | Mount.PRIVATE)
    kernel.mount("proc", "/proc", "proc", Mount.NOSUID | Mount.NODEV | Mount.NOEXEC)
    view.cover(view.PRIVATE, [*keep, *write])
    for path in write:
        kernel.mount(path, path, flags=Mount.BIND)
    kernel.set_read_only("/", True, recursive=True)
    private = [path for path in view.PRIVATE if os.path.ismount(path)]
    for path in ("/proc", *private, *write):
        kernel.set_read_only(path, False)
    os.environ["TMPDIR"] = "/tmp"


def _init(watch: int, main: Callable[[], int]) -> int:
    """Be process 1: run `main` as a child, reap everything, end when told or when it ends."""
    wake_read, wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
    signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        status = 125
        try:
            status = main()
        except BaseException:
            import traceback

            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)
    poll = select.poll()
    poll.register(watch, select.POLLIN | select.POLLHUP)
    poll.register(wake_read, select.POLLIN)
    while True:
        for fd, _ in poll.poll():
            if fd == watch and not os.read(watch, 4096):
                return 130
            if fd == wake_read:
                os.read(wake_read, 4096)
        while True:
            try:
                pid, raw = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return 125
            if pid == 0:
                break
            if pid == child:
                return _decode(raw)


def _status_of(pid: int) -> int:
    while True:
        try:
            return _decode(os.waitpid(pid, 0)[1])
        except InterruptedError:
            continue


def _decode(raw: int) -> int:
    code = os.waitstatus_to_exitcode(raw)
    return code if code >= 0 else 128 - code
