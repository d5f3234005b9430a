"""Say what reading a payload gave."""

from __future__ import annotations

from typing import NamedTuple

from censor.dissect import sdp
from censor.dissect.outcome import Foreign, Incomplete
from censor.rule.rules import Message


class Found(NamedTuple):
    """A message of a protocol: what rules can see of it (None: nothing, as in a response), and
    how many bytes it took; `last` says that nothing after it in its stream is read, `announced`
    where it says that media will go."""

    messages: tuple[Message, ...]
    length: int
    last: bool = False
    announced: tuple[sdp.Endpoint, ...] = ()


Outcome = Found | Incomplete | Foreign
