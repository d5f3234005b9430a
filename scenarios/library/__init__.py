"""The library: scenarios that come with the testbed, by name, and packs of them by tag.

A scenario's name is its path under this folder without `.yaml`. A pack is all scenarios that
carry its tag; `@all` is every one.
"""

from __future__ import annotations

from pathlib import Path as File

from scenarios.error import Problem, ScenarioError, either, nearest

FOLDER = File(__file__).parent
#: Pack -> what it is for.
PACKS = {
    "@all": "everything",
    "@smoke": "the quickest scenario of each layer",
    "@voip": "internet calls",
    "@negatives": "nobody interferes: whoever claims that the network does is wrong",
}


class UnknownScenario(ScenarioError):
    """No scenario, path or pack of that name; `hint` is what was probably meant."""

    def __init__(self, name: str, expected: str, hint: str) -> None:
        self.hint = hint
        self.name = name
        super().__init__([Problem(name, 1, 1, (), expected, "no such file", hint)])

    def __str__(self) -> str:
        """Say it without a place: there is no file that has one."""
        meant = f"did you mean {self.hint}? " if self.hint else ""
        return f"no scenario, path or pack {self.name!r}; {meant}`filterbed list` shows the library"


def names() -> list[str]:
    """List the library's scenarios."""
    found = (file.relative_to(FOLDER).with_suffix("") for file in FOLDER.rglob("*.yaml"))
    return sorted(path.as_posix() for path in found)


def locate(name: str | File, *, beside: File | None = None) -> File:
    """Return the file of one scenario: a path (or one relative to the file `beside`), or a name.

    Raises: UnknownScenario.
    """
    text = str(name)
    if text in names():
        return FOLDER / f"{text}.yaml"
    file = File(text) if beside is None else beside.parent / text
    if text.endswith((".yaml", ".yml")) or file.is_file():
        return file
    expected = f"a path, or a scenario of the library: {either(names())}"
    raise UnknownScenario(text, expected, nearest(text, names()))


def find(name: str) -> list[File]:
    """Return the files a word of the command line means: one scenario, or a pack.

    Raises: UnknownScenario.
    """
    if not name.startswith("@"):
        return [locate(name)]
    if name not in PACKS:
        expected = f"a pack: {either(PACKS)}"
        raise UnknownScenario(name, expected, nearest(name, PACKS))
    files = [FOLDER / f"{one}.yaml" for one in names()]
    return files if name == "@all" else [file for file in files if name[1:] in _tags(file)]


def _tags(file: File) -> list[str]:
    from scenarios import inherit  # which needs `locate`

    document, _ = inherit.read(file)
    tags = document.get("tags") if isinstance(document, dict) else None
    return tags if isinstance(tags, list) else []
