"""The doctor: its table, what it says of a lack, and that it says so fast."""

from __future__ import annotations

import importlib
import json
import sys
from importlib.machinery import EXTENSION_SUFFIXES
from pathlib import Path

import pytest

from filterbed import doctor
from filterbed.doctor import OPTIONAL, Finding
from filterbed.trial import Trial

ROOT = Path(__file__).parents[2]


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.name: finding for finding in findings}


def test_every_lack_has_a_cure() -> None:
    for finding in doctor.diagnose():
        assert finding.state == "ok" or finding.cure, finding


def test_names_of_findings_are_unique() -> None:
    findings = doctor.diagnose()
    assert len(by_name(findings)) == len(findings)


def test_engine_is_compiled_where_an_extension_stands_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "censor/engine"
    room.mkdir(parents=True)
    for name in ("../__init__.py", "__init__.py", "engine.py"):
        (room / name).write_text("")
    for name in [name for name in sys.modules if name.split(".")[0] == "censor"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    assert doctor.engine() == "python"
    (room / f"engine{EXTENSION_SUFFIXES[0]}").write_bytes(b"")
    importlib.invalidate_caches()
    assert doctor.engine() == "compiled"
    monkeypatch.delitem(sys.modules, "censor")


def test_program_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "PROGRAMS", (("no-such-program", "-V", "some-package"),))
    found = by_name(doctor.diagnose())["no-such-program"]
    assert found.state == "missing"
    assert "some-package" in found.cure


def test_program_that_one_can_do_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "OPTIONAL", {"no-such-program": "such calls"})
    found = doctor._program("no-such-program", "-V", "some-package")
    assert (found.state, found.detail[-15:]) == ("warn", ": no such calls")
    assert "some-package" in found.cure
    assert {*OPTIONAL} <= {name for name, _, _ in doctor.PROGRAMS}


def test_program_in_sbin_is_found_by_an_ordinary_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "server"
    program.write_text("#!/bin/sh\necho server 1.2.3\n")
    program.chmod(0o755)
    monkeypatch.setattr(doctor, "SBIN", (str(tmp_path),))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    assert doctor.find_program("server") == str(program)
    assert "server 1.2.3" in doctor._program("server", "-v", "server").detail


def test_python_package_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "MODULES", ("no-such-distribution",))
    found = by_name(doctor.diagnose())["Python: no-such-distribution"]
    assert found.state == "missing"
    assert "bin/bootstrap" in found.cure


def test_trial_that_fails_says_what_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    trial = Trial("wish", "echo first; echo 'it is \"no\"' >&2; false", "warn", "nice", "a cure")
    fine = Trial("deed", "true", "missing", "needed", "another")
    monkeypatch.setattr(doctor, "TRIALS", (trial, fine))
    found = by_name(list(doctor._sandbox()))
    if found["user namespaces"].state != "ok" or found["/proc"].state != "ok":
        pytest.skip("no user namespaces here: `filterbed doctor` says why")
    assert found["wish"] == Finding("wish", "warn", 'it is "no" (nice)', "a cure")
    assert found["deed"] == Finding("deed", "ok", "needed")


def test_no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "SCRATCH", ("sh", "-c", "echo not permitted >&2; exit 1", "sh"))
    found = list(doctor._sandbox())
    assert [f.name for f in found] == ["user namespaces"]
    assert (found[0].state, found[0].detail) == ("missing", "not permitted")


@pytest.mark.parametrize(
    ("file", "content", "cure"),
    [
        (
            "apparmor_restrict_unprivileged_userns",
            1,
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("unprivileged_userns_clone", 0, "sysctl -w kernel.unprivileged_userns_clone=1"),
        ("max_user_namespaces", 0, "sysctl -w user.max_user_namespaces=10000"),
        ("none of them", 0, "seccomp=unconfined"),
    ],
)
def test_cure_names_the_switch(
    monkeypatch: pytest.MonkeyPatch, file: str, content: int, cure: str
) -> None:
    monkeypatch.setattr(doctor, "_number", lambda path: content if path.endswith(file) else None)
    assert cure in doctor._namespace_cure()


def test_masked_proc_names_the_container_option(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake = tmp_path / "unshare"
    fake.write_text('#!/bin/sh\ncase "$*" in *mount-proc*) echo denied >&2; exit 1;; esac\n')
    fake.chmod(0o755)
    monkeypatch.setattr(doctor, "SCRATCH", (str(fake),))
    found = by_name(list(doctor._sandbox()))
    assert found["/proc"].state == "missing"
    assert "systempaths=unconfined" in found["/proc"].cure
    assert set(found) == {"user namespaces", "/proc"}


@pytest.mark.parametrize(
    ("size", "state"), [(None, "warn"), (65_536, "warn"), (212_992, "ok"), (4_194_304, "ok")]
)
def test_receive_buffer(size: int | None, state: str) -> None:
    found = doctor._receive_buffer(size)
    assert found.state == state
    assert size is None or f"{size:,}" in found.detail


@pytest.mark.parametrize(("missing", "status"), [([], 0), ([Finding("x", "missing", "y", "z")], 3)])
@pytest.mark.parametrize("as_json", [False, True])
def test_exit_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    missing: list[Finding],
    status: int,
    as_json: bool,
) -> None:
    findings = [Finding("a", "ok", "b"), Finding("c", "warn", "d", "e"), *missing]
    monkeypatch.setattr(doctor, "diagnose", lambda: findings)
    assert doctor.main(json=as_json) == status
    out = capsys.readouterr().out
    if as_json:
        assert [row["name"] for row in json.loads(out)] == [f.name for f in findings]
    else:
        assert "cure: e" in out
        assert ("a run is not possible" in out) == bool(missing)


def test_packages_are_those_that_bootstrap_installs() -> None:
    lines = (ROOT / "bin/packages.txt").read_text().splitlines()
    installed = {line.split()[0].split("|")[0] for line in lines if line and line[0] != "#"}
    assert {package for _, _, package in doctor.PROGRAMS} <= installed
