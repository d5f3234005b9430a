"""Write what a run is that never stood, or was killed before it was judged."""

from __future__ import annotations

from typing import Any

from filterbed import score
from filterbed.rundir import RunDir
from scenarios import taxonomy
from scenarios.model import Scenario


def refuse(
    directory: RunDir, scenario: Scenario, run: dict[str, Any], seed: int, reasons: list[str]
) -> None:
    """Write the files of a run that never stood."""
    document = score.score_document(
        scenario=scenario.name, seed=seed, taxonomy=taxonomy.version(), valid=False, rows=[]
    )
    directory.finish(run, document, invalid_because=reasons)
