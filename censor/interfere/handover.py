"""Hand a connection over to whoever goes on with it, and take leave of its server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from censor.follow.flow import Flow
from censor.rule.act import Header, Intercept, Number, Reset, Toward
from censor.rule.rules import Message
from censor.rule.takeover import Greeting, Takeover, take_over
from censor.wire.number import TcpFlag
from censor.wire.packet import Packet

#: Tells a server at once that its client is gone.
FAREWELL: Final = Reset(
    toward=Toward.SERVER,
    count=1,
    flags=int(TcpFlag.RST | TcpFlag.ACK),
    offsets=(0,),
    window=Number(0, 0),
    header=Header(Number(64, 64), Number(0, 0xFFFF), True, latency=0.0),
    drop=True,
)


def hand_over(
    act: Intercept,
    flow: Flow,
    packet: Packet,
    greetings: Mapping[bool, Greeting],
    message: Message,
) -> Takeover | str:
    """Describe the connection in which the client's `packet` completes a ClientHello, `message`;
    a text says why it cannot be had."""
    if message.only:
        return "the ClientHello has passed already"
    stream = flow.client_stream
    if stream is None or stream.base is None or not stream.reassemble:
        said = packet.seq, packet.payload
    else:
        said = stream.base, bytes(stream.data)
    return take_over(packet, greetings, said, message.seen, act.forgery)
