"""Read YAML 1.2 as people write it, with the place of every key and value.

PyYAML speaks YAML 1.1: `NO` becomes false, `on:` a key named true, and the last of two equal keys
wins in silence. This reader takes PyYAML's safe event stream and resolves scalars itself, by the
core schema of YAML 1.2.

Limits: 1 MiB of text, 64 levels, 50,000 nodes with aliases written out; one document a file; keys
    are text; of explicit tags only `!!str` is accepted. `<<` merges, which YAML 1.2 leaves out.
Source: YAML 1.2.2 section 10.3, https://yaml.org/spec/1.2.2/#103-core-schema
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path as File
from typing import Any

import yaml

from scenarios.error import Path, Problem, ScenarioError, show
from scenarios.places import Place, Places

BYTES_LIMIT = 1 << 20
DEPTH_LIMIT = 64
NODE_LIMIT = 50_000

#: libyaml where PyYAML was built with it; the pure reader says the same, thirty times slower.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SCALARS: tuple[tuple[re.Pattern[str], Callable[[str], Any]], ...] = (
    (re.compile(r"(?:null|Null|NULL|~|)\Z"), lambda _: None),
    (re.compile(r"(?:true|True|TRUE)\Z"), lambda _: True),
    (re.compile(r"(?:false|False|FALSE)\Z"), lambda _: False),
    (re.compile(r"[-+]?[0-9]+\Z"), int),
    (re.compile(r"0o[0-7]+\Z"), lambda text: int(text[2:], 8)),
    (re.compile(r"0x[0-9a-fA-F]+\Z"), lambda text: int(text[2:], 16)),
    (re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z"), float),
    (re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z"), lambda text: float(text.replace(".", ""))),
    (re.compile(r"\.(?:nan|NaN|NAN)\Z"), lambda _: float("nan")),
)


@dataclass(slots=True)
class _Node:
    """A scalar (`value`), a list (`items`) or a mapping (`pairs`), with its place."""

    place: Place
    value: Any = None
    items: list[_Node] | None = None
    pairs: list[tuple[_Node, _Node]] | None = None
    closed: bool = True


def load_file(file: File) -> tuple[Any, Places]:
    """Read a file; see `load`. Raises ScenarioError for a file that cannot be read, too."""
    try:
        with file.open("rb") as stream:
            data = stream.read(BYTES_LIMIT + 1)
    except OSError as error:
        raise ScenarioError(
            [Problem(str(file), 1, 1, (), "a readable file", error.strerror or str(error))]
        ) from error
    return load(data, str(file))


def load(data: bytes, file: str = "<text>") -> tuple[Any, Places]:
    """Turn the bytes of one YAML document into plain values and their places.

    Raises ScenarioError: not UTF-8, not YAML, too large, an alias bomb, duplicate keys.
    """
    places = Places(file)
    root = _compose(_decode(data, file), file)
    builder = _Builder(places)
    value = builder.build(root, (), 0)
    if builder.problems:
        raise ScenarioError(builder.problems)
    return value, places


def _decode(data: bytes, file: str) -> str:
    if len(data) > BYTES_LIMIT:
        raise ScenarioError([Problem(file, 1, 1, (), f"at most {BYTES_LIMIT:,} bytes", "more")])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8-sig")
        found = f"the byte 0x{data[error.start]:02x}"
        problem = Problem(file, *_end(before), (), "text in UTF-8", found)
        raise ScenarioError([problem]) from error
    if odd := yaml.reader.Reader.NON_PRINTABLE.search(text):
        found = f"the character {odd.group()!r}"
        problem = Problem(file, *_end(text[: odd.start()]), (), "printable text", found)
        raise ScenarioError([problem])
    if not text.strip():
        raise ScenarioError([Problem(file, 1, 1, (), "a scenario", "an empty file")])
    return text


def _end(text: str) -> Place:
    """Return the place right behind a text."""
    return text.count("\n") + 1, len(text) - text.rfind("\n")


def _compose(text: str, file: str) -> _Node:
    """Build the node graph from PyYAML's events, without recursion: nesting exhausts no stack."""
    try:
        return _graph(yaml.parse(text, Loader=_Loader), file)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise ScenarioError([_syntax(text, file, line, column, error)]) from error
    except yaml.YAMLError as error:
        raise ScenarioError([Problem(file, 1, 1, (), "YAML", str(error))]) from error


def _syntax(text: str, file: str, line: int, column: int, error: yaml.MarkedYAMLError) -> Problem:
    """Say what the parser stumbled over; a tab deserves its own words."""
    lines = text.splitlines()
    here = lines[line - 1] if line <= len(lines) else ""
    if "\t" in here[: len(here) - len(here.lstrip())] or here[column - 1 : column] == "\t":
        expected, found = "spaces (YAML does not indent with tabs)", "a tab"
    else:
        context = f" {error.context}" if error.context else ""
        expected, found = f"YAML ({error.problem}{context})", show(here.strip()) if here else ""
    return Problem(file, line, column, (), expected, found)


