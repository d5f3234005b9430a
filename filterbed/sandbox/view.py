"""Shape what a process sees of the file system: cover, keep, hide, replace.

Used twice: for the sandbox as a whole (its own /tmp, /run, everything else read-only) and for the
place of a tool inside it (also no home, no scenario, no run directory). All of it happens in a
mount namespace of our own, so nothing reaches the host.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from filterbed.sandbox.kernel import Mount, mount

#: Directories every sandbox has for itself.
PRIVATE = ("/run", "/tmp", "/var/tmp", "/dev/shm")
_TMPFS_SIZE = "size=1g"
_MOST_LINKS = 40  # as many as the kernel follows


def cover(directories: Iterable[str], keep: Iterable[str]) -> None:
    """Put an empty directory over each of `directories`, and what is in `keep` back into it.

    A kept path that is itself covered, or holds a covered directory, is left out: keeping it would
    undo the covering. Paths that do not exist are ignored. Kept paths keep their own mounts, and
    links on the way to one are made again.
    """
    keep = list(keep)
    covered = [os.path.realpath(d) for d in directories if os.path.isdir(d)]
    covered = list(dict.fromkeys(covered))
    links = {
        link: os.readlink(link)
        for path in keep
        for link in links_of(path)
        if any(_under(link, directory) for directory in covered)
    }
    kept: dict[str, int] = {}
    for path in sorted({os.path.realpath(k) for k in keep}):
        inside = any(_under(path, d) and path != d for d in covered)
        if inside and not any(_under(path, k) for k in kept) and os.path.exists(path):
            kept[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
    for directory in covered:
        mount("tmpfs", directory, "tmpfs", Mount.NOSUID | Mount.NODEV, f"mode=1777,{_TMPFS_SIZE}")
    for path, fd in kept.items():
        _make_like(path, fd)
        mount(f"/proc/self/fd/{fd}", path, flags=Mount.BIND | Mount.REC)
        os.close(fd)
    for link, target in links.items():
        if not os.path.lexists(link):
            os.makedirs(os.path.dirname(link), exist_ok=True)
            os.symlink(target, link)


def links_of(path: str) -> list[str]:
    """Return every symbolic link that leads to what `path` names, each where it really lies."""
    found: list[str] = []
    place, parts = "/", path.split("/")[::-1]
    while parts and len(found) < _MOST_LINKS:
        part = parts.pop()
        if part in ("", "."):
            continue
        if part == "..":
            place = os.path.dirname(place)
            continue
        step = os.path.join(place, part)
        if not os.path.islink(step):
            place = step
            continue
        found.append(step)
        target = os.readlink(step)
        place = "/" if target.startswith("/") else place
        parts += target.split("/")[::-1]
    return found


def hide(paths: Iterable[str]) -> None:
    """Make each path look empty and stay so: a directory without entries, a file without bytes.

    What lies below another of them is left alone: mounts can be listed, and names may tell.
    """
    hidden = sorted(set(paths))
    for path in hidden:
        if any(path != other and _under(path, other) for other in hidden):
            continue
        if os.path.isdir(path):
            mount(
                "tmpfs",
                path,
                "tmpfs",
                Mount.RDONLY | Mount.NOSUID | Mount.NODEV,
                "mode=555,size=4k",
            )
        elif os.path.exists(path):
            mount("/dev/null", path, flags=Mount.BIND)


def replace(files: Mapping[str, str]) -> None:
    """Show other files (values: where they are) at these paths, through links.

    A path whose end is not there is made where that is possible (a link into a covered /run) and
    left out where it is not.
    """
    for path, source in files.items():
        target = os.path.realpath(path)
        if not os.path.exists(target):
            try:
                os.makedirs(os.path.dirname(target), exist_ok=True)
                Path(target).touch()
            except OSError:
                continue
        mount(source, target, flags=Mount.BIND)


def _under(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _make_like(path: str, fd: int) -> None:
    if os.path.isdir(f"/proc/self/fd/{fd}"):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
