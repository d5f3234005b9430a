"""Which links lead somewhere, and which of several paths decides."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from filterbed.sandbox import view

PROJECT = Path(__file__).resolve().parents[3]


def test_links_on_the_way_are_found_where_they_really_lie(tmp_path: Path) -> None:
    (tmp_path / "versions" / "2" / "bin").mkdir(parents=True)
    (tmp_path / "versions" / "2" / "bin" / "go").touch()
    (tmp_path / "current").symlink_to("versions/2")
    (tmp_path / "up").symlink_to("versions/../current")
    (tmp_path / "go").symlink_to(tmp_path / "up" / "bin" / "go")
    found = view.links_of(str(tmp_path / "go"))
    assert found == [str(tmp_path / name) for name in ("go", "up", "current")]
    assert view.links_of(str(tmp_path / "versions")) == []
    assert view.links_of(str(tmp_path / "none" / "such")) == []


def test_a_circle_of_links_ends(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert len(view.links_of(str(tmp_path / "a"))) == 40


LAYOUT = """
import os, sys
from filterbed.sandbox import kernel, view
from filterbed.sandbox.kernel import Clone, Mount
uid, gid = os.getuid(), os.getgid()
kernel.unshare(Clone.NEWUSER | Clone.NEWNS)
kernel.write_map("self", "setgroups", "deny")
kernel.write_map("self", "uid_map", f"0 {uid} 1")
kernel.write_map("self", "gid_map", f"0 {gid} 1")
kernel.mount("none", "/", flags=Mount.REC | Mount.PRIVATE)
os.chdir(sys.argv[1])
covered, keep, hidden = (word.split(",") if word else [] for word in sys.argv[2:5])
here = lambda paths: [os.path.abspath(p) for p in paths]
view.cover(here(covered), here(keep))
view.hide(here(hidden))
top = sys.argv[1]
os.chdir("/")
for base, folders, files in sorted(os.walk(top)):
    for name in sorted(files + [f for f in folders if os.path.islink(os.path.join(base, f))]):
        path = os.path.join(base, name)
        if os.path.exists(path) and (os.path.isdir(path) or open(path).read()):
            print(os.path.relpath(path, top))
"""

TREE = ("home/secret", "home/tool/go", "home/tool/data", "home/deep/home/secret",
        "home/deep/home/kept/text", "home/deep/other", "open/text")  # fmt: skip

CASES = {
    "nothing": ("", "", "", set(TREE)),
    "a home": ("home", "", "", {"open/text"}),
    "a home but for a folder": (
        "home", "home/tool", "", {"open/text", "home/tool/go", "home/tool/data"},
    ),
    "a home but for a file": ("home", "home/tool/go", "", {"open/text", "home/tool/go"}),
    "a home in a home": ("home,home/deep/home", "", "", {"open/text"}),
    "what is kept in a home in a home": (
        "home,home/deep/home", "home/deep/home/kept", "",
        {"open/text", "home/deep/home/kept/text"},
    ),
    "a home in what is kept": (
        "home,home/deep/home", "home/deep", "", {"open/text", "home/deep/other"},
    ),
    "kept, covered, kept": (
        "home,home/deep/home", "home/deep,home/deep/home/kept", "",
        {"open/text", "home/deep/other", "home/deep/home/kept/text"},
    ),
    "keeping what is covered": ("home", "home", "", {"open/text"}),
    "keeping what holds it": ("home", ".", "", {"open/text"}),
    "keeping what is not there": ("home", "home/none", "", {"open/text"}),
    "hidden wins": ("home", "home/tool", "home/tool/data", {"open/text", "home/tool/go"}),
    "hidden in hidden": ("", "", "home,home/deep/home,open/text", set()),
    "a link to what is kept": (
        "home", "home/link", "", {"open/text", "home/link", "home/tool/go"},
    ),
}  # fmt: skip


@pytest.mark.live
@pytest.mark.parametrize("name", CASES)
def test_the_innermost_path_decides(tmp_path: Path, name: str) -> None:
    covered, keep, hidden, expected = CASES[name]
    for path in TREE:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("text")
    if "link" in keep:
        (tmp_path / "home" / "link").symlink_to("tool/go")
    done = subprocess.run(
        [sys.executable, "-c", LAYOUT, str(tmp_path), covered, keep, hidden],
        capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == expected
