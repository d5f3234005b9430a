"""Shape what a process sees of the file system: cover, keep, hide, replace.

Used twice: for the sandbox as a whole (its own /tmp, /run, everything else read-only) and for the
place of a tool inside it (also no home, no scenario, no run directory). All of it happens in a
mount namespace of our own, so nothing reaches the host.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from filterbed.sandbox.kernel import Mount, mount, set_read_only

#: Directories every sandbox has for itself.
PRIVATE = ("/run", "/tmp", "/var/tmp", "/dev/shm")
_TMPFS_SIZE = "size=1g"
_MOST_LINKS = 40  # as many as the kernel follows


def cover(directories: Iterable[str], keep: Iterable[str]) -> None:
    """Put an empty directory over each of `directories`, and what is in `keep` back into it.

    Covered and kept paths may lie in each other, however deep: the innermost decides, and a path
    that is both is covered. Paths that do not exist are ignored. Kept paths keep their own mounts,
    and links on the way to one are made again.
    """
    keep = list(keep)
    covered = {os.path.realpath(d) for d in directories if os.path.isdir(d)}
    kept = {k for k in map(os.path.realpath, keep) if os.path.exists(k)} - covered
    links = {
        link: os.readlink(link)
        for path in keep
        for link in links_of(path)
        if any(_under(link, directory) for directory in covered)
    }
    handles: dict[str, int] = {}
    paths = sorted(covered | kept, key=lambda path: path.split("/"))
    around = {path: _nearest(path, covered | kept) for path in paths}
    for path in paths:
        if path in kept and around[path] in covered:
            handles[path] = os.open(path, os.O_PATH | os.O_CLOEXEC)
    for path in paths:
        if path in handles:
            _make_like(path, handles[path])
            mount(f"/proc/self/fd/{handles[path]}", path, flags=Mount.BIND | Mount.REC)
            os.close(handles[path])
        elif path in covered and around[path] in covered:
            os.makedirs(path, exist_ok=True)
        elif path in covered:
            data = f"mode=1777,{_TMPFS_SIZE}"
            mount("tmpfs", path, "tmpfs", Mount.NOSUID | Mount.NODEV, data)
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
        set_read_only(target, True)


def _under(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def _nearest(path: str, others: Iterable[str]) -> str | None:
    """Return the innermost of `others` that `path` lies in, not counting itself."""
    found = [other for other in others if other != path and _under(path, other)]
    return max(found, key=len, default=None)


def _make_like(path: str, fd: int) -> None:
    if os.path.isdir(f"/proc/self/fd/{fd}"):
        os.makedirs(path, exist_ok=True)
    else:
        os.makedirs(os.path.dirname(path), exist_ok=True)
        Path(path).touch()
