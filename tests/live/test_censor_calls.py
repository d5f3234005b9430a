"""What the live censor does to calls, between real clients and servers: coturn, sipp, and dig.

The stage is that of test_censor_queue.py; each test runs a function `scene_*` in a sandbox.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
_spec = spec_from_file_location("stage", Path(__file__).with_name("test_censor_queue.py"))
assert _spec is not None
assert _spec.loader is not None
stage: Any = module_from_spec(_spec)
_spec.loader.exec_module(stage)

NAME = {"dns.name": {"suffix": ["blocked.example"]}}


def policy(*rules: tuple[Any, Any], position: str = "in-path", **more: Any) -> dict[str, Any]:
    listed = [{"id": f"r{n}", "when": w, "then": then} for n, (w, then) in enumerate(rules)]
    return {"position": position, "rules": listed, **more}


# --- what runs in the sandbox ---------------------------------------------------------------


@contextmanager
def relay(ground: Any) -> Iterator[None]:
    """Stand a TURN server and a peer that echoes; both on the server."""
    home = ground.folder
    conf = home / "turn.conf"
    lines = [f"listening-ip={stage.SERVER}", f"relay-ip={stage.SERVER}", "listening-port=3478"]
    lines += ["realm=turn.example", "lt-cred-mech", "user=alice:wonderland", "no-tls", "no-dtls"]
    lines += ["no-cli", "log-file=stdout", "allow-loopback-peers", "relay-threads=1"]
    lines += [f"pidfile={home}/turn.pid", f"userdb={home}/turndb"]
    conf.write_text("\n".join(lines) + "\n")
    with (
        ground.program("server", "turnserver", "-c", str(conf)),
        ground.program("server", "turnutils_peer", "-L", stage.SERVER, "-p", "3480"),
    ):
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:  # 3478 and 3480
            ports = ground.sh("server", "cat /proc/net/udp").upper()
            if ":0D96 " in ports and ":0D98 " in ports:
                break
        yield


def relayed(ground: Any, *flags: str, tries: int = 1) -> int:
    """Send 20 messages to the peer through the relay; return how many came back, at best.

    The client chooses by lot between channels and indications, and now and then asks for what
    the relay cannot give: what should work may be tried again.
    """
    command = ["timeout", "6", "turnutils_uclient", "-u", "alice", "-w", "wonderland", "-c"]
    command += ["-e", stage.SERVER, "-r", "3480", "-n", "20", "-m", "1", "-l", "160", *flags]
    best = 0
    for _ in range(tries):
        said = ground.run("client", *command, stage.SERVER)[1]
        best = max(best, *(int(found) for found in re.findall(r"tot_recv_msgs=(\d+)", said)), 0)
        if best:
            break
    return best


def bound(ground: Any) -> bool:
    """Say whether a STUN client learns its address."""
    said = ground.run("client", "timeout", "3", "turnutils_stunclient", stage.SERVER)[1]
    return stage.CLIENT in said


def scene_relay(ground: Any) -> dict[str, Any]:
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
        reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", stage.SERVER))
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

    end = (stage.SERVER, 53)
    datagrams = socketserver.ThreadingUDPServer(end, Datagram)
    threading.Thread(target=datagrams.serve_forever, daemon=True).start()
    streams = socketserver.ThreadingTCPServer(end, Stream)
    print("up", flush=True)
    streams.serve_forever()


def scene_dns(ground: Any) -> dict[str, Any]:
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
    with (
        ground.program("server", sys.executable, __file__, "dns_server") as server,
        ground.censor(rules) as censor,
    ):
        assert server.stdout.readline() == "up\n"
        before = ground.dig("www.other.example", "+tcp")
        censor.ask("active")
        found: dict[str, Any] = {
            one: [ground.dig(f"wWw.{one}.example", flag) for flag in ("+tcp", "+notcp")]
            for one in ("blocked", "late", "other", "reset", "free")
        }
        nobody = ground.dig("blocked.example", at="24.48.1.99")
        return dict(ground.finish(censor, before=before, nobody=nobody, **found))


def scene_bye(ground: Any) -> dict[str, Any]:
    """A call that would last 9 s gets its BYE after one."""
    bye = {"inject": "sip-bye", "toward": "both", "after": "1 s"}
    rules = policy(({"sip.method": ["ACK"]}, bye))

    def sipp(node: str, own: str, *flags: str) -> list[str]:
        traced = ["-trace_msg", "-message_file", str(ground.folder / f"{node}.msg"), "-nostdin"]
        return ["sipp", "-i", own, "-m", "1", "-timeout", "15", *traced, *flags]

    with ground.censor(rules) as censor:
        censor.ask("active")
        called = sipp("server", stage.SERVER, "-sn", "uas", "-p", "5062")
        with ground.program("server", *called):
            while ":13C6 " not in ground.sh("server", "cat /proc/net/udp").upper():
                pass  # 5062
            call = ["-sn", "uac", "-d", "9000", "-p", "5070", f"{stage.SERVER}:5062"]
            begun = time.monotonic()
            status = ground.run("client", *sipp("client", stage.CLIENT, *call))[0]
            lasted = time.monotonic() - begun
            # The caller may be told, and have hung up, before the callee has written its part.
            heard = ground.folder / "server.msg"
            while "BYE sip:" not in heard.read_text() and time.monotonic() < begun + 15:
                pass
        said = [(ground.folder / f"{node}.msg").read_text() for node in ("client", "server")]
        return dict(ground.finish(censor, status=status, lasted=lasted, said=said))


def main() -> None:
    if sys.argv[1] == "dns_server":
        dns_server()
        return
    result = globals()[f"scene_{sys.argv[1]}"](stage.Ground())
    Path(os.environ["STAGE"], "result.json").write_text(json.dumps(result))


# --- what pytest runs -----------------------------------------------------------------------

pytestmark = pytest.mark.live


@pytest.fixture
def play(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Run a scene in a sandbox and return what it found."""
    tools = ("unshare", "ip", "ethtool", "dig", "sipp", "turnserver")
    missing = [tool for tool in tools if not shutil.which(tool)]
    if missing:
        pytest.skip(f"not installed: {', '.join(missing)}")

    def run(scene: str) -> dict[str, Any]:
        done = subprocess.run(
            [*stage.UNSHARE, sys.executable, __file__, scene],
            env={**os.environ, "STAGE": str(tmp_path), "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        result: dict[str, Any] = json.loads((tmp_path / "result.json").read_text())
        return result

    return run


def test_a_relay_is_lost_and_stun_is_not(play: Callable[[str], dict[str, Any]]) -> None:
    """Source: facts dpi-stun, voip-interference-menu."""
    result = play("relay")
    for one in result.values():
        stage.assert_clean(one)
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


def test_dig_over_tcp(play: Callable[[str], dict[str, Any]]) -> None:
    """Source: facts cn-dns-tcp, cn-dns-bidirectional (an address where no resolver is)."""
    result = play("dns")
    stage.assert_clean(result)
    real, forged = [stage.SERVER], ["8.7.198.45"]
    assert result["before"] == real
    assert result["blocked"] == [forged, forged]
    assert result["late"] == [real, real]  # the forged one comes second
    assert result["other"] == [["10.10.34.36"], ["10.10.34.36"]]
    assert result["reset"] == [[], forged]
    assert result["free"] == [real, real]
    assert result["nobody"] == forged


def test_a_call_ends_when_the_box_says(play: Callable[[str], dict[str, Any]]) -> None:
    """Source: fact voip-interference-menu (cut at n seconds)."""
    result = play("bye")
    stage.assert_clean(result)
    for said in result["said"]:
        assert "BYE sip:" in said
    assert result["lasted"] < 8.0
    (one, other) = (e for e in result["events"] if e["event"] == "injected")
    assert {one["toward"], other["toward"]} == {"client", "server"}
    assert one["after"] == 1.0


if __name__ == "__main__":
    main()
