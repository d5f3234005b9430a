"""TLS taken over by the live censor, as openssl and curl see it; on the kernel, both families.

Scenes run in a fresh sandbox (tests/live/stage.py).
"""

from __future__ import annotations

import os
import re
import socket
import ssl
import subprocess
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.live.stage import SERVER, SERVER6, Ground, Play, own, perform

pytestmark = pytest.mark.live
TOOLS = ("openssl",)

NAMES = ("blocked.example", "own.example", "free.example", "large.example")
QAZNET = {"intercept": "tls", "issuer": "Qaznet Trust Network"}
OWN, MEANT = ["own.example"], ["blocked.example", "large.example"]
RULES = [
    {"id": "own", "when": {"tls.sni": {"exact": OWN}}, "then": {**QAZNET, "signed": "self"}},
    {"id": "mitm", "when": {"tls.sni": {"exact": MEANT}}, "then": QAZNET},
]
POLICY = {"position": "in-path", "rules": RULES}

#: Makes the ClientHello longer than a segment.
MANY = ",".join(["http/1.1", *(letter * 250 for letter in "abcdefgh")])


# --- what runs in the sandbox ----------------------------------------------------------------


def serve() -> None:
    """Answer over TLS, for every name, under a certificate that a real authority gave."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, "The Real One")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder().subject_name(name).public_key(key.public_key())
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "Honest CA")]))
        .serial_number(7).not_valid_before(now).not_valid_after(now + timedelta(days=30))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in NAMES]), False)
        .sign(key, hashes.SHA256())
    )  # fmt: skip
    pem = Path(os.environ["STAGE"]) / "server.pem"
    pem.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                          serialization.NoEncryption())
        + made.public_bytes(serialization.Encoding.PEM)
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    context.set_alpn_protocols(["http/1.1"])
    door = socket.create_server(("::", 443), family=socket.AF_INET6, dualstack_ipv6=True)
    print("up", flush=True)
    while True:
        talk, _ = door.accept()
        threading.Thread(target=_answer, args=(context, talk), daemon=True).start()


def _answer(context: ssl.SSLContext, talk: socket.socket) -> None:
    try:
        with context.wrap_socket(talk, server_side=True) as secure:
            words = secure.recv(65536).split()
            if not words:
                return  # it came for the certificate
            path = words[1].decode()
            size = int(path.strip("/") or 0)
            head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {size + 6}\r\n\r\n"
            secure.sendall(head.encode() + b"hello\n" + b"x" * size)
    except OSError:
        talk.close()


def _leaf(ground: Ground, name: str, *flags: str, at: str = SERVER) -> list[str]:
    """Return subject and issuer that openssl is shown."""
    where = f"[{at}]:443" if ":" in at else f"{at}:443"
    argv = ground.argv(
        "client", ["openssl", "s_client", "-connect", where, "-servername", name, *flags]
    )
    done = subprocess.run(argv, input="", capture_output=True, text=True, timeout=20, check=False)
    said = re.findall(r"^(?:subject|issuer)=(.*)$", done.stdout, re.MULTILINE)
    return [*said, *re.findall(r"ALPN protocol: (.*)$", done.stdout, re.MULTILINE)] or [
        done.stdout + done.stderr
    ]


def _fetch(ground: Ground, name: str, path: str = "/", at: str = SERVER) -> list[Any]:
    resolve = f"{name}:443:{at}"
    flags = ["-o", "/dev/null", "-w", "%{http_code} %{size_download}", "-m", "8"]
    url = f"https://{name}{path}"
    return list(ground.run("client", "curl", "-ksS", "--resolve", resolve, *flags, url))


def scene_names(ground: Ground) -> dict[str, Any]:
    with ground.serving("server", *own(serve)), ground.censor(POLICY) as censor:
        idle = _leaf(ground, "blocked.example")
        censor.ask("active")
        found = {
            "idle": idle,
            "blocked": _leaf(ground, "blocked.example", "-alpn", "h2,http/1.1"),
            "own": _leaf(ground, "own.example"),
            "free": _leaf(ground, "free.example"),
            "large": _leaf(ground, "large.example", "-alpn", MANY),
            "tls12": _leaf(ground, "blocked.example", "-tls1_2"),
            "six": _leaf(ground, "blocked.example", at=SERVER6),
            "six-free": _leaf(ground, "free.example", at=SERVER6),
            "page": _fetch(ground, "blocked.example", "/3000000"),
            "page-six": _fetch(ground, "blocked.example", "/300000", SERVER6),
        }
        return ground.finish(censor, **found)


def scene_leaf(ground: Ground) -> dict[str, Any]:
    """Real certificates of TLS 1.2 are read, those of 1.3 are not; names are told from tools."""
    meant = {"tls.issuer": {"exact": ["Honest CA"]}, "tls.certificate": {"exact": ["free.example"]}}
    openssl = {"tls.sni": {"exact": ["own.example"]}, "not": {"tls.alpn": ["http/1.1"]}}
    rules = [
        {"id": "leaf", "when": meant, "then": {"inject": "reset", "request": "drop"}},
        {"id": "tool", "when": openssl, "then": {"drop": "flow"}},
    ]
    both = {"position": "in-path", "rules": rules}
    with ground.serving("server", *own(serve)), ground.censor(both) as censor:
        censor.ask("active")
        found = {
            "tls12": _leaf(ground, "large.example", "-tls1_2"),
            "six": _leaf(ground, "large.example", "-tls1_2", at=SERVER6),
            "tls13": _leaf(ground, "large.example"),
            "curl": _fetch(ground, "own.example"),
        }
        return ground.finish(censor, **found)


# --- the tests -------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def names(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return perform(scene_names, folder=tmp_path_factory.mktemp("names"))


REAL = ["O = The Real One", "CN = Honest CA"]
FORGED = ["O = The Real One", "CN = Qaznet Trust Network"]


def test_a_name_that_is_meant_gets_a_forged_leaf(names: dict[str, Any]) -> None:
    assert names["idle"] == REAL
    assert names["blocked"] == [*FORGED, "http/1.1"]
    assert names["own"] == ["O = The Real One", "O = The Real One"]
    assert names["tls12"] == FORGED


def test_a_hello_longer_than_a_segment_is_taken_over_too(names: dict[str, Any]) -> None:
    assert names["large"] == [*FORGED, "http/1.1"]


def test_other_names_pass_untouched(names: dict[str, Any]) -> None:
    assert names["free"] == REAL
    assert names["six-free"] == REAL
    touched = {(event.get("trigger") or {}).get("tls.sni") for event in names["events"]}
    assert "free.example" not in touched


def test_over_ipv6(names: dict[str, Any]) -> None:
    assert names["six"] == FORGED
    assert names["page-six"] == [0, "200 300006"]


def test_what_is_said_passes_whole(names: dict[str, Any]) -> None:
    assert names["page"] == [0, "200 3000006"]


def test_the_log_says_what_was_done(names: dict[str, Any]) -> None:
    events = names["events"]
    taken = [event for event in events if event["event"] == "intercepted"]
    assert [event["rule"] for event in taken] == ["mitm", "own", *["mitm"] * 5]
    relayed = [event for event in events if event["event"] == "relayed"]
    assert [event["flow"] for event in relayed] == [event["flow"] for event in taken]
    forged = [event for event in events if event["event"] == "forged"]
    assert len(forged) == len(taken)
    assert not [event for event in forged if "error" in event]
    assert {event["issuer"] for event in forged} == {"CN=Qaznet Trust Network", "O=The Real One"}
    assert "blocked.example" in forged[0]["names"]


def test_a_replay_says_the_same(names: dict[str, Any]) -> None:
    assert names["replay"][0] == 0, names["replay"][1]
    assert names["status"] == 0


def test_a_certificate_of_tls_1_2_draws_a_reset(play: Play) -> None:
    found = play(scene_leaf)
    matched = [event for event in found["events"] if event["event"] == "matched"]
    assert [event["rule"] for event in matched] == ["leaf", "leaf"]
    trigger = {"tls.sni": "large.example", "tls.certificate": "blocked.example"}
    assert [event["trigger"] for event in matched] == [trigger, trigger]
    for reset in (found["tls12"], found["six"]):
        assert "errno=104" in reset[0]  # connection reset by peer
    assert found["tls13"] == REAL
    assert found["curl"] == [0, "200 6"]
    assert found["replay"][0] == 0, found["replay"][1]