def _graph(events: Iterator[Any], file: str) -> _Node:
    root: _Node | None = None
    stack: list[_Node] = []
    keys: list[_Node | None] = []  # the key that waits for its value, per open collection
    anchors: dict[str, _Node] = {}

    def fail(event: Any, expected: str, found: str) -> ScenarioError:
        mark = event.start_mark
        return ScenarioError([Problem(file, mark.line + 1, mark.column + 1, (), expected, found)])

    for event in events:
        match event:
            case yaml.SequenceEndEvent() | yaml.MappingEndEvent():
                stack.pop().closed = True
                keys.pop()
                continue
            case yaml.AliasEvent():
                if event.anchor not in anchors:
                    raise fail(event, "an anchor set earlier", f"the alias *{event.anchor}")
                node = anchors[event.anchor]
                if not node.closed:
                    raise fail(event, "an alias outside its own anchor", f"*{event.anchor}")
            case yaml.ScalarEvent() | yaml.SequenceStartEvent() | yaml.MappingStartEvent():
                try:
                    node = _node(event)
                except ValueError as error:
                    raise fail(event, "a plain YAML value", str(error)) from error
                if event.anchor:
                    anchors[event.anchor] = node
            case yaml.DocumentStartEvent() if root is not None:
                raise fail(event, "one document a file", "a second one")
            case _:
                continue
        if not stack:
            root = node
        elif (items := stack[-1].items) is not None:
            items.append(node)
        elif keys[-1] is None:
            keys[-1] = node
        else:
            pairs = stack[-1].pairs
            assert pairs is not None
            pairs.append((keys[-1], node))
            keys[-1] = None
        if not node.closed and not isinstance(event, yaml.AliasEvent):
            stack.append(node)
            keys.append(None)
            if len(stack) > DEPTH_LIMIT:
                raise fail(event, f"at most {DEPTH_LIMIT} levels", "a deeper one")
    if root is None:
        raise ScenarioError([Problem(file, 1, 1, (), "a scenario", "an empty file")])
    return root


def _node(event: Any) -> _Node:
    """Make a node; ValueError names a tag, or a number, that cannot be accepted."""
    place = (event.start_mark.line + 1, event.start_mark.column + 1)
    if isinstance(event, yaml.ScalarEvent):
        if event.tag not in (None, "!", "tag:yaml.org,2002:str"):
            raise ValueError(f"the tag {event.tag}")
        plain = event.tag is None and event.implicit[0]
        return _Node(place, _scalar(event.value) if plain else event.value)
    if event.tag is not None:
        raise ValueError(f"the tag {event.tag}")
    if isinstance(event, yaml.SequenceStartEvent):
        return _Node(place, items=[], closed=False)
    return _Node(place, pairs=[], closed=False)


def _scalar(text: str) -> Any:
    for pattern, make in _SCALARS:
        if pattern.match(text):
            if len(text) > 400:
                raise ValueError(f"a number of {len(text)} digits")
            return make(text)
    return text


class _Builder:
    """Turns nodes into values, recording places and collecting what is wrong."""

    def __init__(self, places: Places) -> None:
        self.places = places
        self.problems: list[Problem] = []
        self.count = 0

    def build(self, node: _Node, path: Path, depth: int) -> Any:
        self.count += 1
        if self.count > NODE_LIMIT or depth > DEPTH_LIMIT:
            place, what = node.place, f"at most {NODE_LIMIT:,} values with aliases written out"
            raise ScenarioError([Problem(self.places.file, *place, path, what, "more")])
        self.places.values[path] = node.place
        if node.items is not None:
            return [self.build(item, (*path, i), depth + 1) for i, item in enumerate(node.items)]
        if node.pairs is not None:
            return self.mapping(node.pairs, path, depth)
        return node.value

    def mapping(self, pairs: list[tuple[_Node, _Node]], path: Path, depth: int) -> dict[str, Any]:
        result: dict[str, Any] = {}
        merged: list[_Node] = []
        for key, value in pairs:
            name = key.value
            if not isinstance(name, str):
                plain = key.items is None and key.pairs is None
                found = show(name) if plain else "a list or mapping"
                hint = f'"{found}"' if plain and name is not None else ""
                self.fail(key.place, path, "a key that is text", found, hint)
            elif name == "<<":
                merged.append(value)
            elif name in result:
                first = self.places.keys[(*path, name)]
                where = f"each key once; it stands at line {first[0]}, column {first[1]} already"
                self.fail(key.place, (*path, name), where, f"the key {name!r} again")
            else:
                self.places.keys[(*path, name)] = key.place
                result[name] = self.build(value, (*path, name), depth + 1)
        for node in merged:
            self.merge(node, result, path, depth)
        return result

    def merge(self, node: _Node, into: dict[str, Any], path: Path, depth: int) -> None:
        """Apply `<<`: keys already there win, and the earlier of several mappings."""
        sources = node.items if node.items is not None else [node]
        for source in sources:
            if source.pairs is None:
                self.fail(node.place, (*path, "<<"), "a mapping or a list of mappings", "")
                continue
            known: Mapping[str, Any] = into
            fresh = [(k, v) for k, v in source.pairs if k.value not in known or k.value == "<<"]
            into.update(self.mapping(fresh, path, depth + 1) if fresh else {})

    def fail(self, place: Place, path: Path, expected: str, found: str, hint: str = "") -> None:
        self.problems.append(Problem(self.places.file, *place, path, expected, found, hint))
