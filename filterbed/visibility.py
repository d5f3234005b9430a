"""Decide what a tool may see: what it needs, and nothing that knows the truth."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

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

    Kept: the testbed itself, its Python, the working directory, the command, every argument that
    is a path that exists, and what PATH names under a home. Covered: root's home and the
    caller's. Hidden: the scenarios, their tests and history, the run directory, its siblings.
    """
    homes = {os.path.realpath(h) for h in ("/root", os.path.expanduser("~")) if os.path.isdir(h)}
    homes -= {"/"}
    keep = [str(PROJECT), sys.prefix, sys.base_prefix]
    if os.path.realpath(cwd) not in homes:
        keep.append(cwd)
    keep += [_whole(d, homes) for d in env.get("PATH", "").split(":") if d.startswith("/")]
    keep += _named(argv, cwd, env)
    hidden = [str(PROJECT / "scenarios"), scenario]
    if (PROJECT / "pyproject.toml").exists():
        hidden += [str(PROJECT / name) for name in ("tests", ".git", "docs", "benchmarks")]
    hidden += [str(d) for d in directories]
    if out is not None and not _holds(out, [cwd, str(PROJECT), *keep]):
        hidden.append(str(out.resolve()))
    return Visibility(
        tuple(dict.fromkeys(os.path.realpath(k) for k in keep)),
        tuple(dict.fromkeys(os.path.realpath(h) for h in hidden)),
        tuple(sorted(homes)),
    )


def _whole(directory: str, homes: Iterable[str]) -> str:
    """Return what stands in a home and holds this directory: `~/.pyenv` for `~/.pyenv/shims`.

    Programs there are often a word that leads elsewhere beside it (pyenv, cargo, pipx).
    """
    real = os.path.realpath(directory)
    for home in homes:
        if real.startswith(home + "/"):
            return os.path.join(home, os.path.relpath(real, home).partition("/")[0])
    return directory


def _named(argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> list[str]:
    """Return the paths a command names: itself (and what it links to), existing arguments."""
    if not argv:
        return []
    found = []
    command = shutil.which(argv[0], path=env.get("PATH")) or os.path.join(cwd, argv[0])
    if os.path.exists(command):
        found += [command, os.path.realpath(command)]
    for word in argv[1:]:
        path = os.path.join(cwd, word)
        if word and os.path.exists(path) and os.path.realpath(path) != "/":
            found.append(path)
    return found


def _holds(directory: Path, paths: Iterable[str]) -> bool:
    real = str(directory.resolve())
    return any(
        os.path.realpath(p) == real or os.path.realpath(p).startswith(real + "/") for p in paths
    )
