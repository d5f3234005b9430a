"""Be rung: register, ask a telephone to call back, answer it by the real client sipp, and count.

The telephone is asked by REFER (RFC 3515), which names the very device it is to ring (a GRUU, RFC
5627): so others that are registered as the same user are left alone. Registration, REFER and the
call all use one socket, so a call finds its way back through a translator of ours. Media is ours
as in `filterbed.probe.call`.

Wire:    RFC 3261 sections 10 and 13.3; RFC 3515 without its subscription (RFC 4488); RFC 5627.
Limits:  as `filterbed.probe.call`; the first call that comes is the one.
"""

from __future__ import annotations

import re
import secrets
import select
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from filterbed.probe import path, sip, ways
from filterbed.probe.address import shown
from filterbed.probe.call import TRIES, check, client
from filterbed.probe.datagram import Datagram
from filterbed.probe.dialog import Dialog
from filterbed.probe.errors import MachineError
from filterbed.probe.line import LOOPBACK, Line, carry, free_port, wired
from filterbed.probe.sip import Account, Message, Request, parse
from filterbed.probe.stream import Flow, Row, elapsed, note

SCENARIO: Final = Path(__file__).with_name("incoming.xml")
#: Seconds, beyond the time-out of a step, for the telephone to ring and for ACK to come: INVITE and
#: its answer are repeated after half a second.
RINGING: Final = 1.0
#: Seconds between two looks at whether sipp listens.
LOOK: Final = 0.01


@dataclass(slots=True)
class Incoming(Dialog):
    """Follow a call from outside: it is up once our answer was acknowledged."""

    invite: Message | None = None

    def sent(self, data: bytes, at: float) -> None:
        """Note a message of ours."""
        message = parse(data)
        if message is not None and message.code == 180:
            self.marks.setdefault("ringing", at)
        Dialog.sent(self, data, at)

    def received(self, got: Datagram) -> None:
        """Note a message that came."""
        message = parse(got.data)
        match (message.method, message.code) if message else ("", None):
            case "INVITE", None if self.invite is None:
                self.invite, self.by, self.began = message, got, got.at
                self.tries += 1
            case "ACK", None if self.invite and self.answered is None:
                self.answered, self.code = self.invite, 200
                self.marks.setdefault("answered", got.at)
            case _:
                Dialog.received(self, got)

    def end(self, media: bool) -> dict[str, Any]:
        """Say why the call ended; `at` is the message that did not come."""
        found = Dialog.end(self, media)
        return found | {"at": "ACK"} if found["at"] == "INVITE" and self.invite else found


@dataclass(slots=True)
class _Summons:
    """What is to be done once sipp listens at `port` of loopback."""

    line: Line
    caller: str
    device: str
    port: int = field(default_factory=free_port)
    refer: Row | None = None

    def begin(self, ended: int) -> bool:
        """Wait for sipp, then ask the telephone to ring; whether it will."""
        while not _listens(self.port):
            if select.select([ended], [], [], LOOK)[0]:
                return False
        line = self.line
        line.sipp = (LOOPBACK, self.port)
        own, number = line.outside.getsockname()[:2]
        to = f"sip:{self.caller}@{shown(line.account.domain)}"
        headers = (
            f"Contact: <sip:{line.account.user}@{shown(own)}:{number}>",
            f"Refer-To: <{self.device}>",
            "Refer-Sub: false",
        )
        asked = Request("REFER", to, to, headers)
        self.refer, _ = sip.ask(line.outside, line.account, asked, timeout=line.timeout)
        return bool(self.refer["outcome"] == "ok")


def answer(
    account: Account,
    caller: str,
    *,
    seconds: float,
    timeout: float,
    flows: list[Flow],
    codec: str = "PCMU",
    helpers: path.Help | None = None,
    aside: list[Flow] | None = None,
) -> tuple[Row, Row | None]:
    """Register, have `caller` ring, and talk for `seconds`; return both parts of a measurement.

    The parts are `sip.register`, and `sip.call`, which is None where registering failed. The rest
    is as `filterbed.probe.call.place` has it; beside it, `refer` says how the telephone was asked.
    """
    program = client()
    check(account, caller, codec)
    began = time.monotonic()
    said = ""
    for _ in range(TRIES):
        with wired(account, codec, seconds, timeout, helpers or path.Help()) as line:
            line.dialog, line.patience = Incoming(), timeout + RINGING
            registered, device = _register(line, flows)
            if device is None:
                return registered, None
            summons = _Summons(line, caller, device)
            nonce = ("-key", "nonce", secrets.token_hex(8))
            options = ("-sf", str(SCENARIO), *nonce, *line.options(summons.port))
            said = carry(line, [program, *options], summons.begin)
            (aside if aside is not None else flows).extend(line.path.aside)
            flows += line.path.flows
            row = ways.row(line.dialog, line.audio, silenced=line.silenced)
        if summons.refer is not None:
            row |= {"direction": "in", "path": line.path.row, "refer": summons.refer}
            row["client"] = "sipp"
            return registered, row | {"seconds": elapsed(began)}
    raise MachineError(f"sipp did not listen, {TRIES} times: {said}")


def _register(line: Line, flows: list[Flow]) -> tuple[Row, str | None]:
    """Register this device; return the part, and by which URI it alone is rung."""
    account, sock = line.account, line.outside
    sock.connect((account.address, account.port))
    note(flows, "udp", sock, account.address, account.port)
    instance = f"urn:uuid:{uuid.uuid4()}"
    own, port = sock.getsockname()[:2]
    contact = f'<sip:{account.user}@{shown(own)}:{port}>;expires=60;+sip.instance="<{instance}>"'
    asked = sip.registration(account, contact, "Supported: gruu")
    row, final = sip.ask(sock, account, asked, timeout=line.timeout)
    if row["outcome"] != "ok" or final is None:
        return row, None
    given = re.search(rf'pub-gruu="([^"]*{instance})"', final.headers.get("contact", ""))
    return row, given[1] if given else f"sip:{account.user}@{shown(account.domain)}"


def _listens(port: int) -> bool:
    """Whether somebody has bound a UDP port of this network's loopback."""
    lines = Path("/proc/self/net/udp").read_text().splitlines()[1:]
    return any(line.split()[1].endswith(f":{port:04X}") for line in lines)
