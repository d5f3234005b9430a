"""Turn an act into forged packets, for the packet that triggered it.

Sequence numbers are those the receiver expects, as far as the trigger tells: toward the trigger's
sender what it acknowledged, toward its receiver what follows the trigger (or the trigger's own
number, if it is dropped).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Final

from censor.dissect import sip
from censor.follow.stream import Stream
from censor.interfere import telephony
from censor.interfere.impostor import Peer, opens
from censor.interfere.probing import Attempt
from censor.rule.act import (
    BlockPage,
    DnsAnswer,
    Header,
    Impostor,
    Number,
    Reset,
    SipEnd,
    SipResponse,
    SynAck,
    Toward,
    Unreachable,
)
from censor.rule.luck import Luck
from censor.rule.rules import Message
from censor.wire import forge
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Packet

_TCP: Final = int(Protocol.TCP)
_ACK: Final = int(TcpFlag.ACK)
_RST: Final = int(TcpFlag.RST)
_SYN: Final = int(TcpFlag.SYN)
_FIN: Final = int(TcpFlag.FIN)
_SPACE: Final = 1 << 32
_A, _AAAA = 1, 28
#: Whether packets for such an end are for the client, the client's first.
_ENDS: Final = {Toward.CLIENT: (True,), Toward.SERVER: (False,), Toward.BOTH: (True, False)}


@dataclass(frozen=True, slots=True)
class Trigger:
    """The packet an act answers. `following`: the sequence number after all its sender has sent
    so far, as far as the box knows; `message`: what was read in it, if anything."""

    packet: Packet
    from_client: bool
    following: int
    dropped: bool
    message: Message | None = None


@dataclass(frozen=True, slots=True)
class Forged:
    """Packets for one end of the flow."""

    to_client: bool
    packets: tuple[bytes, ...]


def following(packet: Packet, stream: Stream | None) -> int:
    """Return the sequence number after a segment and what its sender sent before, as far as that
    is in the stream without a hole; SYN and FIN count for one each."""
    extra = (packet.flags & _SYN != 0) + (packet.flags & _FIN != 0)
    after = packet.seq + packet.payload_length + extra
    if stream is None or stream.base is None or not stream.reassemble or stream.overflowed:
        return after
    joined = stream.base + len(stream.data)
    return joined if (joined - after) % _SPACE < _SPACE >> 1 else after


def forge_at_once(
    act: Reset | SynAck | BlockPage | Unreachable, trigger: Trigger, luck: Luck
) -> Sequence[Forged]:
    """Forge what needs nothing but its trigger."""
    match act:
        case Reset():
            return forge_reset(act, trigger, luck)
        case SynAck():
            return forge_syn_ack(act, trigger, luck)
        case BlockPage():
            return forge_page(act, trigger, luck)
        case Unreachable():
            return forge_unreachable(act, trigger, luck)


def forge_reset(act: Reset, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    """Forge the RSTs of an act, for the client first."""
    if trigger.packet.protocol != _TCP or trigger.packet.flags & _RST:
        return ()
    return [_resets(act, trigger, luck, to_client) for to_client in _ENDS[act.toward]]


def _resets(act: Reset, trigger: Trigger, luck: Luck, to_client: bool) -> Forged:
    packet = trigger.packet
    back = to_client == trigger.from_client
    ip = _header(act.header, packet, luck, back)
    window = _number(act.window, packet.window, luck) & 0xFFFF
    seq, ack = _numbers(trigger, back)
    if act.own_number and not back:
        seq = packet.seq
    ports = (packet.dport, packet.sport) if back else (packet.sport, packet.dport)
    flags = act.flags
    return Forged(
        to_client,
        tuple(
            forge.tcp(
                _renewed(ip, act.header, luck) if index else ip,
                forge.Tcp(
                    *ports,
                    seq + act.offsets[index % len(act.offsets)],
                    ack if flags & _ACK else 0,
                    flags,
                    _again(act.window, window, luck) if index else window,
                ),
                act.payload,
            )
            for index in range(act.count)
        ),
    )


def forge_syn_ack(act: SynAck, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    """Forge the answer to a SYN: the number acknowledged is right, the other is nobody's."""
    packet = trigger.packet
    if not opens(packet):
        return ()
    ip = _header(act.header, packet, luck, True)
    window = _number(act.window, packet.window, luck) & 0xFFFF
    seq = luck.between(0, 0xFFFF_FFFF)
    header = forge.Tcp(packet.dport, packet.sport, seq, packet.seq + 1, _SYN | _ACK, window)
    return [Forged(trigger.from_client, (forge.tcp(ip, header),))]


