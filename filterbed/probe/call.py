"""Place one SIP call by the real client sipp, with G.711 media, and count it at both ends.

sipp does the signalling, toward a socket of ours on loopback; what it says is passed on to the
registrar from another, and what comes back is passed on to it: so each message is seen with its
sender, its time and its TTL. The media socket is ours too: RTP is counted packet by packet,
because sipp's exit status says nothing about media. docs/voip.md says what the numbers mean.

Wire:    RFC 3261 section 13; RFC 3550; PCMU or PCMA in packets of 20 ms (RFC 3551).
Limits:  UDP and IPv4 or IPv6 literal media addresses; no SRTP, and of ICE only that candidates are
         gathered; RTCP only where the other end takes it on the media's port.
"""

from __future__ import annotations

import re
import secrets
import shutil
import time
from pathlib import Path
from typing import Final

from filterbed.probe import path, ways
from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.line import LOOPBACK, Line, carry, free_port, note, wired
from filterbed.probe.media import PAYLOADS
from filterbed.probe.sip import Account
from filterbed.probe.stream import Flow, Row, elapsed

SCENARIO: Final = Path(__file__).with_name("invite.xml")
#: sipp is told a free port; somebody else may take it first.
TRIES: Final = 3
_NAME: Final = re.compile(r"[A-Za-z0-9._+\-]{1,64}")


def place(
    account: Account,
    callee: str,
    *,
    seconds: float,
    timeout: float,
    flows: list[Flow],
    codec: str = "PCMU",
    helpers: path.Help | None = None,
    aside: list[Flow] | None = None,
) -> Row:
    """Call `callee` and talk for `seconds`; return the `sip.call` part of a measurement.

    `helpers` are asked how media can reach us (`filterbed.probe.path`); `aside` takes the flows to
    them.

    `timeout` seconds are given for the answer to INVITE (2 s more once it was provisionally
    answered), and again for the answer to BYE.
    """
    program = client()
    check(account, callee, codec)
    began = time.monotonic()
    for _ in range(TRIES):
        with wired(account, codec, seconds, timeout, helpers or path.Help()) as line:
            said = carry(line, [program, *_options(line, callee)])
            note(line, flows, aside if aside is not None else flows)
            row = ways.row(line.dialog, line.audio, silenced=line.silenced)
            row |= {"path": line.path.row, "client": "sipp"}
        if line.dialog.tries:
            return row | {"seconds": elapsed(began)}
    raise MachineError(f"sipp sent no INVITE, {TRIES} times: {said}")


def client() -> str:
    """Return where sipp is; MachineError where it is not."""
    program = shutil.which("sipp")
    if program is None:
        raise MachineError("sipp is not installed; calls need it: apt install sip-tester")
    return program


def check(account: Account, other: str, codec: str) -> None:
    """Raise TargetError for what cannot be put into a message, and for an unknown codec."""
    for word in (account.user, other, account.domain):
        if not _NAME.fullmatch(word):
            raise TargetError(f"{word!r:.80}: expected letters, digits and . _ + - in a call")
    if codec not in PAYLOADS:
        raise TargetError(f"codec {codec!r:.40}: expected one of {', '.join(PAYLOADS)}")


def _options(line: Line, callee: str) -> list[str]:
    account, nonce = line.account, secrets.token_hex(8)
    return [
        *("-sf", str(SCENARIO), "-r", "100", *line.options(free_port())),
        *("-au", account.user, "-ap", account.password, "-auth_uri", account.domain),
        *("-key", "callee", callee, "-key", "nonce", nonce, "-cid_str", f"{nonce}-%u@%s"),
        f"{LOOPBACK}:{line.inside.getsockname()[1]}",
    ]
