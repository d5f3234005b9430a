"""What each authoritative server is given: its addresses and its zones."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from topologies.address import NAME_SERVERS, NameServer
from topologies.services import nsd
from topologies.services.dnssec import Signer

NAMES = {"www.facebook.com": ("31.13.70.36",), "www.example.net": ()}
PROGRAMS = {program.node: program for program in nsd.programs(NAMES, Path("/w"))}


def zones(node: str) -> set[str]:
    return {path.name for path in PROGRAMS[node].files if path.suffix == ".zone"}


def test_each_server_holds_its_own_zones_alone() -> None:
    assert {node: zones(node) for node in PROGRAMS} == {
        "root": {"root.zone", "root-servers.net.zone"},
        "tld": {"com.zone", "net.zone"},
        "auth": {"facebook.com.zone", "example.net.zone"},
    }


@pytest.mark.parametrize("server", NAME_SERVERS, ids=lambda server: str(server.node))
def test_it_listens_and_is_asked_for_what_it_holds(server: NameServer) -> None:
    program = PROGRAMS[server.node]
    assert [(ready.how, ready.address) for ready in program.ready] == [
        ("dns", address) for address in server.addresses
    ]
    asked = {ready.name for ready in program.ready}
    assert asked <= {".", "com.", "facebook.com."}
    text = str(program.files[Path(f"/w/{server.node}-nsd/nsd.conf")])
    for address in server.addresses:
        assert f"  ip-address: {address}\n" in text
    assert 'username: ""' in text


def test_who_holds_nothing_does_not_run() -> None:
    assert [program.id for program in nsd.programs({}, Path("/w"))] == ["root-nsd", "tld-nsd"]


def test_nsds_own_checker_accepts_the_settings_and_the_zones(tmp_path: Path) -> None:
    path = "/usr/sbin/nsd-checkconf"
    if not Path(path).exists():
        pytest.skip("nsd-checkconf is not installed")
    for program in nsd.programs(NAMES, tmp_path, Signer()):
        for file, content in program.files.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(str(content))
            if file.suffix == ".zone":
                origin = "." if file.stem == "root" else file.stem
                read = [path.replace("conf", "zone"), origin, str(file)]
                done = subprocess.run(read, capture_output=True, text=True)
                assert done.returncode == 0, done.stderr
        config = str(tmp_path / program.id / "nsd.conf")
        done = subprocess.run([path, config], capture_output=True, text=True)
        assert done.returncode == 0, done.stderr


def test_every_zone_is_signed_where_somebody_validates() -> None:
    signed = nsd.programs(NAMES, Path("/w"), Signer())
    for kept in signed:
        for path, text in kept.files.items():
            if path.suffix == ".zone":
                assert " RRSIG SOA 15 " in str(text)
                assert "RRSIG" not in str(PROGRAMS[kept.node].files[path])
