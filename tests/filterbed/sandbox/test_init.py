"""Who counts as root, and what an exit status becomes."""

from __future__ import annotations

from pathlib import Path

import pytest

from filterbed.sandbox import init


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("         0          0 4294967295\n", True),
        ("         0          0          1\n", False),
        ("         0       1000          1\n         1     100000      65536\n", True),
        ("         0       1000          1\n         1     100000      65533\n", False),
        ("     65534      65534          1\n", True),
        ("", False),
    ],
)
def test_the_unprivileged_user_must_exist(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, expected: bool
) -> None:
    path = tmp_path / "map"
    path.write_text(text)
    monkeypatch.setattr("builtins.open", lambda *_: path.open())
    assert init._is_mapped("uid_map") is expected


@pytest.mark.parametrize(("raw", "status"), [(0, 0), (7 << 8, 7), (9, 137), (15 | 128, 143)])
def test_a_signal_becomes_a_status_as_in_a_shell(raw: int, status: int) -> None:
    assert init._decode(raw) == status
