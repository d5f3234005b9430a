"""Read a policy document from a YAML or JSON file, as YAML 1.2 means it.

YAML 1.1, which PyYAML speaks, makes a boolean of the key `on`, and lets the last of two equal keys
win in silence; neither happens here.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from censor.errors import MachineError, PolicyError


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
            if key.value in seen:
                line = key.start_mark.line + 1
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
        said = json.loads(text) if path.suffix == ".json" else yaml.load(text, _Loader)
        return located(said, path.parent)
    except (ValueError, yaml.YAMLError, RecursionError) as fault:
        raise PolicyError(f"{path}: {' '.join(str(fault).split())}") from fault


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
