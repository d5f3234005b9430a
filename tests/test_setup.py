"""setup.py: pure by default, and a clear word where compiling cannot be had."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def setup(compile: str, path: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "setup.py", "--name"],
        cwd=ROOT, env=os.environ | {"FILTERBED_COMPILE": compile, "PYTHONPATH": str(path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_without_the_variable_no_compiler_is_asked_for(tmp_path: Path) -> None:
    (tmp_path / "mypyc.py").write_text("raise AssertionError('mypyc was imported')")
    done = setup("", tmp_path)
    assert done.stdout.split()[-1] == "filterbed", done.stderr


def test_without_mypy_the_cure_is_named(tmp_path: Path) -> None:
    (tmp_path / "mypyc.py").write_text("raise ImportError('no mypyc here')")
    done = setup("1", tmp_path)
    assert done.returncode == 1
    assert "pip install mypy setuptools wheel" in done.stderr
    assert "--no-build-isolation" in done.stderr


def test_another_value_is_refused(tmp_path: Path) -> None:
    done = setup("yes", tmp_path)
    assert done.returncode == 1
    assert "FILTERBED_COMPILE='yes': expected 1" in done.stderr
