"""What a tool may see is decided by what it is and where it runs."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from filterbed import visibility
from filterbed.visibility import PROJECT, Visibility


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "home"
    path.mkdir()
    monkeypatch.setenv("HOME", str(path))
    return path


def decide(argv: list[str], cwd: Path, path: str = "/usr/bin", **more: object) -> Visibility:
    given: dict[str, object] = {
        "env": {"PATH": path},
        "out": None,
        "directories": [],
        "scenario": "/lib/x.yaml",
    }
    return visibility.decide(argv=argv, cwd=str(cwd), **(given | more))  # type: ignore[arg-type]


def script(path: Path, first: str = "#!/bin/sh") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(first + "\n")
    path.chmod(0o755)
    return path


def test_truth_is_hidden_and_homes_are_covered(home: Path) -> None:
    seen = decide(["true"], home)
    for name in ("scenarios", "tests", ".git", "docs", "benchmarks", "runs"):
        assert str(PROJECT / name) in seen.hidden
    assert str(home) in seen.covered
    assert str(home) not in seen.keep


def test_a_working_directory_in_a_home_is_kept(home: Path) -> None:
    (home / "work").mkdir()
    assert str(home / "work") in decide(["true"], home / "work").keep


def test_a_command_and_the_files_it_is_given_are_kept(home: Path) -> None:
    tool, data = script(home / "go"), home / "data"
    data.touch()
    keep = decide(["./go", "data", "none", "--x=data", "", "a\0b", "/"], home).keep
    assert {str(tool), str(data)} <= set(keep)
    assert not {str(home / "none"), "/", str(home)} & set(keep)


def test_a_command_is_kept_with_what_it_is_installed_with(home: Path) -> None:
    tool = script(home / "opt" / "probe" / "bin" / "go")
    link = home / ".local" / "bin" / "go"
    link.parent.mkdir(parents=True)
    link.symlink_to(tool)
    keep = decide(["go"], Path("/"), path=str(link.parent)).keep
    assert {str(link), str(home / "opt" / "probe")} <= set(keep)
    assert str(home / ".local") not in keep  # everybody's


def test_an_interpreter_is_kept_with_what_it_is_installed_with(home: Path) -> None:
    python = script(home / "versions" / "3" / "bin" / "python")
    inner = home / "venv" / "bin" / "python"
    inner.parent.mkdir(parents=True)
    inner.symlink_to(python)
    tool = script(home / "go", f"#!{inner} -I")
    keep = decide([str(tool)], Path("/")).keep
    assert {str(home / "venv"), str(home / "versions" / "3"), str(inner)} <= set(keep)


def test_results_are_hidden_wherever_they_lie(tmp_path: Path, home: Path) -> None:
    cwd = tmp_path / "work"
    cwd.mkdir()
    assert str(cwd / "runs") in decide(["true"], cwd, out=cwd / "runs").hidden
    earlier = cwd / "dns" / "nxdomain-2"
    earlier.mkdir(parents=True)
    (earlier / "run.json").touch()
    mine = cwd / "dns" / "pool"
    hidden = decide(["true"], cwd, out=cwd, directories=[mine]).hidden
    assert str(cwd) not in hidden
    assert {str(earlier), str(mine)} <= set(hidden)


def test_sockets_of_the_host_are_hidden(tmp_path: Path, home: Path) -> None:
    path = tmp_path / "a socket"
    with socket.socket(socket.AF_UNIX) as service:
        service.bind(str(path))
        service.listen()
        assert str(path) in decide(["true"], home).hidden
    path.unlink()
    assert str(path) not in decide(["true"], home).hidden


def test_what_stands_around_a_path_entry_in_a_home_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in (".pyenv/shims", ".local/bin", "bin"):
        (tmp_path / name).mkdir(parents=True)
    path = ":".join(str(tmp_path / name) for name in (".pyenv/shims", ".local/bin", "bin"))
    kept = decide(["true"], Path("/usr"), path).keep
    assert str(tmp_path / ".pyenv") in kept
    assert str(tmp_path / ".local/bin") in kept
    assert str(tmp_path / ".local") not in kept


def test_results_of_earlier_runs_are_hidden_wherever_they_lie_below(tmp_path: Path) -> None:
    old = tmp_path / "mine" / "dns" / "pool-2010"
    old.mkdir(parents=True)
    for name in ("run.json", "score.json"):
        (old / name).write_text("{}")
    other = tmp_path / "other"
    other.mkdir()
    (other / "run.json").write_text("{}")  # somebody else's, without a score
    hidden = decide(["true"], tmp_path).hidden
    assert str(old) in hidden
    assert str(other) not in hidden
