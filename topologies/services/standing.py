"""Start the programs of a network, wait until each answers, watch them, and end them."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from topologies.errors import ServiceError
from topologies.services import ready
from topologies.services.program import PATH, Program

#: Seconds: for all to answer; for one to end after SIGTERM.
START_LIMIT = 15.0
STOP_LIMIT = 2.0
LOG_TAIL = 20


class Spawn(Protocol):
    """Starts a program on a node; `Network.popen` is one."""

    def __call__(
        self, node: str, argv: Sequence[str], **params: object
    ) -> subprocess.Popen[bytes]: ...


@dataclass(frozen=True, slots=True)
class Dead:
    """A program that ended by itself: its exit status, and the end of its log."""

    program: str
    status: int
    log: str


class Standing:
    """Programs that run. `ca` is the authority's certificate that hosts trust, a PEM file."""

    def __init__(self, workdir: Path, spawn: Spawn, namespace: Callable[[str], str]) -> None:
        self.ca = workdir / "ca.pem"
        self.logs = workdir / "logs"
        self._spawn, self._namespace = spawn, namespace
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._programs: dict[str, Program] = {}

    @property
    def programs(self) -> tuple[Program, ...]:
        """All that was started, in that order."""
        return tuple(self._programs.values())

    def start(self, programs: Sequence[Program], *, limit: float = START_LIMIT) -> None:
        """Start the programs, those first that others wait for; return when all are ready.

        Raises: ServiceError for the first that is not; the others are left to `stop`.
        """
        until = time.monotonic() + limit
        waiting = list(programs)
        while waiting:
            now = [p for p in waiting if not set(p.after) - set(self._programs)]
            waiting = [p for p in waiting if p not in now]
            for program in now or waiting:
                self._start(program)
            self._await(now or waiting, until)
            waiting = waiting if now else []

    def alive(self) -> tuple[Dead, ...]:
        """Return the programs that have died; empty while all is well."""
        return tuple(
            Dead(name, process.poll() or 0, self.tail(name))
            for name, process in self._running.items()
            if not self._programs[name].once and process.poll() is not None
        )

    def process(self, program: str) -> subprocess.Popen[bytes]:
        """Return a program's process; KeyError where none was started."""
        return self._running[program]

    def tail(self, program: str) -> str:
        """Return the last lines of a program's log."""
        text = (self.logs / f"{program}.log").read_text(errors="replace")
        return "\n".join(text.splitlines()[-LOG_TAIL:])

    def stop(self) -> None:
        """End every program, the last started first: SIGTERM, then SIGKILL to what stays."""
        running = [p for p in reversed(self._running.values()) if p.poll() is None]
        for process in running:
            process.terminate()
        until = time.monotonic() + STOP_LIMIT
        for process in running:
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()

    def _start(self, program: Program) -> None:
        for path, content in program.files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            data = content.encode() if isinstance(content, str) else content
            if not path.exists() or path.read_bytes() != data:
                path.write_bytes(data)
            path.chmod(0o755 if path.parent.name == "bin" else 0o600)
        self.logs.mkdir(parents=True, exist_ok=True)
        home = self.logs.parent / program.id
        home.mkdir(exist_ok=True)
        with (self.logs / f"{program.id}.log").open("wb") as log:
            self._running[program.id] = self._spawn(
                program.node,
                program.argv,
                env={"PATH": PATH, "HOME": str(home), "LANG": "C.UTF-8", **program.environment},
                cwd=str(home),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._programs[program.id] = program

    def _await(self, programs: Sequence[Program], until: float) -> None:
        nodes = list(dict.fromkeys(p.node for p in programs if not p.once))
        with ThreadPoolExecutor(max(1, len(nodes))) as pool:
            asked = [pool.submit(self._ask, programs, node, until) for node in nodes]
            for program in programs:
                if program.once:
                    self._finish(program, until)
            unready = {name: why for one in asked for name, why in one.result().items()}
        for name, why in unready.items():
            raise self._failure(self._programs[name], why)

    def _ask(self, programs: Iterable[Program], node: str, until: float) -> dict[str, str]:
        waiting = [ready.Waiting(p.id, p.ready) for p in programs if p.node == node and not p.once]
        return ready.wait(
            self._namespace(node),
            waiting,
            until=until,
            given_up=lambda name: self._running[name].poll() is not None,
        )

    def _finish(self, program: Program, until: float) -> None:
        process = self._running[program.id]
        try:
            status = process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise self._failure(program, "still running at the deadline") from None
        if status != 0:
            raise self._failure(program, f"ended with status {status}")

    def _failure(self, program: Program, why: str) -> ServiceError:
        status = self._running[program.id].poll()
        if status is not None and not program.once:
            why = f"{why} (exit status {status})"
        return ServiceError(
            f"{program.id} on {program.node}", shlex.join(program.argv), why, self.tail(program.id)
        )