def forge_impostor(act: Impostor, trigger: Trigger, peer: Peer, luck: Luck) -> Sequence[Forged]:
    """Forge what an end that is not there says next."""
    packet = trigger.packet
    segments = peer.meet(act, packet)
    if not segments:
        return ()
    ip = _header(act.header, packet, luck, True)
    window = _number(act.window, packet.window, luck) & 0xFFFF
    made = [forge.tcp(ip, replace(header, window=window), body) for header, body in segments]
    return [Forged(trigger.from_client, tuple(made))]


def forge_probe(attempt: Attempt, said: tuple[forge.Tcp, bytes], luck: Luck) -> Sequence[Forged]:
    """Forge what a prober says to its server; a field to mirror has nothing to be like."""
    act, (header, payload) = attempt.act, said
    ttl, ip_id = _number(act.header.ttl, 64, luck), _number(act.header.ip_id, 0, luck)
    ip = forge.Ip(
        attempt.source, attempt.server, min(max(ttl, 1), 255), ip_id & 0xFFFF, act.header.df
    )
    window = 0 if header.flags & _RST else _number(act.window, 64240, luck) & 0xFFFF
    return [Forged(False, (forge.tcp(ip, replace(header, window=window), payload),))]


def forge_answer(act: DnsAnswer, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    """Forge the answer to the DNS query in the trigger; nothing where the act says so."""
    packet, message = trigger.packet, trigger.message
    if message is None:
        return ()
    records = _records(act, message, luck)
    if records is None:
        return ()
    reply = forge.DnsReply(
        act.rcode,
        records,
        _number(act.answer_ttl, 0, luck),
        act.authoritative,
        act.recursion,
        act.cname,
    )
    if packet.protocol == _TCP:
        if act.over_tcp == "nothing":
            return ()
        answer = b""
        if act.over_tcp == "answer":
            answer = forge.dns_answer(message.raw, message.question_end, reply)
            answer = len(answer).to_bytes(2, "big") + answer
        ending = "fin" if answer else "reset"
        page = BlockPage(answer, ending, reset_server=True, header=act.header, drop=act.drop)
        return forge_page(page, trigger, luck)
    answer = forge.dns_answer(message.raw, message.question_end, reply)
    ip = _header(act.header, packet, luck, True)
    return [Forged(trigger.from_client, (forge.udp(ip, packet.dport, packet.sport, answer),))]


def _records(act: DnsAnswer, message: Message, luck: Luck) -> tuple[bytes, ...] | None:
    """Choose addresses of the family that was asked for; None is no answer at all."""
    if act.rcode or not (act.v4 or act.v6):
        return ()  # an error, nothing, or an alias alone
    pool = {_A: act.v4, _AAAA: act.v6}.get(message.qtype or 0, ())
    if not pool:
        if act.otherwise == "nothing":
            return None
        pool = act.v4 if act.otherwise == "a" else ()
    if act.in_turn and pool:
        return (pool[luck.turn(f"{act.name}.pool", 0, len(pool) - 1)],)
    return tuple(pool) if act.pick is None else luck.pick(pool, act.pick)


def forge_page(act: BlockPage, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    """Forge a response to the client, its end, and the RST that makes the server give up."""
    if trigger.packet.protocol != _TCP or not trigger.from_client:
        return ()
    return _converse(act, trigger, luck)


def _converse(act: BlockPage, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    packet = trigger.packet
    ip = _header(act.header, packet, luck, True)
    first = forge.Tcp(packet.dport, packet.sport, packet.ack, trigger.following, _ACK, 64240)
    segments = forge.pages(act.response, first, fin=act.ending != "reset")
    page = [forge.tcp(ip, header, payload) for header, payload in segments]
    if act.ending != "fin":
        seq = first.seq + len(act.response) + (act.ending == "fin-reset")
        header = forge.Tcp(first.sport, first.dport, seq, first.ack, act.reset_flags)
        page.append(forge.tcp(ip, header))
    made = [Forged(trigger.from_client, tuple(page))]
    if act.reset_server:
        seq, ack = _numbers(trigger, False)
        header = forge.Tcp(packet.sport, packet.dport, seq, ack, _RST | _ACK)
        ip = _header(act.header, packet, luck, False)
        made.append(Forged(not trigger.from_client, (forge.tcp(ip, header),)))
    return made


def forge_unreachable(act: Unreachable, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    """Forge an ICMP error about the trigger, to its sender."""
    packet = trigger.packet
    ip = _header(act.header, packet, luck, True)
    source = next((raw for raw in act.sources if len(raw) == len(packet.src)), ip.src)
    code = act.code if packet.version == 4 else act.code6
    made = forge.unreachable(replace(ip, src=source), code, packet.data[: packet.end])
    return [Forged(trigger.from_client, (made,))]


def forge_response(act: SipResponse, trigger: Trigger, luck: Luck) -> Sequence[Forged]:
    """Forge the response to the SIP request in the trigger; an ACK has none."""
    packet, request = trigger.packet, trigger.message and trigger.message.seen
    if not isinstance(request, sip.Request) or request.method.upper() == "ACK":
        return ()
    source = (str(ip_address(packet.src)), packet.sport)
    tag = f"{luck.draw():016x}"
    answer = telephony.response(request, act.status, act.reason, tag, source)
    if packet.protocol == _TCP:
        page = BlockPage(answer, "fin", reset_server=True, header=act.header, drop=act.drop)
        return _converse(page, trigger, luck)
    port = telephony.response_port(request, packet.sport)
    ip = _header(act.header, packet, luck, True)
    return [Forged(trigger.from_client, (forge.udp(ip, packet.dport, port, answer),))]


def forge_end(
    act: SipEnd, trigger: Trigger, luck: Luck, dialogues: Mapping[str, telephony.Dialogue]
) -> Sequence[Forged]:
    """Forge a BYE or a CANCEL, for the client first; nothing where the call is not that far."""
    packet, request = trigger.packet, trigger.message and trigger.message.seen
    if act.cancel:
        if not isinstance(request, sip.Request) or request.method.upper() != "INVITE":
            return ()
        return [_say(act, trigger, luck, telephony.cancel(request), not trigger.from_client)]
    if not isinstance(request, sip.Message):
        return ()
    one = dialogues.get(request.call_id or "")
    if one is None or not one.answered:
        return ()
    made = []
    for to_client in _ENDS[act.toward]:
        # The end it seems to come from: the trigger's sender, if it is not for that one.
        back = to_client == trigger.from_client
        raw, port = (packet.dst, packet.dport) if back else (packet.src, packet.sport)
        host = str(ip_address(raw)) if len(raw) == 4 else f"[{ip_address(raw)}]"
        text = telephony.bye(
            one,
            "TCP" if packet.protocol == _TCP else "UDP",
            f"{host}:{port}",
            f"{luck.draw():016x}",
            to_caller=to_client == one.by_client,
        )
        made.append(_say(act, trigger, luck, text, to_client))
    return made


def _say(act: SipEnd, trigger: Trigger, luck: Luck, text: bytes, to_client: bool) -> Forged:
    """Put a message into the flow, as if the other end had said it next."""
    packet = trigger.packet
    back = to_client == trigger.from_client
    ip = _header(act.header, packet, luck, back)
    ports = (packet.dport, packet.sport) if back else (packet.sport, packet.dport)
    if packet.protocol != _TCP:
        return Forged(to_client, (forge.udp(ip, *ports, text),))
    seq, ack = _numbers(trigger, back)
    segments = forge.pages(text, forge.Tcp(*ports, seq, ack, _ACK, 64240), fin=False)
    return Forged(to_client, tuple(forge.tcp(ip, *segment) for segment in segments))


def _numbers(trigger: Trigger, back: bool) -> tuple[int, int]:
    """Return the sequence and acknowledgment numbers that fit best."""
    packet = trigger.packet
    acknowledged = packet.ack if packet.flags & _ACK else 0
    if back:
        return acknowledged, trigger.following
    return (packet.seq if trigger.dropped else trigger.following), acknowledged


def _header(header: Header, packet: Packet, luck: Luck, back: bool) -> forge.Ip:
    """Make the IP header of a packet back to the trigger's sender, or on to its receiver."""
    ttl = _number(header.ttl, packet.ttl, luck)
    ip_id = _number(header.ip_id, packet.ip_id, luck)
    src, dst = (packet.dst, packet.src) if back else (packet.src, packet.dst)
    return forge.Ip(src, dst, min(max(ttl, 1), 255), ip_id & 0xFFFF, header.df)


def _renewed(ip: forge.Ip, header: Header, luck: Luck) -> forge.Ip:
    """Give the next of several packets what goes on in a cycle; else they are copies."""
    ttl = _again(header.ttl, ip.ttl, luck)
    ip_id = _again(header.ip_id, ip.ip_id, luck) & 0xFFFF
    return replace(ip, ttl=min(max(ttl, 1), 255), ip_id=ip_id)


def _again(number: Number, former: int, luck: Luck) -> int:
    return _number(number, former, luck) if number.step else former


def _number(number: Number, mirrored: int, luck: Luck) -> int:
    if number.mirror:
        return mirrored + number.shift
    if number.step:
        return luck.turn(number.name, number.low, number.high, number.step)
    return luck.between(number.low, number.high)
