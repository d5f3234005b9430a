"""Evasions on the kernel: a real connection with packets inserted, and queries in real fragments.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from typing import Any

import pytest

from tests.live import origin
from tests.live.stage import SERVER, SERVER6, Ground, Play, assert_clean, own, policy

pytestmark = pytest.mark.live

HOST = {"http.host": {"suffix": ["blocked.example"]}}
NAME = {"dns.name": {"suffix": ["blocked.example"]}}
WAYS = ("none", "split", "reset", "desync")
DYING = ("none", "dying reset", "dying junk")
#: A server one hop further away; models, and the least TTL that they look at.
FAR = "24.48.2.2"
HOPS = (("geneva-1", 0), ("geneva-1", 10), ("geneva-7", 0), ("geneva-7", 10))
ASK = b"GET / HTTP/1.1\r\nHost: www.blocked.example\r\n\r\n"


# --- what runs on the client -----------------------------------------------------------------


def cheat() -> None:
    server, *ways = sys.argv[3:]
    for way in ways:
        print(evade(way, server))


def evade(way: str, server: str) -> str:
    """Connect, send what the evasion inserts, ask for a blocked page, and say what came of it.

    What dies on its way has just enough hops to pass the box, and is right otherwise.
    """
    from scapy.layers.inet import IP, TCP
    from scapy.packet import Raw

    wire = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    wire.bind(("c0", 3))
    sock = socket.create_connection((server, 80), 5)
    sock.settimeout(2)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    port = sock.getsockname()[1]
    while True:
        packet = IP(wire.recv(2048))
        if TCP in packet and packet[TCP].sport == port and packet[TCP].flags == "A":
            break
    made = IP(src=packet.src, dst=packet.dst) / TCP(
        sport=port, dport=80, seq=packet[TCP].seq, ack=packet[TCP].ack, window=500
    )
    inserted = {
        "reset": [{"flags": "R", "chksum": 0x4444}],
        "desync": [{"flags": "S", "seq": made[TCP].seq + 500_000, "chksum": 0x4444}],
        "dying reset": [{"flags": "R"}],
        "dying junk": [{"flags": "PA"}],
    }
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for fields in inserted.get(way, ()):
        one = made.copy()
        for name, value in fields.items():
            setattr(one[TCP], name, value)
        if way.startswith("dying"):
            one.ttl = 2
        if way == "dying junk":
            one = one / Raw(ASK.replace(b"blocked", b"genuine"))
        raw.sendto(bytes(one), (server, 0))
    try:
        for part in (ASK[:26], ASK[26:]) if way == "split" else (ASK,):
            sock.sendall(part)
        return "genuine" if sock.recv(4096).startswith(b"HTTP/1.1 200") else "other"
    except OSError as error:
        return type(error).__name__


def ask() -> None:
    for server in (SERVER, SERVER6):
        for name in ("www.blocked.example", "www.allowed.example"):
            print(query(name, server))


def query(name: str, server: str) -> str:
    """Ask for a name in a datagram cut in two, and say whether an answer came."""
    import dns.message
    from scapy.layers.inet import IP, UDP, fragment
    from scapy.layers.inet6 import IPv6, IPv6ExtHdrFragment
    from scapy.packet import Raw

    six = ":" in server
    family = socket.AF_INET6 if six else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_DGRAM)
    sock.connect((server, 53))
    sock.settimeout(1)
    address, port = sock.getsockname()[:2]
    datagram = UDP(sport=port, dport=53) / Raw(dns.message.make_query(name, "A").to_wire())
    if six:
        data = bytes(IPv6(src=address, dst=server) / datagram)[40:]
        head = IPv6(src=address, dst=server)
        parts = [
            head / IPv6ExtHdrFragment(nh=17, id=port, offset=start // 8, m=more) / Raw(part)
            for start, part, more in ((0, data[:24], 1), (24, data[24:], 0))
        ]
    else:
        whole = IP(src=address, dst=server, id=port) / datagram
        parts = fragment(whole, 24)  # type: ignore[no-untyped-call]
    raw = socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW)
    for part in parts:
        raw.sendto(bytes(part), (server, 0))
    try:
        return "answered" if sock.recv(512) else "empty"
    except TimeoutError:
        return "silence"


# --- what runs in the sandbox ----------------------------------------------------------------


def scene_tcp(ground: Ground) -> dict[str, Any]:
    """Each evasion against the models in turn, one run of the censor each."""
    found: dict[str, Any] = {}
    results = []
    for model in ("geneva-1", "geneva-7", "geneva-10", "gfw-2013"):
        document = policy((HOST, {"inject": "reset", "request": "drop"}), tcp={"profile": model})
        with ground.server(), ground.censor(document) as censor:
            censor.ask("active")
            outcomes = ground.run("client", *own(cheat, SERVER, *WAYS))[1].split()
            found[model] = dict(zip(WAYS, outcomes, strict=True))
            results.append(ground.finish(censor))
    return {**results[-1], "found": found, "all": results}


def scene_hops(ground: Ground) -> dict[str, Any]:
    """Put the server one hop further away: what dies between reaches the box alone."""
    ground.nodes["far"] = ground._node()
    ground._link("far", "f0", "server", "s1", 3, FAR)
    ground.sh("server", "sysctl -qw net.ipv4.ip_forward=1")
    ground.sh("far", "ip route add default via 24.48.2.1")
    ground.sh("box", "ip route add 24.48.2.0/24 via 24.48.1.2")
    found: dict[str, Any] = {}
    results = []
    for model, least in HOPS:
        tcp = {"profile": model, "min_ttl": least}
        rule = (HOST, {"inject": "reset", "request": "drop"})
        document = policy(rule, tcp=tcp, http={"requests": "all"})
        serving = ground.serving("far", *own(origin.serve, FAR, "2600:3::2"))
        with serving, ground.censor(document) as censor:
            censor.ask("active")
            outcomes = ground.run("client", *own(cheat, FAR, *DYING))[1].split()
            found[f"{model} {least}"] = dict(zip(DYING, outcomes, strict=True))
            results.append(ground.finish(censor))
    return {**results[-1], "found": found, "all": results}


def scene_fragments(ground: Ground) -> dict[str, Any]:
    found: dict[str, Any] = {}
    results = []
    for mode in (None, "first", "ignore", "reassemble", "drop"):
        ip: dict[str, Any] = {} if mode is None else {"ip": {"fragments": mode}}
        with ground.server(), ground.censor(policy((NAME, {"drop": "packet"}), **ip)) as censor:
            censor.ask("active")
            found[str(mode)] = ground.run("client", *own(ask))[1].split()
            results.append(ground.finish(censor))
    return {**results[-1], "found": found, "all": results}


def scene_refused(ground: Ground) -> dict[str, Any]:
    """The box tracks connections for a reason of its own, so it cannot see fragments."""
    ground.sh("box", "iptables -t nat -A POSTROUTING -s 10.9.9.9 -j MASQUERADE")
    path = ground.folder / "policy.json"
    path.write_text(json.dumps(policy((NAME, {"drop": "packet"}), ip={"fragments": "ignore"})))
    command = [sys.executable, "-P", "-m", "censor", "run", "--policy", str(path), "--queue", "7"]
    command += ["--inside", "b0", "--outside", "b1", "--events", str(ground.folder / "events")]
    done = subprocess.run(
        ground.argv("box", command), capture_output=True, text=True, check=False, timeout=30
    )
    return {"status": done.returncode, "said": done.stderr}


# --- what pytest runs ------------------------------------------------------------------------


def test_inserted_packets_beat_those_who_believe_them(play: Play) -> None:
    result = play(scene_tcp)
    for one in result["all"]:
        assert_clean(one)
    caught, evaded = "ConnectionResetError", "genuine"
    expected = {
        "geneva-1": (caught, evaded, caught, evaded),
        "geneva-7": (caught, evaded, evaded, caught),
        "geneva-10": (caught, evaded, caught, caught),  # it checks checksums
        "gfw-2013": (caught, caught, evaded, caught),
    }
    assert result["found"] == {
        model: dict(zip(WAYS, outcomes, strict=True)) for model, outcomes in expected.items()
    }


def test_what_dies_on_its_way_beats_those_who_do_not_count_hops(play: Play) -> None:
    """Source: Ptacek and Newsham, 1998: a TTL that reaches the box, and not the server."""
    result = play(scene_hops)
    for one in result["all"]:
        assert_clean(one)
    caught, evaded = "ConnectionResetError", "genuine"
    expected = {
        "geneva-1 0": (caught, caught, evaded),  # it waits for the next segment
        "geneva-1 10": (caught, caught, caught),
        "geneva-7 0": (caught, evaded, caught),  # a RST tears down
        "geneva-7 10": (caught, caught, caught),
    }
    assert result["found"] == {
        model: dict(zip(DYING, outcomes, strict=True)) for model, outcomes in expected.items()
    }


def test_fragments_are_read_as_the_policy_says(play: Play) -> None:
    """Without a word about them, the kernel joins them first, for it tracks connections."""
    result = play(scene_fragments)
    for one in result["all"]:
        assert_clean(one)
    open_, seen, shut = (["answered"] * 4, ["silence", "answered"] * 2, ["silence"] * 4)
    assert result["found"] == {
        "None": seen, "first": open_, "ignore": open_, "reassemble": seen, "drop": shut,
    }  # fmt: skip
    offload = [one["events"][0]["offload"] for one in result["all"]]
    assert offload == [True, False, False, False, False]


def test_a_policy_about_fragments_is_refused_where_the_kernel_joins_them(play: Play) -> None:
    result = play(scene_refused)
    assert result["status"] == 3
    assert (
        "ip.fragments: iptables-save shows the rule '-A POSTROUTING -s 10.9.9.9" in result["said"]
    )
