"""Decide what a tool may see: what it needs, and nothing that knows the truth."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_DEPTH = 2
_DEPTHS = ("*", "*/*", "*/*/*")
PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Visibility:
    """`keep` stays visible although under a covered directory; `hidden` looks empty."""

    keep: tuple[str, ...]
    hidden: tuple[str, ...]
    covered: tuple[str, ...]


def decide(
    *,
    argv: Sequence[str],
    cwd: str,
    env: Mapping[str, str],
    out: Path | None,
    directories: Iterable[Path],
    scenario: str,
) -> Visibility:
    """Return what the tools of a run see.

    Kept: the testbed itself, its Python, the working directory, the command with what it is
    installed with, every argument that is a path that exists, and what PATH names under a home.
    Covered: root's home and the caller's. Hidden: the scenarios, their tests and history, the run
    directory, its siblings, and sockets of the host's services.
    """
    homes = {os.path.realpath(h) for h in ("/root", os.path.expanduser("~")) if os.path.isdir(h)}
    homes -= {"/"}
    keep = [str(PROJECT), sys.prefix, sys.base_prefix]
    if os.path.realpath(cwd) not in homes:
        keep.append(cwd)
    keep += [_whole(d, homes) for d in env.get("PATH", "").split(":") if d.startswith("/")]
    keep += _named(argv, cwd, env, homes)
    hidden = [str(PROJECT / "scenarios"), scenario]
    if (PROJECT / "pyproject.toml").exists():
        hidden += [str(PROJECT / n) for n in ("tests", ".git", "docs", "benchmarks", "runs")]
    hidden += [str(d) for d in directories]
    if out is not None:
        inside = _holds(out, [cwd, str(PROJECT), *keep])
        hidden += _runs(out) if inside else [str(out.resolve())]
    hidden += _old_runs(cwd)
    hidden += _sockets()
    return Visibility(
        tuple(dict.fromkeys(os.path.abspath(k) for k in keep)),
        tuple(dict.fromkeys(os.path.realpath(h) for h in hidden)),
        tuple(sorted(homes)),
    )


def _named(argv: Sequence[str], cwd: str, env: Mapping[str, str], homes: set[str]) -> list[str]:
    """Return the paths a command names: itself, what it needs, existing arguments."""
    if not argv:
        return []
    found = []
    command = shutil.which(argv[0], path=env.get("PATH")) or os.path.join(cwd, argv[0])
    if os.path.exists(command):
        found += [command, *_needs(command, homes)]
    for word in argv[1:]:
        path = os.path.join(cwd, word)
        if word and "\0" not in word and os.path.exists(path) and os.path.realpath(path) != "/":
            found.append(path)
    return found


def _needs(command: str, homes: set[str], depth: int = _DEPTH) -> list[str]:
    """Return where a program is installed (PREFIX of PREFIX/bin), its interpreter's place too.

    That of a virtual environment made from a Python under a home is two steps away.
    """
    found = []
    for path in dict.fromkeys((os.path.abspath(command), os.path.realpath(command))):
        prefix, folder = os.path.split(os.path.dirname(path))
        shared = {os.path.join(home, ".local") for home in homes} | homes | {"/"}
        if folder in ("bin", "sbin") and os.path.realpath(prefix) not in shared:
            found.append(prefix)
    interpreter = _interpreter(command)
    if interpreter and depth:
        found += [interpreter, *_needs(interpreter, homes, depth - 1)]
    return found


def _interpreter(command: str) -> str | None:
    try:
        with open(command, "rb") as file:
            first = file.readline(256)
    except OSError:
        return None
    words = first[2:].split() if first.startswith(b"#!") else []
    path = os.fsdecode(words[0]) if words else ""
    return path if os.path.isabs(path) and os.path.exists(path) else None


def _whole(directory: str, homes: set[str]) -> str:
    """Return what stands in a home and holds this directory: `~/.pyenv` for `~/.pyenv/shims`.

    A program there is often a word that leads elsewhere beside it (pyenv, cargo, nvm).
    """
    real = os.path.realpath(directory)
    for home in homes:
        if real.startswith(home + "/"):
            first = os.path.relpath(real, home).partition("/")[0]
            return directory if first == ".local" else os.path.join(home, first)
    return directory


def _old_runs(directory: str) -> list[str]:
    """Find run directories under the working directory: their scores hold the truth.

    Limits: four levels deep and 20,000 directories; hidden ones (`.venv`) are not looked into.
    """
    found = []
    top = directory.rstrip(os.sep).count(os.sep)
    for seen, (path, below, files) in enumerate(os.walk(directory)):
        if {"run.json", "score.json"} <= set(files):
            found.append(path)
            below.clear()
        deep = path.count(os.sep) - top
        below[:] = [name for name in below if not name.startswith(".") and deep < 4]
        if seen > 20_000:
            break
    return found


def _runs(out: Path) -> list[str]:
    """Return the results that lie below `out` already: `SCENARIO` has one word or two."""
    return [str(found.parent) for depth in _DEPTHS for found in out.glob(f"{depth}/run.json")]


def _sockets() -> list[str]:
    """Return the host's sockets that have a path: a network namespace does not shut them out."""
    try:
        lines = Path("/proc/net/unix").read_text("utf-8", "surrogateescape").splitlines()[1:]
    except OSError:
        return []
    paths = [line.split(maxsplit=7)[7] for line in lines if line.count(" /")]
    return [path for path in paths if path.startswith("/") and os.path.exists(path)]


def _holds(directory: Path, paths: Iterable[str]) -> bool:
    real = str(directory.resolve())
    return any(
        os.path.realpath(p) == real or os.path.realpath(p).startswith(real + "/") for p in paths
    )
