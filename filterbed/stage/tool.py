"""Run one command at a place with bounds: time, output, and nothing left behind."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from filterbed.order import OUTPUT_LIMIT
from filterbed.sandbox.place import Place, spawn

#: How long a tool that is asked to end may take before it is killed.
GRACE_SECONDS = 2.0


@dataclass(slots=True)
class Outcome:
    """What a command printed and how it ended.

    `chunks` are (epoch seconds, bytes) as they arrived, at most OUTPUT_LIMIT bytes, `cut` if there
    was more; `end` says how it ended if not well; `placed` is False where it never began, for the
    place could not be made.
    """

    started: float
    ended: float = 0.0
    status: int = 0
    chunks: list[tuple[float, bytes]] = field(default_factory=list)
    cut: bool = False
    timed_out: bool = False
    placed: bool = True

    @property
    def end(self) -> str | None:
        """Say how the tool ended, None if by itself with status 0."""
        if self.timed_out:
            return f"stopped after {self.ended - self.started:.0f} s"
        if self.status > 128:
            return f"killed by signal {self.status - 128}"
        return f"exit status {self.status}" if self.status else None


def run(
    place: Place,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    timeout: float,
    log: Path,
    stdin: bytes = b"",
    watch: Callable[[], None] | None = None,
) -> Outcome:
    """Run `argv` at `place` until it ends or `timeout` seconds have passed.

    Its standard error goes to `log`, bounded like its output. `watch` is called about every
    quarter of a second meanwhile; what it raises ends the tool.
    """
    feed = os.memfd_create("stdin")
    os.write(feed, stdin)
    os.lseek(feed, 0, os.SEEK_SET)
    made = os.memfd_create("made")
    outcome = Outcome(started=time.time())
    pipe = subprocess.PIPE
    process = spawn(place, argv, env=env, cwd=cwd, stdin=feed, stdout=pipe, stderr=pipe, made=made)
    os.close(feed)
    try:
        with open(log, "wb") as errors:
            _follow(process, outcome, errors.write, timeout, watch)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        outcome.placed = os.pread(made, 1, 0) == b"1"
        os.close(made)
        for end in (process.stdout, process.stderr):
            if end is not None:
                end.close()
    outcome.status = process.returncode if process.returncode >= 0 else 128 - process.returncode
    outcome.ended = time.time()
    return outcome


def _follow(
    process: subprocess.Popen[bytes],
    outcome: Outcome,
    keep_error: Callable[[bytes], object],
    timeout: float,
    watch: Callable[[], None] | None,
) -> None:
    if process.stdout is None or process.stderr is None:
        raise AssertionError("spawned with pipes")
    out, err = process.stdout.fileno(), process.stderr.fileno()
    poll = select.poll()
    poll.register(out, select.POLLIN)
    poll.register(err, select.POLLIN)
    left = {out: OUTPUT_LIMIT, err: OUTPUT_LIMIT}
    deadline = time.monotonic() + timeout
    killed_at: float | None = None
    while left and (killed_at is None or process.poll() is None or poll.poll(0)):
        now = time.monotonic()
        if now > deadline:
            if killed_at is None:
                outcome.timed_out, killed_at = True, now + GRACE_SECONDS
                process.terminate()
                deadline = killed_at
            else:
                process.kill()
                deadline = now + GRACE_SECONDS
        if watch is not None:
            watch()
        for fd, _ in poll.poll(min(250, max(0.0, deadline - time.monotonic()) * 1000)):
            data = os.read(fd, 65536)
            if not data:
                poll.unregister(fd)
                del left[fd]
                continue
            room = data[: left[fd]]
            left[fd] -= len(room)
            if fd == err:
                keep_error(room)
                continue
            if room:
                outcome.chunks.append((time.time(), room))
            outcome.cut = outcome.cut or len(room) < len(data)
    # Both pipes are closed: the place's first process ends at once, or holds on without output.
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        outcome.timed_out = True
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
