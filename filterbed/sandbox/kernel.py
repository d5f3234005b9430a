"""Ask the kernel for namespaces and mounts: thin, typed calls into libc.

Python 3.11 has no `os.unshare`; util-linux's `unshare` cannot do what sits between two of our
calls. Every function raises OSError with the path or the namespace it was about.
Source: unshare(2), setns(2), mount(2), mount_setattr(2), prctl(2), user_namespaces(7).
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
from collections.abc import Iterable
from enum import IntEnum, IntFlag

_libc = ctypes.CDLL(None, use_errno=True)

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_KEEPCAPS = 8
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
SIGKILL = 9
MNT_DETACH = 2
#: More than any kernel has; the ones beyond its last are refused, which does no harm.
_CAPABILITIES = 64
_CAPABILITY_VERSION = 0x2008_0522
_KEYCTL = {"x86_64": 250, "aarch64": 219, "riscv64": 219, "i686": 288, "armv7l": 311}
_KEYCTL_JOIN_SESSION_KEYRING = 1


class Clone(IntFlag):
    """Kinds of namespace. <https://man7.org/linux/man-pages/man7/namespaces.7.html>"""

    NEWNS = 0x0002_0000
    NEWUTS = 0x0400_0000
    NEWIPC = 0x0800_0000
    NEWUSER = 0x1000_0000
    NEWPID = 0x2000_0000
    NEWNET = 0x4000_0000


class Capability(IntEnum):
    """What a process may do. <https://man7.org/linux/man-pages/man7/capabilities.7.html>"""

    NET_BIND_SERVICE = 10
    NET_ADMIN = 12
    NET_RAW = 13


class Mount(IntFlag):
    """Flags of mount(2)."""

    RDONLY = 1
    NOSUID = 2
    NODEV = 4
    NOEXEC = 8
    REMOUNT = 32
    BIND = 4096
    REC = 16384
    PRIVATE = 1 << 18


_SYS_MOUNT_SETATTR = 442  # the same number on every architecture
_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_ATTR_RDONLY = 1


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _check(result: int, what: str) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def unshare(kinds: Clone) -> None:
    """Leave the present namespaces of these kinds for new ones."""
    _check(_libc.unshare(int(kinds)), f"unshare {kinds!r}")


def setns(fd: int, kind: Clone) -> None:
    """Enter the namespace behind an open file of /proc/PID/ns."""
    _check(_libc.setns(fd, int(kind)), f"setns {kind!r}")


def mount(
    source: str, target: str, kind: str | None = None, flags: int = 0, data: str = ""
) -> None:
    """Mount as mount(2) does; `kind` is the file system's name, None for a bind or remount."""
    result = _libc.mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        data.encode() if data else None,
    )
    _check(result, f"mount {kind or 'bind'} {source} on {target}")


def set_read_only(target: str, read_only: bool, *, recursive: bool = False) -> None:
    """Make a mount (with `recursive`, everything under it too) read-only, or writable again.

    Needs Linux 5.12. A mount inherited read-only from outside stays so: OSError EPERM.
    """
    attr = _MountAttr(attr_set=_ATTR_RDONLY) if read_only else _MountAttr(attr_clr=_ATTR_RDONLY)
    result = _libc.syscall(
        _SYS_MOUNT_SETATTR,
        _AT_FDCWD,
        os.fsencode(target),
        _AT_RECURSIVE if recursive else 0,
        ctypes.byref(attr),
        ctypes.sizeof(attr),
    )
    _check(int(result), f"mount_setattr {target}")


def unmount(target: str) -> None:
    """Take a mount away at once, whoever uses it; OSError EINVAL where it is locked or none."""
    _check(_libc.umount2(os.fsencode(target), MNT_DETACH), f"umount {target}")


def die_with_parent() -> None:
    """Have the kernel kill this process when the thread that started it ends.

    A change of user, and a child, lose this again.
    """
    _check(_libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0), "prctl PDEATHSIG")


def stay_dumpable() -> None:
    """Keep /proc/self ours after a change of user, so that its uid_map can be written."""
    _check(_libc.prctl(PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl DUMPABLE")


def stay_unread() -> None:
    """Keep others of the same user out of this process's memory and /proc files."""
    _check(_libc.prctl(PR_SET_DUMPABLE, 0, 0, 0, 0), "prctl DUMPABLE")


def leave_keyring() -> None:
    """Begin a session keyring of our own: the caller's keys are not the tool's."""
    number = _KEYCTL.get(platform.machine())
    if number is not None:  # a kernel without keyrings refuses, and there is nothing to leave
        _libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None)


def become(uid: int, gid: int, kept: Iterable[Capability]) -> None:
    """Become this user with no capability but these, neither now nor by running a program."""
    for number in range(_CAPABILITIES):
        if number not in set(kept):
            _libc.prctl(PR_CAPBSET_DROP, number, 0, 0, 0)
    _check(_libc.prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0), "prctl KEEPCAPS")
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    bits = sum(1 << capability for capability in kept)
    low, high = bits & 0xFFFF_FFFF, bits >> 32
    header = struct.pack("=Ii", _CAPABILITY_VERSION, 0)
    _check(_libc.capset(header, struct.pack("=6I", low, low, low, high, high, high)), "capset")
    for capability in kept:
        raised = _libc.prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, int(capability), 0, 0)
        _check(raised, f"prctl CAP_AMBIENT {capability!r}")
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl NO_NEW_PRIVS")


def write_map(pid: int | str, which: str, lines: str) -> None:
    """Write /proc/PID/`which` (uid_map, gid_map or setgroups) in one call, as it must be."""
    fd = os.open(f"/proc/{pid}/{which}", os.O_WRONLY)
    try:
        os.write(fd, lines.encode())
    finally:
        os.close(fd)
