"""Starting, watching and ending programs, with small ones on loopback."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from topologies.errors import ServiceError
from topologies.services import ready
from topologies.services.program import Program, Ready
from topologies.services.standing import Standing

SERVE = """
import socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("listening", flush=True)
while True:
    listener.accept()[0].close()
"""


def spawn(node: str, argv: Sequence[str], **params: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, **params)  # type: ignore[call-overload,no-any-return]


@pytest.fixture
def standing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Standing]:
    monkeypatch.setattr(ready, "enter", lambda namespace: None)
    here = Standing(tmp_path, spawn, lambda node: node)
    yield here
    here.stop()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def server(name: str, **changes: object) -> Program:
    port = free_port()
    argv = (sys.executable, "-c", SERVE, str(port))
    asked = (Ready("tcp", "127.0.0.1", port),)
    return Program(name, "here", argv, ready=asked, **changes)  # type: ignore[arg-type]


def script(name: str, code: str, **changes: object) -> Program:
    return Program(name, "here", (sys.executable, "-c", code), **changes)  # type: ignore[arg-type]


def test_start_returns_when_every_program_answers(standing: Standing) -> None:
    programs = [server("one"), server("two")]
    standing.start(programs)
    for program in programs:
        socket.create_connection(("127.0.0.1", program.ready[0].port)).close()
    assert standing.alive() == ()
    assert standing.tail("one") == "listening"


def test_those_that_wait_start_after_those_they_wait_for(
    standing: Standing, tmp_path: Path
) -> None:
    first = server("first")
    ask = f"import socket; socket.create_connection(('127.0.0.1', {first.ready[0].port}))"
    standing.start([script("second", ask, after=("first",), once=True), first])
    assert [program.id for program in standing.programs] == ["first", "second"]


def test_a_program_that_dies_before_it_answers_is_told_with_its_log(standing: Standing) -> None:
    broken = script(
        "broken", "print('no such file'); exit(7)", ready=(Ready("tcp", "127.0.0.1", 1),)
    )
    with pytest.raises(ServiceError) as caught:
        standing.start([broken])
    assert caught.value.log == "no such file"
    assert "exit status 7" in caught.value.why
    assert "-c" in caught.value.command


def test_a_program_that_never_answers_is_told_at_the_deadline(standing: Standing) -> None:
    deaf = script("deaf", "import signal; signal.pause()")
    asked = Program(deaf.id, deaf.node, deaf.argv, ready=(Ready("tcp", "127.0.0.1", free_port()),))
    with pytest.raises(ServiceError, match="refused"):
        standing.start([asked], limit=0.2)


def test_a_program_that_should_end_well_and_does_not_is_told(standing: Standing) -> None:
    with pytest.raises(ServiceError, match="ended with status 3"):
        standing.start([script("rules", "print('x'); exit(3)", once=True)])


def test_one_that_ended_well_is_not_counted_as_dead(standing: Standing) -> None:
    standing.start([script("rules", "pass", once=True)])
    assert standing.alive() == ()


def test_a_death_is_seen_with_status_and_log(standing: Standing) -> None:
    standing.start([server("one"), server("two")])
    standing.process("two").kill()
    standing.process("two").wait()
    (dead,) = standing.alive()
    assert (dead.program, dead.status, dead.log) == ("two", -9, "listening")


def test_stop_ends_even_what_ignores_it(
    standing: Standing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("topologies.services.standing.STOP_LIMIT", 0.2)
    deaf = "import signal; signal.signal(15, signal.SIG_IGN); " + SERVE
    one = server("deaf")
    standing.start([Program("deaf", "here", (*one.argv[:2], deaf, one.argv[3]), ready=one.ready)])
    process = standing.process("deaf")
    standing.stop()
    assert process.poll() == -9


def test_files_are_private_and_written_before_the_start(standing: Standing, tmp_path: Path) -> None:
    path = tmp_path / "x" / "settings"
    read = script("x", f"print(open({str(path)!r}).read())", files={path: "secret"}, once=True)
    standing.start([read])
    assert standing.tail("x") == "secret"
    assert path.stat().st_mode & 0o777 == 0o600
