"""What fuzzing starts from: packets of real programs, cut and spliced.

`seed.capture` is a door record of 210 packets that hold nobody's traffic: 138 (curl with HTTP,
HTTPS and five kinds of SOCKS, dig, aioquic, `openssl s_client -dtls`, ssh, sipp over UDP and
TCP, ping, a few lines that send RTP and STUN) made on 2026-11-23 between the client and the
server of tests/live/test_censor_queue.py; and 72 made on 2026-11-24 over a namespace's loopback
and readdressed: the handshakes of OpenVPN 2.6.14 (on port 1194 bare, 1195 with tls-auth, 1196
with tls-crypt, 1197 over TCP), and that of wireguard-go 0.0.0-20260522210424 with its first
data.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from random import Random
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from censor.drivers.capture import Capture
from censor.wire.number import Protocol, TcpFlag
from censor.wire.packet import Packet, parse
from fuzz import conversation as talk
from fuzz.boxes import POLICIES

REAL: Final = Path(__file__).with_name("seed.capture")

#: Which server ports a target's payloads are taken from.
_PORTS: Final[Mapping[str, tuple[int, ...]]] = {
    "dns": (53,),
    "http": (80,),
    "tls": (443,),
    "quic": (443,),
    "dtls": (4433,),
    "sip": (5060,),
    "sdp": (5060,),
    "stun": (3478,),
    "rtp": (6000,),
    "tunnels": (22, 1080, 1194, 1195, 1196, 1197, 51820),
}

#: Frames of QUIC as RFC 9000 section 19 has them: PADDING, PING, ACK, CRYPTO at 0 and at 4.
_FRAMES: Final = bytes.fromhex("0000010204030102030106000401000028060404aabbccdd")

_POLICY: Final = b"""position: in-path
tcp: {reassemble: true}
pools: &pools {pool: [1.2.3.4]}
rules:
  - id: one
    when: {dns.name: {suffix: [a.example], regex: ["^a+$"]}, not: {server.port: [80, 1-9]}}
    then: {inject: dns-answer, addresses: pool, ttl: {random: [1, 9]}, residual: {seconds: 2 s}}
    chance: {of: 0.5, per: flow}
"""


@cache
def packets() -> tuple[tuple[bool, Packet], ...]:
    """Return the real packets: (came from the client, packet)."""
    found = [(one.interface == "inside", parse(one.data)) for one in Capture(REAL)]
    return tuple((inside, one) for inside, one in found if isinstance(one, Packet))


def _near(packet: Packet) -> int:
    return packet.dport if packet.sport > packet.dport else packet.sport


def payloads(*ports: int) -> list[bytes]:
    """Return what was sent from or to these ports, or to all of them."""
    return [
        bytes(one.payload)
        for _, one in packets()
        if one.payload_length and (not ports or _near(one) in ports)
    ]


@cache
def _certificate() -> bytes:
    """Return a leaf with names of many kinds, as the authority under test copies it."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "XX"),
            x509.NameAttribute(NameOID.COMMON_NAME, "www.example.com"),
        ]
    )
    names: list[x509.GeneralName] = [
        x509.DNSName("*.example.com"),
        x509.IPAddress(ip_address("93.184.216.34")),
        x509.RFC822Name("a@example.com"),
        x509.UniformResourceIdentifier("https://example.com/"),
        x509.OtherName(x509.ObjectIdentifier("1.2.3"), b"\x05\x00"),
        x509.DirectoryName(subject),
    ]
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), 1)
        .not_valid_before(datetime(2026, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2027, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.DER)


def conversations() -> list[bytes]:
    """Return every real flow, as raw packets and as what was said, under every policy."""
    flows: dict[tuple[int, int, int], list[tuple[bool, Packet]]] = {}
    for inside, one in packets():
        ends = sorted((one.sport, one.dport))
        flows.setdefault((one.protocol, ends[0], ends[1]), []).append((inside, one))
    found = []
    for flow in flows.values():
        raw = b"".join(
            bytes((talk.RAW | (0 if inside else 8),)) + len(one.data).to_bytes(2, "big") + one.data
            for inside, one in flow
        )
        udp = flow[0][1].protocol == int(Protocol.UDP)
        kinds = (talk.SERVER_UDP, talk.CLIENT_UDP) if udp else (talk.SERVER_TCP, talk.CLIENT_TCP)
        said = [(kinds[inside], bytes(one.payload)) for inside, one in flow if one.payload_length]
        port = _near(flow[0][1])
        port = port if port in talk.PORTS else talk.PORTS[-1]
        for box in range(len(POLICIES)):
            found += [bytes((box,)) + raw, talk.said(said, port=port, box=box)]
        found.append(b"\0" + talk.record(talk.RAW, bytes(flow[0][1].data[:18])))
    return found


def seeds(target: str) -> list[bytes]:
    """Return the inputs a target begins with."""
    if target.startswith("engine"):
        return conversations()
    if target == "packet":
        return [bytes(one.data) for _, one in packets()]
    if target == "capture":
        return [REAL.read_bytes()[:4096]]
    if target == "policy":
        return [json.dumps(one).encode() for one in POLICIES] + [_POLICY]
    if target == "quic-frames":
        return [_FRAMES]
    if target == "intercept":
        opening = [bytes(one.data) for _, one in packets() if one.flags & TcpFlag.SYN]
        return [*opening, *payloads(443), _certificate()]
    if target == "icmp":
        return [bytes(one.payload) for _, one in packets() if one.protocol in (1, 58)]
    chosen = payloads(*_PORTS.get(target, ()))
    together = b"".join(talk.record(talk.CLIENT_UDP, one) for one in chosen)
    bodies = [one.partition(b"\r\n\r\n")[2] for one in chosen] if target == "sdp" else []
    return [*chosen, *bodies, together]


def damaged(sources: list[bytes], luck: Random) -> bytes:
    """Cut two inputs and splice them, and perhaps change some bytes, repeat a part or add to it."""
    one, other = luck.choice(sources), luck.choice(sources)
    data = bytearray(one[: luck.randint(0, len(one))] + other[luck.randint(0, len(other)) :])
    for _ in range(luck.choice((0, 0, 1, 2, 8))):
        if data:
            data[luck.randrange(len(data))] = luck.choice((0, 1, 0x0A, 0x20, 0x7F, 0x80, 0xFF))
    if luck.random() < 0.2:
        data[luck.randint(0, len(data)) : 0] = luck.randbytes(luck.randint(1, 40))
    if data and luck.random() < 0.1:
        start = luck.randrange(len(data))
        data += data[start : start + 40] * luck.randint(1, 30)
    return bytes(data)
