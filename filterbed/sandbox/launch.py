"""Start a sandbox from outside, follow what it says, and end it.

The order goes in pickled through a pipe of its own; what the stage says comes back as lines of
JSON. The sandbox ends when the stage does, when `Sandbox.end` is called, and when this process
dies, however it dies. Must be called from the main thread: the kernel ties the sandbox's life to
the thread that started it (prctl(2), PR_SET_PDEATHSIG).
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any

from filterbed.order import Order
from filterbed.sandbox import init, kernel

LACKS = 3


class Sandbox:
    """A sandbox that waits for its order; `lines` yields what its stage says until it ends.

    It may be started before the order is known: its interpreter gets ready meanwhile.
    """

    def __init__(
        self,
        *,
        stdin: int | IO[Any] | None = subprocess.DEVNULL,
        stdout: int | IO[Any] | None = None,
        stderr: int | IO[Any] | None = None,
    ) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a sandbox must be started from the main thread")
        orders, self._orders = os.pipe()
        watch_read, self._watch = os.pipe()
        say_read, say_write = os.pipe()
        argv = [sys.executable, "-P", "-m", "filterbed.sandbox.launch"]
        fds = (orders, watch_read, say_write)
        numbers = [str(fd) for fd in fds]
        self.process = subprocess.Popen(
            [*argv, str(os.getpid()), *numbers],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            pass_fds=fds,
            start_new_session=True,
        )
        for fd in fds:
            os.close(fd)
        self._say = os.fdopen(say_read, "r", encoding="utf-8")

    def send(self, order: Order, *, write: Sequence[str]) -> None:
        """Give it its order; `write`: directories that it may write."""
        head = json.dumps([list(order.keep), list(write)]).encode() + b"\n"
        with os.fdopen(self._orders, "wb") as pipe, suppress(BrokenPipeError):
            self._orders = -1
            pipe.write(head + pickle.dumps(order))

    def lines(self) -> Iterator[dict[str, Any]]:
        """Yield each thing the stage says, as it says it."""
        for line in self._say:
            if not line.endswith("\n"):
                continue  # it was killed in the middle of a word
            said = json.loads(line)
            yield _refusal(said["refused"]) if "refused" in said else said

    def end(self) -> int:
        """End the sandbox if it still runs; return its exit status."""
        for end in (self._watch, self._orders):
            if end >= 0:
                os.close(end)
        self._watch = self._orders = -1
        try:
            status = self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            status = self.process.wait()
        self._say.close()
        return status

    def wait(self) -> int:
        """Wait for the stage to end by itself; return its exit status."""
        status = self.process.wait()
        self.end()
        return status


def _refusal(reason: str) -> dict[str, Any]:
    """Return what a stage would say that failed, with the cures that doctor knows."""
    from filterbed import doctor

    cures = [
        f"{found.name}: {found.detail}; cure: {found.cure}"
        for found in doctor.lacking(doctor.diagnose())
    ]
    message = "\n  ".join([f"the sandbox could not be made: {reason}", *cures])
    return {"failed": message, "status": LACKS}


def _main(arguments: Sequence[str]) -> int:
    kernel.die_with_parent()
    parent, orders, watch, say = (int(a) for a in arguments[:4])
    if os.getppid() != parent:
        return 130  # the runner died before the kernel was told
    importlib.import_module("filterbed.stage.main")  # while the order is being written
    with os.fdopen(orders, "rb") as pipe:
        head = pipe.readline()
        order_bytes = pipe.read()
    if not order_bytes:
        return 130  # it was thought better of
    keep, write = json.loads(head)
    # What is made in here must be open to the unprivileged user of tools, whatever the caller's.
    os.umask(0o022)

    def refused(reason: str) -> None:
        os.write(say, json.dumps({"refused": reason}).encode() + b"\n")

    def stage() -> int:
        from filterbed.stage import main

        os.close(watch)
        order: Order = pickle.loads(order_bytes)
        run: Callable[[Order, int], int] = main.main
        return run(order, say)

    return init.enter(watch, stage, refused=refused, keep=keep, write=write)


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
