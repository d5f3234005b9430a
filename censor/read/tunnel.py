"""Read what tunnels show of themselves: SSH, SOCKS, OpenVPN, WireGuard."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from censor.dissect import openvpn, socks, ssh, wireguard
from censor.dissect.outcome import Foreign, Incomplete
from censor.read.found import Found, Outcome
from censor.rule.rules import App, Message

_NOT_BEGUN: Final = Foreign("no beginning of a tunnel was seen")

#: How a datagram is read, and what a tunnel begins with.
_TUNNELS: Final[Mapping[App, tuple[Callable[[bytes], Any], tuple[str, ...]]]] = {
    App.OPENVPN: (openvpn.dissect, openvpn.HELLO),
    App.WIREGUARD: (wireguard.dissect, wireguard.HELLO),
}


class TunnelFollower:
    """Follows a tunnel over UDP from its client's first datagram on; each packet is a message."""

    __slots__ = ("_begun", "app", "finished")
    size: Final = 0

    def __init__(self, app: App) -> None:
        self.app = app
        self._begun = self.finished = False

    def feed(self, datagram: bytes, from_client: bool, tcp: bool = False) -> Outcome:
        """Take a UDP payload of either end."""
        read, hello = _TUNNELS[self.app]
        seen = read(datagram)
        if not self._begun:
            if isinstance(seen, Foreign) or seen.kind not in hello:
                self.finished = from_client
                return _NOT_BEGUN
            self._begun = True
        if isinstance(seen, Foreign):
            return seen
        return Found((_packet(self.app, seen),), len(datagram))


def _packet(app: App, seen: openvpn.Packet | wireguard.Message) -> Message:
    trigger = {f"{app}.kind": seen.kind}
    return Message(app, None, trigger=trigger, seen=seen, repeated=seen.kind == "data")


def read_openvpn(data: bytes, *, later: bool) -> Outcome:
    """Read a packet of a stream; the first must be a client's reset."""
    seen = openvpn.unframe(data)
    if isinstance(seen, Incomplete | Foreign):
        return seen
    if not later and seen.kind not in openvpn.HELLO:
        return _NOT_BEGUN
    return Found((_packet(App.OPENVPN, seen),), seen.length)


def read_ssh(data: bytes, *, whole: bool) -> Outcome:
    """Read a client's identification; nothing behind it is read."""
    seen = ssh.dissect(data, partial=not whole)
    if not isinstance(seen, ssh.Identification):
        return seen
    message = Message(App.SSH, None, trigger={"ssh.software": seen.software}, seen=seen)
    return Found((message,), seen.length, last=True)


def read_socks(data: bytes, *, later: bool) -> Outcome:
    """Read what a client says to a proxy, up to whom it wants to reach."""
    seen = socks.dissect(data, later=later)
    if not isinstance(seen, socks.Request):
        return seen
    if seen.host is None:
        trigger: dict[str, object] = {"socks.version": seen.version}
        lacks = frozenset(("socks.host",))
        said = () if later else (Message(App.SOCKS, None, trigger=trigger, seen=seen, lacks=lacks),)
        return Found(said, seen.length)
    name = seen.host.strip(".")
    trigger = {"socks.version": seen.version, "socks.host": name}
    return Found((Message(App.SOCKS, name, trigger=trigger, seen=seen),), seen.length, last=True)
