"""DNS questions, against real sockets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dns.flags
import dns.message
import pytest

from filterbed.probe.errors import MachineError, TargetError
from filterbed.probe.resolve import ask, nameserver


def run(server: str, name: str = "a.net", qtype: str = "A", **more: Any) -> dict[str, Any]:
    return ask(name, qtype, server=server, timeout=more.pop("timeout", 1.0), flows=[], **more)


def test_answer(servers: Any) -> None:
    flows: list[Any] = []
    server = servers.zone({"a.net": ["192.0.2.1", "192.0.2.2"]})
    row = ask("a.net", "A", server=server, timeout=1.0, flows=flows)
    assert (row["rcode"], sorted(row["addresses"])) == ("NOERROR", ["192.0.2.1", "192.0.2.2"])
    assert 0 < row["seconds"] < 1
    [flow] = flows
    assert flow[:2] == ["udp", "127.0.0.1"]
    assert f"{flow[3]}:{flow[4]}" == server


@pytest.mark.parametrize("rcode", ["NXDOMAIN", "REFUSED", "SERVFAIL"])
def test_rcode(servers: Any, rcode: str) -> None:
    assert run(servers.zone({"a.net": rcode}))["rcode"] == rcode


def test_no_data(servers: Any) -> None:
    row = run(servers.zone({"a.net": ["192.0.2.1"]}), qtype="AAAA")
    assert (row["rcode"], row["addresses"]) == ("NOERROR", [])


def test_silence_is_a_timeout_after_asking_twice(servers: Any) -> None:
    row = run(servers.zone({"a.net": None}), timeout=0.2)
    assert row["rcode"] == "timeout"
    assert row["seconds"] >= 0.2
    assert len(servers.seen) == 2
    assert servers.seen[0] == servers.seen[1]


def test_closed_port_is_unreachable(closed_port: int) -> None:
    row = run(f"127.0.0.1:{closed_port}")
    assert row["rcode"] == "unreachable"
    assert row["seconds"] < 0.5


def test_second_answer_is_kept_only_in_the_window(servers: Any) -> None:
    def both(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        return [servers.reply(query, [address]) for address in ("192.0.2.66", "192.0.2.1")]

    server = f"127.0.0.1:{servers.udp(both)}"
    assert [one["addresses"] for one in run(server)["answers"]] == [["192.0.2.66"]]
    found = run(server, window=0.3)
    assert found["addresses"] == ["192.0.2.66"]
    assert [one["addresses"] for one in found["answers"]] == [["192.0.2.66"], ["192.0.2.1"]]


def test_foreign_and_broken_answers_are_ignored(servers: Any) -> None:
    def noise(data: bytes) -> list[bytes]:
        query = dns.message.from_wire(data)
        other = dns.message.make_query("b.net", "A", id=query.id)
        wrong = bytes([data[0] ^ 1]) + servers.reply(query, ["192.0.2.9"])[1:]
        good = servers.reply(query, ["192.0.2.1"])
        return [b"", b"\x00", data, wrong, servers.reply(other, ["192.0.2.8"]), good]

    assert run(f"127.0.0.1:{servers.udp(noise)}")["addresses"] == ["192.0.2.1"]


def test_truncated_answer_is_asked_again_over_tcp(servers: Any) -> None:
    def truncated(data: bytes) -> list[bytes]:
        message = dns.message.make_response(dns.message.from_wire(data))
        message.flags |= dns.flags.TC
        return [message.to_wire()]

    # Nothing listens on TCP there: the honest outcome is that TCP gave no answer.
    row = run(f"127.0.0.1:{servers.udp(truncated)}", timeout=0.3)
    assert (row["rcode"], row["addresses"]) == ("timeout", [])


@pytest.mark.parametrize(("name", "qtype"), [("a..net", "A"), ("a.net", "NOPE")])
def test_no_question(name: str, qtype: str) -> None:
    with pytest.raises(TargetError, match="expected a domain name and a record type"):
        run("127.0.0.1:9", name, qtype)


def test_nameserver(tmp_path: Path) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("# x\nsearch a\nnameserver 192.0.2.53\nnameserver 192.0.2.54\n")
    assert nameserver(file) == "192.0.2.53"
    file.write_text("search a\n")
    with pytest.raises(MachineError, match="no `nameserver` line"):
        nameserver(file)
