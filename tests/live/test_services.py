"""Real servers, each asked by a client of its own kind, in a namespace made for the test.

Every service address lies on `lo` of one network namespace. The tests call themselves inside it:
`python test_services.py NAME DIRECTORY` runs one of the functions below.
"""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import dns.message
import dns.query
import dns.rcode
import pytest

from filterbed.probe import call, sip
from tests.live.stage import UNSHARE
from topologies.address import AUTHORITATIVE, ROOT, TLD
from topologies.catalogue import build
from topologies.errors import ServiceError
from topologies.place import Place, Vantage
from topologies.plan import Plan
from topologies.service import Geo, Service, Sip, Web
from topologies.services import Standing, stand
from topologies.services.program import Program, Ready

pytestmark = pytest.mark.live

SITE, SITE6 = "31.13.70.36", "2a03:2880:f10c:83:face:b00c:0:25de"
OTHER, REFUSED, SILENT = "104.244.42.1", "104.244.42.65", "104.244.42.129"
PHONE, PHONE6, PHONE_B = "212.23.7.1", "2001:678:1::5060", "212.23.8.1"
USERS = (("alice", "se.cret+1"),)
SIPS: tuple[Service, ...] = (
    Sip("voip", "servers", ("sip.voip.example.net",), (PHONE, PHONE6), USERS),
    Sip("other", "servers", ("sip.other.example.net",), (PHONE_B,), (("alice", "different"),)),
    Sip("shut", "servers", ("shut.example.net",), (REFUSED,), USERS, manner="refused"),
    Sip("mute", "servers", ("mute.example.net",), (SILENT,), USERS, manner="silent"),
)
WEBS: tuple[Service, ...] = (
    Web("face", "servers", ("www.facebook.com",), (SITE, SITE6), title="Face $1 'x' \\ <b>"),
    Web("gone", "servers", ("gone.example.net",), (OTHER,), status=451),
    Web("moved", "servers", ("moved.example.net",), (OTHER,), status=302, location="m.example.net"),
    Web("old", "servers", ("old.example.net",), (OTHER,), certificate="expired"),
    Web("own", "servers", ("own.example.net",), (OTHER,), certificate="self-signed"),
    Web("wrong", "servers", ("wrong.example.net",), (OTHER,), certificate="wrong-name"),
    Web("rst", "servers", ("rst.example.net",), (OTHER,), manner="reset"),
    Web("none", "servers", ("none.example.net",), (REFUSED,), manner="refused"),
    Web("mute", "servers", ("mute.example.net",), (SILENT,), manner="silent"),
    Web(
        "geo",
        "servers",
        ("geo.example.net",),
        (OTHER,),
        geo=(Geo((f"{SITE}/32", f"{SITE6}/128"), 302, "tom.example.net"),),
    ),
)
DNS = {
    "www.facebook.com": (SITE, SITE6),
    "v4only.example.net": (OTHER,),
    "empty.example.net": (),
}


def plan() -> Plan:
    held = (SITE, SITE6, OTHER, REFUSED, SILENT, PHONE, PHONE6, PHONE_B)
    return build({"use": "line"}, {"client": Vantage()}, {"servers": Place(held)})


