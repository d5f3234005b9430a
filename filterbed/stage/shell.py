"""A prompt on a scenario's hosts, with the censors' events as they happen: `filterbed shell`."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from filterbed.order import Order
from filterbed.sandbox import place as places
from filterbed.stage.box import BoxError
from filterbed.stage.ground import Ground
from filterbed.stage.vantage import environment

#: How often the censors' logs are looked at, in seconds.
_PERIOD = 0.25
_QUIET = frozenset({"started", "stopped", "forgotten", "residual"})
HELP = """\
HOST COMMAND...   run a shell command on a host
active | idle     let the censors act, or only watch
hosts             say which hosts there are
help              say this
quit              take it all down (so does the end of input)"""


class Shell:
    """Reads lines, runs them, and prints what the censors log meanwhile."""

    def __init__(self, ground: Ground, order: Order, say: Callable[[str], None]) -> None:
        self._ground = ground
        self._order = order
        self._print = say
        self._read = {box.name: 0 for box in ground.boxes}
        self._turn = threading.Lock()  # one question to a censor at a time
        self._over = threading.Event()

    def run(self) -> int:
        """Serve until told to stop; return 0."""
        watcher = threading.Thread(target=self._watch, daemon=True)
        watcher.start()
        hosts = [node.name for node in self._ground.network.plan.nodes]
        self._print(f"hosts: {' '.join(hosts)}; `help` says what else")
        interactive = sys.stdin.isatty()
        while True:
            if interactive:
                print("filterbed> ", end="", flush=True)
            line = sys.stdin.readline()
            if not line or line.strip() in ("quit", "exit"):
                break
            self._do(line.strip(), hosts)
            self._show()
        self._over.set()
        watcher.join()
        return 0

    def _do(self, line: str, hosts: list[str]) -> None:
        word, _, rest = line.partition(" ")
        if not word:
            return
        if word in ("active", "idle") and not rest:
            with self._turn:
                for box in self._ground.boxes:
                    box.request(word)
            self._print(f"the censors are {word}")
        elif word == "hosts":
            self._print(" ".join(hosts))
        elif word == "help":
            self._print(HELP)
        elif word not in hosts:
            self._print(f"no host {word!r}; there are {' '.join(hosts)}")
        elif not rest.strip():
            self._print(f"{word}: expected a command after the host")
        else:
            self._run(word, rest)

    def _run(self, host: str, command: str) -> None:
        process = places.spawn(
            self._ground.place(host),
            ["/bin/sh", "-c", command],
            env=environment(self._order, host),
            cwd=self._order.cwd,
        )
        status = process.wait()
        if status:
            self._print(f"{host}: exit status {status}")

    def _watch(self) -> None:
        while not self._over.wait(_PERIOD):
            self._show()

    def _show(self) -> None:
        """Print what has been logged since the last look; a censor that died says so once."""
        with self._turn:
            for box in self._ground.boxes:
                try:
                    box.request("stats")  # the log is on disk once this is answered
                except BoxError as error:
                    self._print(str(error))
                    self._over.set()
                    return
                text = box.events.read_text("utf-8")[self._read[box.name] :]
                whole = text[: text.rfind("\n") + 1]
                self._read[box.name] += len(whole)
                for line in whole.splitlines():
                    event = json.loads(line)
                    if event["event"] not in _QUIET:
                        self._print(brief(event))


def brief(event: Mapping[str, Any]) -> str:
    """Say an event in one line: `12.345 s  gfw injected forged-a client dns.name=x.org udp ...`."""
    words = [f"{event['t']:9.3f} s ", str(event.get("box", "")), str(event["event"])]
    words += [str(event[key]) for key in ("state", "rule", "toward") if key in event]
    words += [f"{key}={value}" for key, value in (event.get("trigger") or {}).items()]
    if flow := event.get("flow"):
        words.append(
            f"{flow['protocol']} {flow['client']}:{flow['client_port']} - "
            f"{flow['server']}:{flow['server_port']}"
        )
    if event.get("residual"):
        words.append("(from a memory)")
    return " ".join(words)
