"""Remember where everything in a document is written, so that an error can say where."""

from __future__ import annotations

from dataclasses import dataclass, field

from scenarios.error import Path, Problem

Place = tuple[int, int]


@dataclass(slots=True)
class Places:
    """Where each key and value of a document stands: (line, column), both from 1.

    What is not written here may be inherited, and then stands in another file. `kept` is for a
    document that lost list items since: for each such list, which of the items are left.
    """

    file: str
    values: dict[Path, Place] = field(default_factory=dict)
    keys: dict[Path, Place] = field(default_factory=dict)
    inherited: Places | None = None
    kept: dict[Path, list[int]] = field(default_factory=dict)

    def written(self, path: Path) -> Path:
        """Return a path as the file has it, before list items were lost."""
        true: Path = ()
        for step in path:
            kept = self.kept.get(true, []) if isinstance(step, int) else []
            true = (*true, kept[step] if isinstance(step, int) and step < len(kept) else step)
        return true

    def has(self, path: Path) -> bool:
        """Tell whether something is written at a path."""
        path = self.written(path)
        return path in self.values or (self.inherited is not None and self.inherited.has(path))

    def of(self, path: Path, *, key: bool = False) -> Place:
        """Return the place of a value, or of its key; of the nearest thing around it if absent.

        `path` is as in the file (see `written`).
        """
        if key and path in self.keys:
            return self.keys[path]
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, (1, 1))

    def problem(
        self, path: Path, expected: str, *, found: str = "", hint: str = "", key: bool = False
    ) -> Problem:
        """Make a problem that stands at `path` (at its key, with `key`)."""
        path = self.written(path)
        if self.inherited and path not in self.values and path in self.inherited.values:
            return self.inherited.problem(path, expected, found=found, hint=hint, key=key)
        line, column = self.of(path, key=key)
        return Problem(self.file, line, column, path, expected, found, hint)
