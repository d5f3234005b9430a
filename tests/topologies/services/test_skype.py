"""The parts of Skype's network as programs, asked what they answer before they are called ready."""

from __future__ import annotations

from topologies.service import Echo, Skype
from topologies.services import skype
from topologies.services.program import Ready


def test_each_part_listens_where_it_is_documented_to() -> None:
    parts = (
        Skype("nodes", "srv", (), ("66.235.180.9", "80.161.91.25"), "supernode"),
        Skype("login", "srv", (), ("80.160.91.11",), "login"),
        Skype("gate", "srv", (), ("88.198.0.1",), "gateway"),
    )
    nodes, login, gate = skype.programs("srv", parts)
    assert nodes.argv[-3:] == ("supernode", "66.235.180.9", "80.161.91.25")
    assert {(r.how, r.address, r.port) for r in nodes.ready} == {
        (how, address, port)
        for address in ("66.235.180.9", "80.161.91.25")
        for how, port in (("udp", 33033), ("tcp", 33033), ("tcp", 80), ("tcp", 443))
    }
    assert [(r.how, r.port) for r in login.ready] == [("tcp", 33033), ("tcp", 443)]
    assert gate.ready == (Ready("udp", "88.198.0.1", 12340, skype.QUESTION),)
    (peer,) = skype.programs("srv", [Skype("p", "srv", (), ("88.198.0.2",), "peer")])
    assert peer.ready == (Ready("tcp", "88.198.0.2", 33033),)


def test_the_question_is_one_a_gateway_answers() -> None:
    from filterbed.probe.supernode import datagram

    assert datagram(skype.QUESTION.encode("latin-1"))


def test_ports_are_those_the_server_holds() -> None:
    from filterbed.probe import supernode

    for part, (udp, tcp) in supernode.PORTS.items():
        assert dict(skype.PORTS[part]) == {"udp": udp, "tcp": tcp}


def test_who_is_silent_runs_nothing() -> None:
    assert not [*skype.programs("srv", [Skype("g", "srv", (), ("1.2.3.4",), "gateway", "silent")])]
    assert not [*skype.echoes("srv", [Echo("e", "srv", (), ("1.2.3.4",), 7, "silent")])]


def test_an_echo_answers_anything_on_its_port() -> None:
    (program,) = skype.echoes("srv", [Echo("radius", "srv", ("r.net",), ("1.2.3.4",), 1812)])
    assert program.argv[-2:] == ("1812", "1.2.3.4")
    assert program.ready == (Ready("udp", "1.2.3.4", 1812, "ready"),)
