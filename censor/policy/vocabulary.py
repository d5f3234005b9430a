"""Say how a policy document names words: names and texts, in lists of its own or in files."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from censor.policy.quantity import Model


class ListFile(Model):
    """A list in a file, one entry a line; its path is relative to the policy's."""

    file: Annotated[str, Field(min_length=1)]


Words = list[str] | ListFile
_KINDS: Final = ("exact", "prefix", "suffix", "substring", "regex")


class Wording(Model):
    """What names and texts share: one of their lists at least says something."""

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(getattr(self, key, None) for key in _KINDS):
            known = ", ".join(key for key in _KINDS if key in type(self).model_fields)
            raise ValueError(f"at least one entry in one of {known}")
        return self


class Names(Wording):
    """Which names: whole, with everything under them, by a part of them, or by a pattern."""

    exact: Words = []
    suffix: Words = []
    substring: Words = []
    regex: Words = []
    case: bool = False


class Texts(Wording):
    """Which texts: whole, by how they begin or end, by a part of them, or by a pattern."""

    exact: Words = []
    prefix: Words = []
    suffix: Words = []
    substring: Words = []
    regex: Words = []
    case: bool = False
    decode: bool = False
    encodings: Annotated[list[Literal["utf-8", "gb18030", "latin-1"]], Field(min_length=1)] = [
        "utf-8"
    ]
