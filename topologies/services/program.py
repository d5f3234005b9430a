"""Say what a program is before it runs: its command, its files, and how it shows it is ready."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from topologies.errors import MachineError

#: Where Debian keeps servers; an ordinary user's PATH lacks the sbin ones.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENABLED = Path("/sys/module/apparmor/parameters/enabled")
PROFILES = Path("/etc/apparmor.d")


@dataclass(frozen=True, slots=True)
class Ready:
    """One question that a ready program answers, asked from inside its node's network namespace.

    `dns`: a query for `name` draws any answer but SERVFAIL and REFUSED; `tcp`: a connection is
    accepted; `udp`: the datagram `name` draws another; `sip`: OPTIONS for `name` draws a response;
    `stun`: a Binding request draws one.
    """

    how: Literal["dns", "tcp", "udp", "sip", "stun"]
    address: str
    port: int
    name: str = "."


@dataclass(frozen=True, slots=True)
class Program:
    """One process on one node.

    Args: `files` are absolute paths and contents, written before the start; `after` are ids that
    must be ready first; `once` marks a program that is ready when it ends with status 0;
    `environment` is what its own adds to that of all programs.
    """

    id: str
    node: str
    argv: tuple[str, ...]
    files: Mapping[Path, str | bytes] = field(default_factory=dict)
    ready: tuple[Ready, ...] = ()
    after: tuple[str, ...] = ()
    once: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


def binary(name: str, package: str) -> str:
    """Find a program's path.

    Raises: MachineError naming the Debian package that holds it.
    """
    found = shutil.which(name, path=PATH)
    if found is None:
        raise MachineError(
            f"{name} is not installed: apt install --no-install-recommends {package}"
        )
    return found


def unconfined(path: str, workdir: Path) -> tuple[str, dict[Path, bytes]]:
    """Return the path a server is run from, and the file to write for it, if any.

    AppArmor confines by path: unbound may read nothing but /etc/unbound. Where a profile
    for the program is there and AppArmor is on, a private copy runs without it.
    """
    name = path.strip("/").replace("/", ".")
    if not (PROFILES / name).exists() or not _apparmor():
        return path, {}
    copy = workdir / "bin" / Path(path).name
    return str(copy), {copy: Path(path).read_bytes()}


def _apparmor() -> bool:
    try:
        return ENABLED.read_text().strip() == "Y"
    except OSError:
        return False
