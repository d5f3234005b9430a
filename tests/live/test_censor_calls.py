"""What the live censor does to calls, between real clients and servers: coturn, sipp, and dig.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from tests.live.stage import CLIENT, SERVER, Ground, Play, assert_clean, own, policy, said, wait_for

pytestmark = pytest.mark.live
TOOLS = ("sipp", "turnserver")


# --- what runs in the sandbox ---------------------------------------------------------------


@contextmanager
def relay(ground: Ground) -> Iterator[None]:
    """Stand a TURN server and a peer that echoes; both on the server."""
    home = ground.folder
    conf = home / "turn.conf"
    lines = [f"listening-ip={SERVER}", f"relay-ip={SERVER}", "listening-port=3478"]
    lines += ["realm=turn.example", "lt-cred-mech", "user=alice:wonderland", "no-tls", "no-dtls"]
    lines += ["no-cli", "log-file=stdout", "allow-loopback-peers", "relay-threads=1"]
    lines += [f"pidfile={home}/turn.pid", f"userdb={home}/turndb"]
    conf.write_text("\n".join(lines) + "\n")
    with (
        ground.program("server", "turnserver", "-c", str(conf)),
        ground.program("server", "turnutils_peer", "-L", SERVER, "-p", "3480"),
    ):
        ground.listening("server", 3478, 3480)
        yield


def relayed(ground: Ground, *flags: str, tries: int = 1) -> int:
    """Send 20 messages to the peer through the relay; return how many came back, at best.

    The client chooses by lot between channels and indications, and now and then asks for what
    the relay cannot give: what should work may be tried again.
    """
    command = ["timeout", "6", "turnutils_uclient", "-u", "alice", "-w", "wonderland", "-c"]
    command += ["-e", SERVER, "-r", "3480", "-n", "20", "-m", "1", "-l", "160", *flags]
    best = 0
    for _ in range(tries):
        said = ground.run("client", *command, SERVER)[1]
        best = max(best, *(int(found) for found in re.findall(r"tot_recv_msgs=(\d+)", said)), 0)
        if best:
            break
    return best


def bound(ground: Ground) -> bool:
    """Say whether a STUN client learns its address."""
    said = ground.run("client", "timeout", "3", "turnutils_stunclient", SERVER)[1]
    return CLIENT in said


def scene_relay(ground: Ground) -> dict[str, Any]:
    data = {"stun.method": ["channel-data", "send", "data"]}
    table = {
        "turn": policy(({"stun.turn": True}, {"drop": "packet"})),
        "data": policy((data, {"drop": "packet"}), stun={"channels": "rfc5766"}),
        "binding": policy(({"stun.method": ["binding"]}, {"drop": "packet"})),
        "streams": policy(({"stun.method": ["allocate"], "protocol": "tcp"}, {"inject": "reset"})),
    }
    found: dict[str, Any] = {}
    with relay(ground):
        for name, document in table.items():
            with ground.censor(document) as censor:
                censor.ask("active")
                works = 4 if name == "binding" else 1
                flags = ["-t"] if name == "streams" else []
                seen = [bound(ground), relayed(ground, *flags, tries=works)]
                found[name] = ground.finish(censor, seen=seen)
    return found


def dns_server() -> None:
    """Answer every A query over UDP and TCP with the server's own address."""
    import socketserver
    import threading

    import dns.message
    import dns.rrset

    def answer(query: bytes) -> bytes:
        message = dns.message.from_wire(query)
        reply = dns.message.make_response(message)
        question = message.question[0]
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", SERVER))
        return reply.to_wire()

    class Stream(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            with suppress(ConnectionResetError):
                while len(size := self.request.recv(2)) == 2:
                    real = answer(self.request.recv(int.from_bytes(size, "big")))
                    self.request.sendall(len(real).to_bytes(2, "big") + real)

    class Datagram(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            data, sock = self.request
            sock.sendto(answer(data), self.client_address)

    end = (SERVER, 53)
    datagrams = socketserver.ThreadingUDPServer(end, Datagram)
    threading.Thread(target=datagrams.serve_forever, daemon=True).start()
    streams = socketserver.ThreadingTCPServer(end, Stream)
    print("up", flush=True)
    streams.serve_forever()


def scene_dns(ground: Ground) -> dict[str, Any]:
    def name(suffix: str) -> dict[str, Any]:
        return {"dns.name": {"suffix": [suffix]}}

    answer = {"inject": "dns-answer", "addresses": ["8.7.198.45"], "over_tcp": "answer"}
    other = {"rewrite": "dns-answer", "addresses": ["10.10.34.36"], "over_tcp": "answer"}
    rules = policy(
        (name("blocked.example"), answer),
        (name("late.example"), {**answer, "when": "after"}),
        (name("other.example"), other),
        (name("reset.example"), {**answer, "over_tcp": "reset"}),
    )
    with ground.serving("server", *own(dns_server)), ground.censor(rules) as censor:
        before = ground.dig("www.other.example", "+tcp")
        censor.ask("active")
        found: dict[str, Any] = {
            one: [ground.dig(f"wWw.{one}.example", flag) for flag in ("+tcp", "+notcp")]
            for one in ("blocked", "late", "other", "reset", "free")
        }
        nobody = ground.dig("blocked.example", at="24.48.1.99")
        return ground.finish(censor, before=before, nobody=nobody, **found)


class Phone:
    """A sipp that calls or is called once; what it hears and says is written down."""

    def __init__(self, ground: Ground, node: str) -> None:
        self._file = ground.folder / f"{node}.messages"
        self._own = {"client": CLIENT, "server": SERVER}[node]

    def command(self, *flags: str) -> list[str]:
        traced = ["-trace_msg", "-message_file", str(self._file), "-nostdin"]
        return ["sipp", "-i", self._own, "-m", "1", "-timeout", "15", *traced, *flags]

    def heard(self, text: str) -> str:
        """Wait until it has written down `text`; return all that it has."""
        wait_for(lambda: self._file.exists() and text in self._file.read_text(), repr(text))
        return self._file.read_text()


def scene_bye(ground: Ground) -> dict[str, Any]:
    """A call that would last 9 s gets its BYE after one."""
    bye = {"inject": "sip-bye", "toward": "both", "after": "1 s"}
    caller, callee = Phone(ground, "client"), Phone(ground, "server")
    with ground.censor(policy(({"sip.method": ["ACK"]}, bye))) as censor:
        censor.ask("active")
        with ground.program("server", *callee.command("-sn", "uas", "-p", "5062")):
            ground.listening("server", 5062)
            call = ["-sn", "uac", "-d", "9000", "-p", "5070", f"{SERVER}:5062"]
            begun = time.monotonic()
            status = ground.run("client", *caller.command(*call))[0]
            lasted = time.monotonic() - begun
            # The caller may be told, and have hung up, before the callee has written its part.
            said = [phone.heard("BYE sip:") for phone in (caller, callee)]
        return ground.finish(censor, status=status, lasted=lasted, said=said)


def scene_refused(ground: Ground) -> dict[str, Any]:
    """One call is refused, another ended as soon as it stands."""
    refused = {"inject": "sip-response", "status": 403}
    ended = {"inject": "sip-bye"}
    rules = policy(({"sip.method": ["INVITE"], "server.port": [5060]}, refused),
                   ({"sip.method": ["ACK"], "server.port": [5062]}, ended))  # fmt: skip
    caller, callee = Phone(ground, "client"), Phone(ground, "server")
    call = ["-sn", "uac", "-d", "3000", "-p", "5070"]
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        status = ground.run("client", *caller.command(*call, f"{SERVER}:5060"))[0]
        found = {"refused": status, "403": caller.heard("SIP/2.0 403 Forbidden")}
        with ground.program("server", *callee.command("-sn", "uas", "-p", "5062")):
            ground.listening("server", 5062)
            ground.run("client", *caller.command(*call, f"{SERVER}:5062"))
            found["caller"] = caller.heard(f"\nBYE sip:sipp@{CLIENT}:5070")
            found["callee"] = callee.heard(f"\nBYE sip:{SERVER}:5062")
        return ground.finish(censor, **found)


# --- what pytest runs -----------------------------------------------------------------------


def test_a_relay_is_lost_and_stun_is_not(play: Play) -> None:
    """Source: facts dpi-stun, voip-interference-menu."""
    result = play(scene_relay)
    for one in result.values():
        assert_clean(one)
    assert result["turn"]["seen"] == [True, 0]
    assert result["data"]["seen"] == [True, 0]
    assert result["binding"]["seen"] == [False, 20]
    assert result["streams"]["seen"] == [True, 0]
    for name, method in (("turn", "allocate"), ("streams", "allocate"), ("binding", "binding")):
        first = next(one for one in result[name]["events"] if one["event"] == "matched")
        assert first["trigger"] == {"stun.method": method}
    said = {e["trigger"]["stun.method"] for e in result["data"]["events"] if "trigger" in e}
    assert said <= {"channel-data", "send", "data"}
    assert said


def test_dig_over_tcp(play: Play) -> None:
    """Source: facts cn-dns-tcp, cn-dns-bidirectional (an address where no resolver is)."""
    result = play(scene_dns)
    assert_clean(result)
    real, forged = [SERVER], ["8.7.198.45"]
    assert result["before"] == real
    assert result["blocked"] == [forged, forged]
    assert result["late"] == [real, real]  # the forged one comes second
    assert result["other"] == [["10.10.34.36"], ["10.10.34.36"]]
    assert result["reset"] == [[], forged]
    assert result["free"] == [real, real]
    assert result["nobody"] == forged


def test_a_call_ends_when_the_box_says(play: Play) -> None:
    """Source: fact voip-interference-menu (cut at n seconds)."""
    result = play(scene_bye)
    assert_clean(result)
    for text in result["said"]:
        assert "BYE sip:" in text
    assert result["lasted"] < 8.0
    (one, other) = (e for e in result["events"] if e["event"] == "injected")
    assert {one["toward"], other["toward"]} == {"client", "server"}
    assert one["after"] == 1.0


def test_calls_are_refused_and_ended(play: Play) -> None:
    result = play(scene_refused)
    assert_clean(result)
    assert result["refused"] == 1
    received = {
        side: [part for part in result[side].split("---------------") if "message received" in part]
        for side in ("caller", "callee")
    }
    (bye,) = (part for part in received["caller"] if "\nBYE sip:" in part)
    assert f"BYE sip:sipp@{CLIENT}:5070" in bye
    assert [part for part in received["callee"] if f"\nBYE sip:{SERVER}:5062" in part]
    assert [event["toward"] for event in said(result, "injected")] == ["client", "client", "server"]