def spawn(node: str, argv: Sequence[str], **params: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(argv, **params)  # type: ignore[call-overload,no-any-return]


def standing(directory: Path, services: Sequence[Service]) -> Standing:
    for node in plan().nodes:
        for address in node.addresses:
            flags = ["nodad"] if ":" in address else []
            subprocess.run(["ip", "addr", "add", address, "dev", "lo", *flags], check=True)
    here = lambda _: "/proc/self/ns/net"  # noqa: E731
    return stand(plan(), services, DNS, workdir=directory, spawn=spawn, namespace=here)


def ask(server: str, name: str, qtype: str) -> tuple[str, list[str], list[int]]:
    answer = dns.query.udp(dns.message.make_query(name, qtype), server, timeout=3)
    texts = [item.to_text() for rrset in answer.answer for item in rrset]
    return dns.rcode.to_text(answer.rcode()), sorted(texts), [r.ttl for r in answer.answer]


def fetch(directory: Path, url: str, *options: str) -> tuple[int, str]:
    done = subprocess.run(
        ["curl", "-sS", "-i", "-m", "3", "--cacert", f"{directory}/ca.pem", *options, url],
        capture_output=True,
        text=True,
    )
    return done.returncode, done.stdout + done.stderr


def at(name: str, address: str) -> tuple[str, str]:
    return "--connect-to", f"{name}::{address if ':' not in address else f'[{address}]'}:"


def names_resolve(directory: Path) -> None:
    with_ = standing(directory, ())
    for server in (*AUTHORITATIVE.addresses, "8.8.8.8", "2001:4860:4860::8888"):
        assert ask(server, "www.facebook.com", "A") == ("NOERROR", [SITE], [0])
        assert ask(server, "WWW.facebook.COM", "AAAA") == ("NOERROR", [SITE6], [0])
        assert ask(server, "v4only.example.net", "AAAA") == ("NOERROR", [], [])
        assert ask(server, "empty.example.net", "A") == ("NOERROR", [], [])
        assert ask(server, "nobody.example.net", "A") == ("NXDOMAIN", [], [])
    for server in (*ROOT.addresses, *TLD.addresses):  # they point down, and know no more
        assert ask(server, "www.facebook.com", "A") == ("NOERROR", [], [])
    assert with_.alive() == ()
    with_.stop()


def pages_open(directory: Path) -> None:
    with_ = standing(directory, WEBS)
    for address in (SITE, SITE6):
        for scheme in ("http", "https"):
            url = f"{scheme}://www.facebook.com/any/path"
            code, text = fetch(directory, url, *at("www.facebook.com", address))
            assert code == 0, text
            assert "200 OK" in text
            title = "<title>Face &#36;1 &#x27;x&#x27; &#92; &lt;b&gt;</title>"
            assert title in text
    assert (
        " 451 " in fetch(directory, "http://gone.example.net/", *at("gone.example.net", OTHER))[1]
    )
    moved = fetch(directory, "https://moved.example.net/", *at("moved.example.net", OTHER))[1]
    assert "Location: http://m.example.net/" in moved
    with_.stop()


def certificates_are_wrong_on_purpose(directory: Path) -> None:
    with_ = standing(directory, WEBS)
    context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
    said = {}
    for name in ("gone", "old", "own", "wrong"):
        with socket.create_connection((OTHER, 443), 3) as raw:
            try:
                context.wrap_socket(raw, server_hostname=f"{name}.example.net").close()
                said[name] = "valid"
            except ssl.SSLCertVerificationError as error:
                said[name] = error.verify_message
    assert said["gone"] == "valid"
    assert said["old"] == "certificate has expired"
    assert said["own"] == "self-signed certificate"
    assert "Hostname mismatch" in said["wrong"]
    with_.stop()


def manners_differ(directory: Path) -> None:
    with_ = standing(directory, WEBS)
    for scheme in ("http", "https"):
        got = {
            name: fetch(directory, f"{scheme}://{name}.example.net/", *at(f"{name}.example.net", a))
            for name, a in (("rst", OTHER), ("none", REFUSED), ("mute", SILENT))
        }
        assert (got["rst"][0], "reset" in got["rst"][1].lower()) == (56, True), got["rst"]
        assert got["none"][0] == 7, got["none"]
        assert got["mute"][0] == 28, got["mute"]
    name = "geo.example.net"
    near = fetch(directory, f"http://{name}/", *at(name, OTHER), "--interface", SITE)[1]
    far = fetch(directory, f"http://{name}/", *at(name, OTHER), "--interface", OTHER)[1]
    assert "Location: http://tom.example.net/" in near
    assert "200 OK" in far
    with_.stop()


def outcomes(name: str, address: str, user: str = "alice", secret: str = "se.cret+1") -> Any:
    account = sip.Account(name, user, secret, address)
    answer = sip.register(account, timeout=1.0, flows=[])
    return answer["outcome"], answer["code"]


def phones_register(directory: Path) -> None:
    with_ = standing(directory, SIPS)
    for address in (PHONE, PHONE6):
        assert outcomes("sip.voip.example.net", address) == ("ok", 200)
    assert outcomes(PHONE, PHONE) == ("ok", 200)
    assert outcomes("sip.other.example.net", PHONE_B, secret="different") == ("ok", 200)
    assert outcomes("sip.other.example.net", PHONE_B) == ("rejected", 401)
    assert outcomes("sip.voip.example.net", PHONE, "mallory", "x") == ("rejected", 401)
    assert outcomes("sip.elsewhere.example.net", PHONE) == ("rejected", 403)
    assert outcomes("shut.example.net", REFUSED)[0] == "refused"
    assert outcomes("mute.example.net", SILENT)[0] == "timeout"
    with_.stop()


def calls_are_answered_and_heard(directory: Path) -> None:
    with_ = standing(directory, SIPS)
    account = sip.Account("sip.voip.example.net", "alice", "se.cret+1", PHONE)
    row = call.place(account, "echo", seconds=0.5, timeout=3, flows=[])
    assert (row["outcome"], row["code"]) == ("ok", 200), row
    assert row["rtp_sent"] >= 20
    assert row["rtp_received"] >= row["rtp_sent"] - 3
    nobody = call.place(account, "nobody", seconds=0.5, timeout=3, flows=[])
    assert (nobody["outcome"], nobody["code"]) == ("rejected", 404), nobody
    thief = sip.Account("sip.voip.example.net", "alice", "wrong", PHONE)
    stolen = call.place(thief, "echo", seconds=0.5, timeout=3, flows=[])
    assert (stolen["outcome"], stolen["code"]) == ("rejected", 407), stolen
    other = sip.Account("sip.other.example.net", "alice", "different", PHONE_B)
    assert call.place(other, "echo", seconds=0.2, timeout=3, flows=[])["outcome"] == "ok"
    assert with_.alive() == ()
    with_.stop()


def a_dead_server_is_seen(directory: Path) -> None:
    with_ = standing(directory, WEBS)
    assert with_.alive() == ()
    victim = with_.process("auth-nsd")
    victim.kill()
    victim.wait()
    (dead,) = with_.alive()
    assert (dead.program, dead.status) == ("auth-nsd", -9)
    with_.stop()


def a_server_that_fails_says_why(directory: Path) -> None:
    here = Standing(directory, spawn, lambda _: "/proc/self/ns/net")
    config = directory / "x-nginx" / "nginx.conf"
    argv = ("/usr/sbin/nginx", "-c", str(config))
    program = Program("x-nginx", "x", argv, {config: "nonsense;"}, (Ready("tcp", "127.0.0.1", 80),))
    began = time.monotonic()
    with pytest.raises(ServiceError) as caught:
        here.start([program])
    assert time.monotonic() - began < 5
    for part in ("x-nginx on x", 'unknown directive "nonsense"', "exit status 1", *argv):
        assert part in str(caught.value)


def all_are_quick(directory: Path) -> None:
    began = time.monotonic()
    with_ = standing(directory, (*WEBS, *SIPS))
    up = time.monotonic() - began
    with_.stop()
    print(f"up {up:.3f} s, down {time.monotonic() - began - up:.3f} s")
    assert up < 3


INSIDE: dict[str, Callable[[Path], None]] = {
    function.__name__: function
    for function in (
        names_resolve,
        pages_open,
        certificates_are_wrong_on_purpose,
        manners_differ,
        phones_register,
        calls_are_answered_and_heard,
        a_dead_server_is_seen,
        a_server_that_fails_says_why,
        all_are_quick,
    )
}


@pytest.mark.parametrize("name", INSIDE)
def test_inside_a_namespace_of_its_own(name: str, tmp_path: Path) -> None:
    command = (
        "ip link set lo up; mount -t tmpfs none /run; "
        f"exec {sys.executable} -P {__file__} {name} {tmp_path}"
    )
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(
        [*UNSHARE, "sh", "-c", command], capture_output=True, text=True, timeout=60, env=environment
    )
    logs = "".join(f"\n--- {p.name}\n{p.read_text()}" for p in tmp_path.glob("logs/*.log"))
    assert done.returncode == 0, done.stdout + done.stderr + logs
    print(done.stdout)


if __name__ == "__main__":
    INSIDE[sys.argv[1]](Path(sys.argv[2]))
