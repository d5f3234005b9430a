"""The settings of a recursor."""

from __future__ import annotations

import socket
import subprocess
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from topologies.catalogue import build
from topologies.errors import MachineError
from topologies.place import Vantage
from topologies.service import Resolver
from topologies.services import programs, unbound, zone
from topologies.services.certificate import Authority
from topologies.services.dnssec import Signer


@pytest.mark.parametrize("anchor", [None, Signer().anchor()], ids=["believes", "validates"])
@pytest.mark.parametrize("keeps", [False, True])
def test_unbounds_own_checker_accepts_the_settings(
    tmp_path: Path, keeps: bool, anchor: str | None
) -> None:
    addresses = ("8.8.8.8", "2001:4860:4860::8888")
    text = unbound.configuration(addresses, tmp_path, keeps=keeps, anchor=anchor)
    config = tmp_path / "unbound.conf"
    config.write_text(text)
    (tmp_path / unbound.HINTS).write_text(zone.hints())
    path = "/usr/sbin/unbound-checkconf"
    if not Path(path).exists():
        pytest.skip("unbound-checkconf is not installed")
    done = subprocess.run([path, str(config)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "line",
    [
        "  interface: 8.8.8.8",
        '  root-hints: "/w/root.hints"',
        "  prefer-ip4: yes",
        "  cache-max-ttl: 0",
        "  cache-max-negative-ttl: 0",
        "  qname-minimisation: no",
        "  use-caps-for-id: no",
        '  module-config: "iterator"',
        '  username: ""',
        '  local-zone: "test." nodefault',
    ],
)
def test_what_a_censored_query_must_meet(line: str) -> None:
    text = unbound.configuration(("8.8.8.8",), Path("/w"))
    assert line in text.splitlines()


def test_one_that_validates_trusts_the_key_it_is_given() -> None:
    anchor = ". 0 IN DNSKEY 257 3 15 AAAA"
    lines = unbound.configuration(("8.8.8.8",), Path("/w"), anchor=anchor).splitlines()
    assert '  module-config: "validator iterator"' in lines
    assert f'  trust-anchor: "{anchor}"' in lines
    for line in ("val-bogus-ttl: 0", "val-max-restart: 1", "prefetch-key: yes"):
        assert f"  {line}" in lines


def test_a_public_resolver_speaks_plainly_over_tls_and_over_https(tmp_path: Path) -> None:
    quad9 = Resolver("quad9", "servers", ("dns.quad9.net",), ("9.9.9.9", "2620:fe::fe"))
    program = unbound.public("servers", quad9, Authority(), tmp_path)
    home = tmp_path / "servers-unbound-quad9"
    text = str(program.files[home / "unbound.conf"])
    for line in ("tls-port: 853", "https-port: 443", f'tls-service-pem: "{home}/server.pem"'):
        assert f"  {line}" in text.splitlines()
    for address in quad9.addresses:
        assert all(f"  interface: {address}@{port}" in text for port in (53, 853, 443))
    asked = {(ready.how, ready.address, ready.port) for ready in program.ready}
    assert asked == {
        (how, address, port)
        for address in quad9.addresses
        for how, port in (("dns", 53), ("tcp", 853), ("tcp", 443))
    }
    for file, content in program.files.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
    path = "/usr/sbin/unbound-checkconf"
    if not Path(path).exists():
        pytest.skip("unbound-checkconf is not installed")
    done = subprocess.run([path, str(home / "unbound.conf")], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("keeps", [False, True])
def test_one_that_keeps_answers_has_a_cache_and_each_can_be_told_to_forget(keeps: bool) -> None:
    text = unbound.configuration(("8.8.8.8",), Path("/w"), keeps=keeps)
    assert ("cache-max-ttl" in text) is not keeps
    assert '  control-interface: "/w/control"' in text.splitlines()


def test_every_program_that_resolves_names_is_known() -> None:
    plan = build({"use": "national"}, {"bj": Vantage("beijing", "unicom")}, {})
    offered = Resolver("quad9", "servers", ("dns.quad9.net",), ("9.9.9.9",))
    silent = replace(offered, id="shut", manner="silent")
    found = unbound.recursors(plan, (offered, silent))
    begun = programs(plan, (offered, silent), {}, Authority(), Path("/w"))
    assert {*found} == {p.id for p in begun if p.argv[0].endswith("/unbound")}
    assert {"resolver-unbound", "dns-cu-unbound", "servers-unbound-quad9"} <= {*found}


@pytest.mark.parametrize(("said", "wrong"), [(b"ok removed 1 rrsets\n", ""), (b"error no\n", "no")])
def test_forgetting_is_asked_for_and_awaited(tmp_path: Path, said: bytes, wrong: str) -> None:
    (tmp_path / "dns-unbound").mkdir()
    asked = []
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
        server.bind(str(tmp_path / "dns-unbound" / "control"))
        server.listen()

        def answer() -> None:
            there, _ = server.accept()
            with there:
                asked.append(there.recv(100))
                there.sendall(said)

        thread = threading.Thread(target=answer)
        thread.start()
        if wrong:
            with pytest.raises(MachineError, match=f"unbound said 'error {wrong}"):
                unbound.flush("dns-unbound", tmp_path)
        else:
            unbound.flush("dns-unbound", tmp_path)
        thread.join()
    assert asked == [b"UBCT1 flush_zone .\n"]


def test_a_recursor_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="the cache of dns-unbound cannot be emptied"):
        unbound.flush("dns-unbound", tmp_path)
