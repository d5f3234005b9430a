"""What the documentation shows is what happens: the tool of docs/tools.md, whole."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]


def test_the_tool_of_the_page_scores_as_the_page_says(tmp_path: Path) -> None:
    page = (PROJECT / "docs" / "tools.md").read_text()
    (source,) = re.findall(r"```python\n(.*?)```", page, re.S)
    tool = tmp_path / "probe.py"
    tool.write_text(source)
    tool.chmod(0o755)
    done = subprocess.run(
        [sys.executable, "-P", "-m", "filterbed", "run", "dns/pool-2010", "--json",
         "--out", str(tmp_path / "out"), "--", str(tool)],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = json.loads(done.stdout)["runs"]
    assert run["summary"]["probe.py"]["accuracy"]["value"] == 1.0
