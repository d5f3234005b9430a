"""Run the callees of SIP providers: sipp registers each and answers its calls.

One program a host, `filterbed.probe.callee`, stands between the sipps of its callees and the
network: it holds the media of their calls, so that both ends of a call are counted. A sipp listens
on loopback alone.

Limits: a callee answers over UDP at its provider's first address. sipp's exit status says nothing
about media: read what the two ends counted.
Source: sipp 3.6 manual.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

from topologies.service import Conduct, Sip
from topologies.services import kamailio
from topologies.services.program import Program, Ready, binary

#: First ports of the callees of one host: signalling, registering; on loopback, where sipp listens,
#: and for the audio it thinks it has (two a callee).
PORT, REGISTER_PORT, INNER_PORT, MEDIA_PORT = 5062, 5162, 25_062, 26_000
LOOPBACK: Final = "127.0.0.1"
#: sipp draws its screen into the log every so many seconds: never.
QUIET: Final = ("-nostdin", "-f", "86400")
MEDIA: Final = (sys.executable, "-P", "-m", "filterbed.probe.callee")
#: Where a callee behind a router that translates addresses believes itself to be.
PRIVATE: Final = {4: "192.168.1.20", 6: "fd00:1::20"}
#: How long one talks who then hangs up, in milliseconds.
PATIENCE: Final = 500


@dataclass(frozen=True, slots=True)
class _Way:
    """How a callee conducts itself: its sipp scenario, more options, and its media."""

    script: str = "answer.xml"
    options: tuple[str, ...] = ()
    refusal: str = ""
    speaks: bool = True
    behind: bool = False


_WAYS: Final[dict[Conduct, _Way]] = {
    "answers": _Way(),
    "busy": _Way("refuse.xml", refusal="486 Busy Here"),
    "wrong-codec": _Way("refuse.xml", refusal="488 Not Acceptable Here"),
    "no-answer": _Way("ring.xml"),
    "hangs-up": _Way("hangup.xml", ("-d", str(PATIENCE))),
    "mute": _Way(speaks=False),
    "one-way": _Way(behind=True),
    "calls-back": _Way("callback.xml"),
}


@dataclass(frozen=True, slots=True)
class _Callee:
    """One callee of a host, by its number there."""

    node: str
    service: Sip
    name: str
    number: int

    @property
    def program(self) -> str:
        """Name its program: a ~ is in no service's id and in no callee's name."""
        return f"{self.node}-sipp-{self.service.id}~{self.name.lstrip('+')}"

    @property
    def address(self) -> str:
        return self.service.addresses[0]

    @property
    def way(self) -> _Way:
        return _WAYS[self.service.conduct(self.name)]


def programs(node: str, services: Sequence[Sip], workdir: Path) -> Iterator[Program]:
    """Give every callee of the services that answer two programs, and all of them one more.

    Of the two one answers and one registers; the one more holds the media.
    """
    callees = _callees(node, services)
    for callee in callees:
        yield _answering(callee, workdir)
        if callee.name not in callee.service.numbers:
            yield _registering(callee, workdir)
    if callees:
        yield _media(node, callees, workdir)


def _callees(node: str, services: Sequence[Sip]) -> list[_Callee]:
    """Number whoever answers on a host: callees, and the telephones behind gateways."""
    answering = [s for s in services if s.manner == "answers"]
    pairs = [(s, name) for s in answering for name in (*s.callees, *s.numbers)]
    return [_Callee(node, s, name, number) for number, (s, name) in enumerate(pairs)]


def trunks(node: str, services: Sequence[Sip]) -> tuple[kamailio.Trunk, ...]:
    """Say where each provider's gateway answers each of its numbers."""
    return tuple(
        kamailio.Trunk(one.service.id, one.name, f"{_host(one.address)}:{PORT + one.number}")
        for one in _callees(node, services)
        if one.name in one.service.numbers
    )


def _media(node: str, callees: Sequence[_Callee], workdir: Path) -> Program:
    config = workdir / f"{node}-callees" / "callees.json"
    entries: list[dict[str, Any]] = [
        {
            "address": callee.address,
            "port": PORT + callee.number,
            "inner": INNER_PORT + callee.number,
            "speaks": callee.way.speaks,
        }
        for callee in callees
    ]
    return Program(
        id=f"{node}-callees",
        node=node,
        argv=(*MEDIA, str(config)),
        files={config: json.dumps(entries)},
        ready=tuple(Ready("sip", one["address"], one["port"], "ready") for one in entries),
        after=(f"{node}-kamailio",),
    )


def _answering(callee: _Callee, workdir: Path) -> Program:
    way, inner = callee.way, INNER_PORT + callee.number
    script = workdir / callee.program / way.script
    text = (files(__package__) / way.script).read_text()
    version = 6 if ":" in callee.address else 4
    keys = {
        "here": f"{_host(callee.address)}:{PORT + callee.number}",
        "ip": str(version),
        "audio_ip": PRIVATE[version] if way.behind else callee.address,
        "who": f"{callee.name}@{callee.service.names[0]}",
    }
    at = ("-i", LOOPBACK, "-p", str(inner), "-mp", str(MEDIA_PORT + 4 * callee.number))
    return Program(
        id=callee.program,
        node=callee.node,
        argv=(
            *(binary("sipp", "sip-tester"), "-sf", str(script), *at, "-aa", *QUIET, *way.options),
            *(word for key, value in keys.items() for word in ("-key", key, value)),
        ),
        files={script: text.replace("@REFUSAL@", way.refusal)},
        ready=(Ready("sip", LOOPBACK, inner, f"{callee.name}@{callee.service.names[0]}"),),
        after=(f"{callee.node}-kamailio",),
    )


def _registering(callee: _Callee, workdir: Path) -> Program:
    service, name, address = callee.service, f"{callee.program}~register", callee.address
    script = workdir / name / "register.xml"
    who = ("-s", callee.name, "-au", callee.name, "-ap", kamailio.password(service, callee.name))
    keys = ("-key", "domain", service.names[0], "-key", "contact_port", str(PORT + callee.number))
    here = ("-i", address, "-p", str(REGISTER_PORT + callee.number))
    path = binary("sipp", "sip-tester")
    once = ("-m", "1", "-timeout", "10", "-timeout_error")
    return Program(
        id=name,
        node=callee.node,
        argv=(
            *(path, f"{_host(address)}:{kamailio.PORT}", "-sf", str(script)),
            *(*who, *keys, *here, *once, *QUIET),
        ),
        files={script: (files(__package__) / "register.xml").read_text()},
        after=(f"{callee.node}-kamailio",),
        once=True,
    )


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address
