"""What tests of the judge share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.filterbed.played import Wire


@pytest.fixture
def wire(tmp_path: Path) -> Wire:
    return Wire(tmp_path)
