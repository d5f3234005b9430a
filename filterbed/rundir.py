"""Keep one run's files; a run that was killed never looks valid."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import count
from pathlib import Path, PurePosixPath
from typing import Any

INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True)
class RunDir:
    """The directory of one run; made by `create`, which has taken the name."""

    path: Path

    @property
    def capture(self) -> Path:
        """Return where captures and door records lie."""
        return self.path / "capture"

    @property
    def logs(self) -> Path:
        """Return where the programs' logs lie."""
        return self.path / "logs"

    def door(self, box: str) -> Path:
        """Return the path of a box's door record."""
        return self.capture / f"{box}.door.pcapng"

    def wire(self, host: str, interface: str) -> Path:
        """Return the path of the capture on one interface (`HOST-INTERFACE.pcapng`).

        An interface that already begins with its host's name does not repeat it.
        """
        name = interface if interface.startswith(f"{host}-") else f"{host}-{interface}"
        return self.capture / f"{name}.pcapng"

    def write_json(self, name: str, document: Mapping[str, Any]) -> Path:
        """Write one JSON document, whole or not at all."""
        text = json.dumps(document, indent=2, allow_nan=False) + "\n"
        return self.write_text(name, text)

    def write_lines(self, name: str, documents: Iterable[Mapping[str, Any]]) -> Path:
        """Write one JSON object a line, the file whole or not at all."""
        lines = (json.dumps(document, allow_nan=False) + "\n" for document in documents)
        return self.write_text(name, "".join(lines))

    def write_text(self, name: str, text: str) -> Path:
        """Replace a file at once: a reader sees the old text or the new, never half of it."""
        path = self.path / name
        handle, draft = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(draft, 0o644)
            os.replace(draft, path)
        except BaseException:
            Path(draft).unlink(missing_ok=True)
            raise
        return path

    def read_json(self, name: str) -> dict[str, Any]:
        """Read one JSON document back."""
        found: dict[str, Any] = json.loads((self.path / name).read_text("utf-8"))
        return found

    def finish(
        self, run: Mapping[str, Any], score: Mapping[str, Any], *, invalid_because: Iterable[str]
    ) -> None:
        """Write score.json, then run.json: valid if and only if there is no reason against it.

        run.json comes last: a kill between the two leaves `valid: false, ["interrupted"]`.
        """
        reasons = list(invalid_because)
        if score["valid"] is not (not reasons):
            raise ValueError(f"score.json says valid: {score['valid']}, the reasons are {reasons}")
        self.write_json("score.json", score)
        verdict = {"valid": not reasons, "invalid_because": reasons}
        self.write_json("run.json", {**self.read_json("run.json"), **run, **verdict})


def create(out: Path, scenario: str, run: Mapping[str, Any]) -> RunDir:
    """Take `out/SCENARIO`, or `-2`, `-3` where taken, and write run.json as interrupted.

    Args:    run: what is known of run.json already; `valid` and `invalid_because` are set here.
    Raises:  ValueError for a name that leads elsewhere; OSError where the machine refuses.
    Limits:  mkdir decides who has a name, so parallel runs never share one.
    """
    name = PurePosixPath(scenario)
    if name.is_absolute() or not name.parts or ".." in name.parts or "\0" in scenario:
        raise ValueError(
            f"scenario name {scenario!r} leads out of {str(out)!r}: "
            "expected words joined by '/', like 'china-2010/december'"
        )
    path = _take(out / name)
    made = RunDir(path)
    made.capture.mkdir()
    made.logs.mkdir()
    unknown: dict[str, Any] = {
        "seconds": None,
        "links": [],
        "sysctls": {},
        "timeline": [],
        "latency": {},
        "witnesses": {},
    }
    interrupted = {"valid": False, "invalid_because": [INTERRUPTED]}
    made.write_json("run.json", {**unknown, **run, **interrupted})
    for name_of in ("events.jsonl", "observations.jsonl"):
        made.write_text(name_of, "")
    return made


def _take(wanted: Path) -> Path:
    wanted.parent.mkdir(parents=True, exist_ok=True)
    for number in count(1):
        path = wanted if number == 1 else wanted.with_name(f"{wanted.name}-{number}")
        try:
            path.mkdir()
        except FileExistsError:
            continue
        return path
    raise AssertionError("count() does not end")
