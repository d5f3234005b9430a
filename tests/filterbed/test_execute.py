"""`exec` passes the command's status on, and keeps its own failures apart from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from filterbed import execute


class Scripted:
    """A sandbox that says what it is told to, then ends."""

    def __init__(self, said: Sequence[Any], status: int) -> None:
        self._said, self._status = said, status
        self.order: Any = None
        self.ended = False

    def __call__(self, **_: Any) -> Scripted:
        return self

    def send(self, order: Any, **_: Any) -> None:
        self.order = order

    def lines(self) -> Iterator[dict[str, Any]]:
        for line in self._said:
            if isinstance(line, BaseException):
                raise line
            yield line

    def wait(self) -> int:
        return self._status

    def end(self) -> int:
        self.ended = True
        return self._status


def run(monkeypatch: pytest.MonkeyPatch, sandbox: Scripted, **more: Any) -> int:
    monkeypatch.setattr(execute, "Sandbox", sandbox)
    monkeypatch.setattr("signal.signal", lambda *_: None)
    given: dict[str, Any] = {"host": "client", "active": True, "seed": 0, "clock_rate": 1.0} | more
    return execute.main(given.pop("name", "dns/pool-2010"), ["true"], **given)


@pytest.mark.parametrize(
    ("said", "ended", "status", "text"),
    [
        ([{"say": "network"}, {"ended": 0}], 0, 0, ""),
        ([{"ended": 77}], 0, 77, ""),
        ([{"ended": 137}], 0, 137, ""),
        ([{"failed": "no kernel", "status": 3}], 3, 125, "dns/pool-2010: no kernel"),
        ([], 137, 125, "the sandbox was killed (status 137)"),
        ([{"ended": 0}, {"failed": "the censor died"}], 3, 125, "the censor died"),
    ],
)
def test_only_what_the_stage_tells_is_the_commands_status(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    said: list[dict[str, Any]],
    ended: int,
    status: int,
    text: str,
) -> None:
    assert run(monkeypatch, Scripted(said, ended)) == status
    assert text in capsys.readouterr().err


def test_an_interrupt_ends_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Scripted([KeyboardInterrupt()], 130)
    assert run(monkeypatch, sandbox) == 130
    assert sandbox.ended


def test_nothing_of_the_host_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    sandbox = Scripted([{"ended": 0}], 0)
    run(monkeypatch, sandbox, active=False)
    assert sandbox.order.directory.startswith("/run/")
    assert (sandbox.order.idle, sandbox.order.capture) == (True, False)


@pytest.mark.parametrize(
    ("more", "text"),
    [
        ({"host": "nobody"}, "no host 'nobody'"),
        ({"name": "@all"}, "exec takes one scenario"),
        ({"name": "no/such"}, "no/such"),
    ],
)
def test_what_is_not_there_starts_nothing(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    more: dict[str, Any],
    text: str,
) -> None:
    sandbox = Scripted([], 0)
    assert run(monkeypatch, sandbox, **more) == 125
    assert sandbox.order is None  # so it ends without having made anything
    assert sandbox.ended
    assert text in capsys.readouterr().err
