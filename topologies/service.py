"""Say what a server serves, as frozen data; `topologies.services` starts the programs.

One service is one thing a scenario declares under `services:`; it stands on one node of the plan.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Literal

#: How a service answers a new TCP connection. `reset` is the server's own RST once it has read the
#: request; `refused` and `silent` are a closed and a filtered port.
Manner = Literal["answers", "refused", "reset", "silent"]
#: What a web server may also do with a request it has read: send the page slowly (in about a
#: second), begin no answer at all, or end in the middle of the page.
WebManner = Literal["answers", "refused", "reset", "silent", "slow", "stalls", "truncates"]
Certificate = Literal["valid", "expired", "self-signed", "wrong-name"]

#: How somebody who is called behaves. `wrong-codec` refuses the audio offered (488), `one-way`
#: stands behind a router that translates addresses and names its private one, `mute` is silent,
#: `calls-back` is asked by REFER and rings whom that names.
Conduct = Literal[
    "answers", "busy", "wrong-codec", "no-answer", "hangs-up", "mute", "one-way", "calls-back"
]


SkypePart = Literal["supernode", "login", "gateway", "peer"]
#: What is dialled before a country's code.
_PREFIX: Final = re.compile(r"^(\+|00)")


@dataclass(frozen=True, slots=True)
class Geo:
    """What clients of these prefixes get instead (the server's own doing, no box involved).

    `status` alone refuses; `status` 301/302 with `location` sends elsewhere.
    """

    prefixes: tuple[str, ...]
    status: int
    location: str | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """An app store's search for one app: found, but not by clients of these prefixes."""

    app: str
    absent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Lists:
    """Words a chat client asks for: those it keeps back, and those it only reports."""

    kept_back: tuple[str, ...] = ()
    watched: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Web:
    """HTTP on 80 and HTTPS on 443 for `names` at `addresses`, with one page for all.

    With `http3` the page is served over QUIC, on UDP port 443, as well.
    """

    id: str
    node: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    manner: WebManner = "answers"
    status: int = 200
    location: str | None = None
    certificate: Certificate = "valid"
    title: str = ""
    geo: tuple[Geo, ...] = ()
    store: Store | None = None
    lists: Lists | None = None
    signature: Literal["valid", "expired"] = "valid"
    http3: bool = False


@dataclass(frozen=True, slots=True)
class Sip:
    """A registrar and proxy on UDP and TCP 5060 for `names` at `addresses`.

    `users` are (user, password) for callers; `callees` are users the testbed itself registers and
    answers for, with G.711 media; `conducts` are those among them that do not simply answer.
    Users in `unpaid` may register, and are refused calls (403). `numbers` (+ and digits, E.164) are
    telephones behind the provider's own gateway: they register nowhere, the proxy routes to them.
    """

    id: str
    node: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    users: tuple[tuple[str, str], ...]
    callees: tuple[str, ...] = ("echo",)
    manner: Manner = "answers"
    conducts: tuple[tuple[str, Conduct], ...] = ()
    unpaid: tuple[str, ...] = ()
    numbers: tuple[str, ...] = ()

    def conduct(self, callee: str) -> Conduct:
        """Return how a callee behaves, or whoever answers a number."""
        return dict(self.conducts).get(self.called(callee) or callee, "answers")

    def called(self, callee: str) -> str | None:
        """Return who is called by this user part: a callee, or a number of the gateway's.

        A number may be dialled with + or 00 before it, or neither.
        """
        if callee in self.callees:
            return callee
        digits = _PREFIX.sub("", callee)
        return next((one for one in self.numbers if one == f"+{digits}"), None)


@dataclass(frozen=True, slots=True)
class Turn:
    """STUN for everybody, and relays for `users` (user, password), on port 3478, UDP and TCP.

    With two addresses a client can tell how its translator maps.
    """

    id: str
    node: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    users: tuple[tuple[str, str], ...]
    manner: Manner = "answers"


@dataclass(frozen=True, slots=True)
class Skype:
    """One part of Skype's legacy network at `addresses`; its clients ask no DNS for it.

    A supernode is what a client finds first, the login server lets it in, a gateway leads to
    telephones (SkypeOut), a peer is somebody who reads messages.
    """

    id: str
    node: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    part: SkypePart
    manner: Literal["answers", "silent"] = "answers"


@dataclass(frozen=True, slots=True)
class Echo:
    """A server that sends every datagram to `port` back, whatever protocol it pretends to be."""

    id: str
    node: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    port: int
    manner: Literal["answers", "silent"] = "answers"


@dataclass(frozen=True, slots=True)
class Resolver:
    """A recursor for everybody: DNS on UDP and TCP 53, over TLS on 853, over HTTPS on 443."""

    id: str
    node: str
    names: tuple[str, ...]
    addresses: tuple[str, ...]
    manner: Literal["answers", "silent"] = "answers"


Service = Web | Sip | Turn | Skype | Echo | Resolver
