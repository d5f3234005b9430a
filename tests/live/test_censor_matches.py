"""What the live censor reads, between real clients and real servers: aioquic, openssl, curl.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import SERVER, Ground, Play, assert_clean, own, policy

pytestmark = pytest.mark.live
TOOLS = ("openssl",)

BLOCKED = {"suffix": ["blocked.example"]}
GREAT_FIREWALL = {
    "position": "in-path",
    "quic": {"versions": ["v1"], "datagrams": 1, "join_datagrams": False},
    "rules": [
        {
            "id": "quic",
            "when": {"quic.sni": BLOCKED, "client.port": "above server.port"},
            "then": {
                "drop": "packet",
                "toward": "client",
                "residual": {"seconds": 10, "then": {"drop": "packet", "toward": "server"}},
            },
        }
    ],
}


# --- what runs in the sandbox ---------------------------------------------------------------


def certificate(folder: Path) -> tuple[Path, Path]:
    paths = folder / "cert.pem", folder / "key.pem"
    made = ["-keyout", str(paths[1]), "-out", str(paths[0]), "-subj", "/CN=any.example"]
    command = ["openssl", "req", "-x509", "-nodes", "-newkey", "ec", "-pkeyopt"]
    subprocess.run([*command, "ec_paramgen_curve:P-256", *made], check=True, capture_output=True)
    return paths


def quic_server() -> None:
    """Echo what comes on a stream, on UDP port 443."""
    from aioquic.asyncio.server import serve
    from aioquic.quic.configuration import QuicConfiguration

    async def echo(reader: Any, writer: Any) -> None:
        writer.write(await reader.read())
        writer.write_eof()

    tasks = set()

    def answer(reader: Any, writer: Any) -> None:
        tasks.add(asyncio.ensure_future(echo(reader, writer)))

    async def main() -> None:
        configuration = QuicConfiguration(is_client=False, alpn_protocols=["echo"])
        configuration.load_cert_chain(*certificate(Path(os.environ["STAGE"])))
        await serve(
            SERVER,
            443,
            configuration=configuration,
            stream_handler=answer,
        )
        print("up", flush=True)
        await asyncio.Event().wait()

    asyncio.run(main())


def quic_client() -> None:
    """Ask under a name, with a version, from a port; say what came back, or "timeout"."""
    import ssl

    from aioquic.asyncio.client import connect
    from aioquic.quic.configuration import QuicConfiguration

    name, version, port = sys.argv[3], int(sys.argv[4]), int(sys.argv[5])

    async def ask() -> str:
        configuration = QuicConfiguration(
            alpn_protocols=["echo"],
            server_name=name,
            verify_mode=ssl.CERT_NONE,
            original_version=version,
            supported_versions=[version],
        )
        async with connect(SERVER, 443, configuration=configuration, local_port=port) as client:
            reader, writer = await client.create_stream()
            writer.write(b"genuine")
            writer.write_eof()
            answer: bytes = await reader.read()
            return answer.decode()

    try:
        print(asyncio.run(asyncio.wait_for(ask(), 1.5)))
    except (TimeoutError, ConnectionError, OSError):
        print("timeout")


def ask_quic(ground: Ground, name: str, *, version: int = 1, port: int = 0) -> str:
    return ground.run("client", *own(quic_client), name, str(version), str(port))[1].strip()


def scene_quic(ground: Ground) -> dict[str, Any]:
    with ground.serving("server", *own(quic_server)), ground.censor(GREAT_FIREWALL) as censor:
        before = ask_quic(ground, "www.blocked.example")
        censor.ask("active")
        found = {
            "low": ask_quic(ground, "www.blocked.example", port=400),
            "second": ask_quic(ground, "www.blocked.example", version=0x6B3343CF),
            "free": ask_quic(ground, "www.free.example"),
            "blocked": ask_quic(ground, "www.blocked.example"),
            "residual": ask_quic(ground, "www.free.example"),
        }
        ground.logged(censor, "forgotten")
        found["after"] = ask_quic(ground, "www.free.example")
        return ground.finish(censor, before=before, **found)


def scene_dtls(ground: Ground) -> dict[str, Any]:
    rules = policy(({"dtls.sni": BLOCKED}, {"drop": "packet"}))
    cert, key = certificate(ground.folder)
    server = ["openssl", "s_server", "-dtls", "-accept", f"{SERVER}:4433"]
    server += ["-cert", str(cert)]

    def ask(name: str) -> str:
        script = (
            f"(sleep 1.5) | timeout 3 openssl s_client -dtls -connect {SERVER}:4433 "
            f"-servername {name} 2>&1 | grep -c 'BEGIN CERTIFICATE' || true"
        )
        return str(ground.sh("client", script)).strip()

    standing = ground.serving("server", *server, "-key", str(key), word="ACCEPT")
    with standing, ground.censor(rules) as censor:
        censor.ask("active")
        found = {"free": ask("www.free.example"), "blocked": ask("www.blocked.example")}
        return ground.finish(censor, **found)


def scene_http(ground: Ground) -> dict[str, Any]:
    listed = ground.folder / "words.txt"
    listed.write_text("falun  # as documented\n")
    word = {"http.keyword": {"substring": {"file": "words.txt"}, "decode": True}}
    agent = {"http.header": {"user-agent": {"regex": ["^bad(bot)?/[0-9]+$"]}}}
    reset = {"inject": "reset"}
    rules = policy((word, reset), (agent, reset), position="on-path")
    with ground.server(), ground.censor(rules) as censor:
        censor.ask("active")
        found = {
            "free": ground.curl("free.example", path="/f%61lan"),
            "path": ground.curl("free.example", path="/x?q=f%61lun"),
            "cookie": ground.curl("free.example", "-H", "Cookie: falun"),
            "agent": ground.curl("free.example", "-A", "badbot/12"),
            "other": ground.curl("free.example", "-A", "goodbot/12"),
        }
        return ground.finish(censor, **found)


PROXY = """
import socket
listener = socket.create_server(("ADDRESS", 1080))
print("up", flush=True)
while True:
    client, _ = listener.accept()
    try:
        if client.recv(4096)[:1] == bytes([5]):
            client.sendall(bytes([5, 0]))
            client.recv(4096)
        client.sendall(bytes([5, 2, 0, 1, 0, 0, 0, 0, 0, 0]))
    except OSError:
        pass
    client.close()
