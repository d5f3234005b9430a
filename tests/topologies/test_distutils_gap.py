"""The gap is filled for an import and open again afterwards."""

from __future__ import annotations

import subprocess
import sys

from topologies.distutils_gap import StrictVersion

SCRIPT = """
import sys
from topologies.distutils_gap import filled
with filled():
    import mininet.node
assert "distutils" not in sys.modules, "left behind"
assert "setuptools" not in sys.modules, "loaded after all"
print(mininet.node.StrictVersion("2.9") < "2.10")
"""


def test_mininet_is_imported_without_distutils_and_nothing_stays() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("True", "")


def test_versions_compare_by_number() -> None:
    assert StrictVersion("2.9") < "2.10"
    assert not StrictVersion("3") < "2.10"
