"""Finding programs, and running them where AppArmor does not confine them."""

from __future__ import annotations

from pathlib import Path

import pytest

from topologies.errors import MachineError
from topologies.services import program


def test_a_program_that_is_not_there_is_named_with_its_package() -> None:
    with pytest.raises(MachineError, match=r"nosuchd is not installed: apt install .* nosuch-pkg"):
        program.binary("nosuchd", "nosuch-pkg")


def test_a_program_is_found_though_path_lacks_sbin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert program.binary("sh", "dash").endswith("/sh")


@pytest.mark.parametrize(
    ("enabled", "profile", "copied"),
    [("Y\n", True, True), ("N\n", True, False), (None, True, False), ("Y\n", False, False)],
)
def test_a_confined_program_runs_from_a_copy(
    enabled: str | None,
    profile: bool,
    copied: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = tmp_path / "unbound"
    server.write_bytes(b"binary")
    if enabled is not None:
        (tmp_path / "enabled").write_text(enabled)
    if profile:
        (tmp_path / str(server).strip("/").replace("/", ".")).touch()
    monkeypatch.setattr(program, "ENABLED", tmp_path / "enabled")
    monkeypatch.setattr(program, "PROFILES", tmp_path)
    path, files = program.unconfined(str(server), Path("/w"))
    assert path == ("/w/bin/unbound" if copied else str(server))
    assert files == ({Path("/w/bin/unbound"): b"binary"} if copied else {})
