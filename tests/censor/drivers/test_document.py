"""Policy files: YAML 1.2, JSON, and what is neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from censor.drivers.document import read
from censor.errors import MachineError, PolicyError

#: Aliases of aliases: a few lines that say a thousand million things.
LAUGHS = "a0: &a0 [x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 10)
)


def test_on_is_a_key_and_no_is_a_word(tmp_path: Path) -> None:
    path = tmp_path / "p.yaml"
    path.write_text("residual: {on: any, renew: true}\ncountry: NO\nport: 80\n")
    assert read(path) == {"residual": {"on": "any", "renew": True}, "country": "NO", "port": 80}


def test_json_by_its_name(tmp_path: Path) -> None:
    path = tmp_path / "p.json"
    path.write_text(json.dumps({"position": "on-path"}))
    assert read(path) == {"position": "on-path"}


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("p.yaml", "a: 1\nb: 2\na: 3\n", "line 3: key 'a' is there twice"),
        ("p.yaml", "a: [1\n", "expected ',' or ']'"),
        ("p.yaml", "a: !!python/object:os.system x\n", "could not determine a constructor"),
        ("p.yaml", "? [a]\n: b\n", "line 1: a key is a list or a mapping"),
        ("p.yaml", "a: !!timestamp x\n", "does not fit its tag"),
        ("p.yaml", "a: &x [*x]\n", "recursion|more than"),
        ("p.yaml", "[" * 2000, "recursion"),
        ("p.yaml", LAUGHS, "more than 4000000 things"),
        ("p.json", "{", "Expecting property name"),
        ("p.json", '{"a": 1, "b": {"c": 1, "c": 2}}', "'c' is there twice"),
    ],
)
def test_what_is_no_document_is_said(tmp_path: Path, name: str, text: str, told: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(PolicyError, match=told):
        read(tmp_path / name)


def test_what_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "p").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(PolicyError, match="expected UTF-8"):
        read(tmp_path / "p")
    with pytest.raises(MachineError, match="No such file"):
        read(tmp_path / "q")