"""


def scene_socks(ground: Ground) -> dict[str, Any]:
    """Whom a real client asks a proxy for, in both versions; the proxy refuses everybody."""
    rules = policy(({"socks.host": BLOCKED}, {"inject": "reset"}), position="on-path")
    proxy = [sys.executable, "-c", PROXY.replace("ADDRESS", SERVER)]
    with ground.serving("server", *proxy), ground.censor(rules) as censor:
        censor.ask("active")
        for way in ("--socks4a", "--socks5-hostname"):
            for name in ("www.free.example", "www.blocked.example"):
                asked = ["curl", "-s", "-m", "2", way, f"{SERVER}:1080", f"http://{name}/"]
                ground.run("client", *asked)
        return ground.finish(censor)


# --- what pytest runs -----------------------------------------------------------------------


def test_a_real_quic_client_is_blocked_by_name(play: Play) -> None:
    """Source: fact cn-quic-sni."""
    result = play(scene_quic)
    assert_clean(result)
    assert result["before"] == "genuine"
    assert result["low"] == "genuine"  # its port is below the server's
    assert result["second"] == "genuine"  # version 2 is not read
    assert result["free"] == "genuine"
    assert result["blocked"] == "timeout"
    assert result["residual"] == "timeout"
    assert result["after"] == "genuine"
    (matched,) = (event for event in result["events"] if event["event"] == "matched")
    assert matched["trigger"] == {"quic.sni": "www.blocked.example", "quic.version": "v1"}
    named = [e["trigger"] for e in result["events"] if e.get("residual") and e.get("trigger")]
    assert {"quic.sni": "www.free.example", "quic.version": "v1"} in named


def test_a_real_dtls_client_is_blocked_by_name(play: Play) -> None:
    result = play(scene_dtls)
    assert_clean(result)
    assert result["free"] != "0"
    assert result["blocked"] == "0"
    assert {event.get("rule") for event in result["events"]} >= {"r0"}


def test_keywords_and_headers_of_a_real_client(play: Play) -> None:
    result = play(scene_http)
    assert_clean(result)
    assert {name: result[name][0] for name in ("free", "path", "cookie", "agent", "other")} == {
        "free": 0, "path": 56, "cookie": 0, "agent": 56, "other": 0,
    }  # fmt: skip


def test_a_proxy_s_real_client_is_heard(play: Play) -> None:
    result = play(scene_socks)
    assert_clean(result)
    matched = [event["trigger"] for event in result["events"] if event["event"] == "matched"]
    assert matched == [
        {"socks.version": version, "socks.host": "www.blocked.example"} for version in (4, 5)
    ]
    assert sum(event["event"] == "injected" for event in result["events"]) == 4
