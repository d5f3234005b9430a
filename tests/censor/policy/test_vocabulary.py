"""Names and texts say something, or are refused."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from censor.policy.vocabulary import ListFile, Names, Texts


def test_one_list_is_enough() -> None:
    assert Names(suffix=["a.example"]).suffix == ["a.example"]
    assert Texts(prefix=ListFile(file="words.txt")).encodings == ["utf-8"]


@pytest.mark.parametrize("said", [{}, {"exact": []}, {"case": True}, {"suffix": [], "regex": []}])
def test_none_is_refused_with_those_that_there_are(said: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="exact, suffix, substring, regex"):
        Names.model_validate(said)
    with pytest.raises(ValidationError, match="exact, prefix, suffix, substring, regex"):
        Texts.model_validate(said)
