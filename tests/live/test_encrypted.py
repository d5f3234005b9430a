"""DNS over TLS and over HTTPS where nobody blocks it, and a real client that asks over HTTPS."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

PROJECT = Path(__file__).resolve().parents[2]
FILTERBED = (sys.executable, "-P", "-m", "filterbed")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*FILTERBED, *command], capture_output=True, text=True, timeout=120, cwd=PROJECT
    )


def test_webcheck_is_right_about_resolvers_where_the_box_is_idle(tmp_path: Path) -> None:
    done = run("run", "dns/encrypted", "--json", "--out", str(tmp_path), "--idle")
    assert done.returncode == 0, done.stdout + done.stderr
    (entry,) = json.loads(done.stdout)["runs"]
    rows = json.loads((Path(entry["dir"]) / "score.json").read_text())["rows"]
    assert all(row["correct"] for row in rows)
    assert "blocked" not in {row["observed"]["verdict"] for row in rows}


def test_a_real_client_resolves_over_https_unless_the_resolvers_name_is_cut() -> None:
    fetch = (
        "for name in dns.quad9.net dns.adguard.com; do "
        "curl -s -m 3 -o /dev/null -w '%{http_code} ' "
        "--doh-url https://$name/dns-query https://en.wikipedia.org/; done"
    )
    done = run("exec", "dns/encrypted", "--at", "client", "--active", "--", "sh", "-c", fetch)
    assert done.stdout.split() == ["200", "000"], done.stdout + done.stderr
