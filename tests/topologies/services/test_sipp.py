"""Callees: one program that registers, one that answers."""

from __future__ import annotations

from pathlib import Path

from topologies.service import Sip
from topologies.services import kamailio, sipp

ONE = Sip("one", "s", ("sip.one.net",), ("5.9.1.1",), (), ("echo", "tone"))
TWO = Sip("two", "s", ("sip.two.net",), ("2a01:4f8::1",), ())
MUTE = Sip("mute", "s", ("mute.net",), ("5.9.1.4",), (), manner="silent")
PROGRAMS = list(sipp.programs("s", (ONE, TWO, MUTE), Path("/w")))


def after(argv: tuple[str, ...], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_every_callee_answers_and_registers_once_the_registrar_is_ready() -> None:
    assert [program.once for program in PROGRAMS] == [False, True] * 3
    assert {program.after for program in PROGRAMS} == {("s-kamailio",)}
    assert len({program.id for program in PROGRAMS}) == 6


def test_what_is_registered_is_where_the_callee_answers() -> None:
    for answering, registering in zip(PROGRAMS[::2], PROGRAMS[1::2], strict=True):
        keys = registering.argv[registering.argv.index("contact_port") :]
        assert keys[1] == after(answering.argv, "-p")
        assert str(answering.ready[0].port) == keys[1]


def test_ports_are_used_once() -> None:
    ports = [after(program.argv, "-p") for program in PROGRAMS]
    ports += [after(program.argv, "-mp") for program in PROGRAMS if not program.once]
    assert len(set(ports)) == len(ports)


def test_a_callee_registers_with_its_password_at_its_own_provider() -> None:
    registering = PROGRAMS[5]
    assert registering.argv[1] == "[2a01:4f8::1]:5060"
    assert after(registering.argv, "domain") == "sip.two.net"
    assert after(registering.argv, "-ap") == kamailio.password(TWO, "echo")
