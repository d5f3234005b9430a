"""Read a policy document from a YAML or JSON file, as YAML 1.2 means it.

YAML 1.1, which PyYAML speaks, makes a boolean of the key `on`, and lets the last of two equal keys
win in silence, as JSON does; neither happens here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import yaml

from censor.errors import MachineError, PolicyError

#: A document may say so many things, all values counted where aliases put them.
LIMIT: Final = 4_000_000


class _Loader(yaml.SafeLoader):
    """SafeLoader with the booleans of YAML 1.2 only."""

    yaml_implicit_resolvers = {  # noqa: RUF012 (PyYAML's own way of being configured)
        first: [(tag, pattern) for tag, pattern in pairs if tag != "tag:yaml.org,2002:bool"]
        for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that is there twice."""
        seen = set()
        for key, _ in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise PolicyError(f"line {line}: a key is a list or a mapping, expected text")
            if key.value in seen:
                raise PolicyError(f"line {line}: key {key.value!r} is there twice, expected once")
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:bool", re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$"), list("tTfF")
)


def read(path: Path) -> Any:
    """Return what a file says, unchecked; paths of lists in it begin with its own folder.

    Raises: MachineError if it cannot be read, PolicyError if it is not YAML or JSON.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as fault:
        raise MachineError(f"{path}: {fault.strerror}") from fault
    except UnicodeDecodeError as fault:
        raise PolicyError(f"{path}: {fault}, expected UTF-8") from fault
    try:
        return located(parse(text, as_json=path.suffix == ".json"), path.parent)
    except (PolicyError, RecursionError) as fault:
        raise PolicyError(f"{path}: {fault}") from fault


def parse(text: str, *, as_json: bool) -> Any:
    """Return what a text says. Raises: PolicyError if it is not YAML or JSON."""
    try:
        said = json.loads(text, object_pairs_hook=_once) if as_json else yaml.load(text, _Loader)
        if _size(said) > LIMIT:
            raise PolicyError(f"it says more than {LIMIT} things, expected a long list in a file")
    except AttributeError as fault:  # so PyYAML says that there is no time in `!!timestamp x`
        raise PolicyError("a value does not fit its tag, expected none: leave tags out") from fault
    except (ValueError, yaml.YAMLError, RecursionError) as fault:
        raise PolicyError(" ".join(str(fault).split())) from fault
    return said


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise PolicyError(f"key {twice!r} is there twice, expected once")
    return found


def _size(said: Any) -> int:
    """Count what a document says, up to just above `LIMIT`: aliases can make much of a little."""
    count, waiting = 0, [said]
    while waiting and count <= LIMIT:
        one = waiting.pop()
        inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
        count += 1 + len(inner)
        waiting += (each for each in inner if isinstance(each, dict | list))
    return count


def located(said: Any, folder: Path) -> Any:
    """Return a document with the paths of its lists made whole, as seen from a folder."""
    if isinstance(said, dict):
        return {
            key: str(folder.absolute() / value)
            if key == "file" and isinstance(value, str)
            else located(value, folder)
            for key, value in said.items()
        }
    return [located(one, folder) for one in said] if isinstance(said, list) else said
