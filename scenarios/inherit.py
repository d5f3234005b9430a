"""Read a scenario file, and lay it over the one it extends.

`extends: NAME` takes another scenario and changes it as a JSON merge patch does: mappings are
merged, lists and plain values are replaced, and null takes a key away. Lists that censors have in
files (`{file: names.txt}`) are looked for beside the file that names them.
Source: RFC 7396, https://www.rfc-editor.org/rfc/rfc7396
Limits: what is extended may not itself extend another.
"""

from __future__ import annotations

from pathlib import Path as File
from typing import Any

from censor.drivers.document import located
from scenarios import library, yaml12
from scenarios.error import ScenarioError, show
from scenarios.places import Places


def read(file: File) -> tuple[Any, Places]:
    """Read a file and what it extends; places know which of the two files a value stands in.

    Raises: ScenarioError, for either file.
    """
    own, places = _load(file)
    parent = own.get("extends") if isinstance(own, dict) else None
    if parent is None:
        return own, places
    if not isinstance(parent, str):
        raise ScenarioError([places.problem(("extends",), "a scenario's name", found=show(parent))])
    try:
        above, inherited = _load(library.locate(parent, beside=file))
    except library.UnknownScenario as error:
        expected, hint = "a scenario of the library, or a path", error.hint
        problem = places.problem(("extends",), expected, found=show(parent), hint=hint)
        raise ScenarioError([problem]) from error
    if not isinstance(above, dict) or "extends" in above:
        expected = "a scenario that does not itself extend another"
        raise ScenarioError([places.problem(("extends",), expected, found=show(parent))])
    places.inherited = inherited
    return patched(above, own), places


def _load(file: File) -> tuple[Any, Places]:
    """Read one file; the paths of its censors' lists are made whole, as seen from its folder."""
    own, places = yaml12.load_file(file)
    if isinstance(own, dict) and "censors" in own:
        own = {**own, "censors": located(own["censors"], file.parent)}
    return own, places


def patched(above: Any, own: Any) -> Any:
    """Apply a JSON merge patch."""
    if not isinstance(own, dict):
        return own
    result = dict(above) if isinstance(above, dict) else {}
    for key, value in own.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value)
    return result
