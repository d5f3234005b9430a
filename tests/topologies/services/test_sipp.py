"""Callees: for each one program that registers and one that answers; for all one with the media."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from topologies.service import Conduct, Sip
from topologies.services import kamailio, sipp
from topologies.services.program import Program

ONE = Sip("one", "s", ("sip.one.net",), ("5.9.1.1",), (), ("echo", "tone"))
TWO = Sip("two", "s", ("sip.two.net",), ("2a01:4f8::1",), ())
MUTE = Sip("mute", "s", ("mute.net",), ("5.9.1.4",), (), manner="silent")
*PROGRAMS, MEDIA = sipp.programs("s", (ONE, TWO, MUTE), Path("/w"))


def after(argv: tuple[str, ...], option: str) -> str:
    return argv[argv.index(option) + 1]


def test_every_callee_answers_and_registers_once_the_registrar_is_ready() -> None:
    assert [program.once for program in PROGRAMS] == [False, True] * 3
    assert {program.after for program in PROGRAMS} == {("s-kamailio",)}
    assert len({program.id for program in PROGRAMS}) == 6


def test_what_is_registered_is_where_the_media_program_listens_for_the_sipp_that_answers() -> None:
    (config,) = MEDIA.files.values()
    entries = json.loads(config)
    assert [one["address"] for one in entries] == ["5.9.1.1", "5.9.1.1", "2a01:4f8::1"]
    for entry, answering, registering in zip(entries, PROGRAMS[::2], PROGRAMS[1::2], strict=True):
        assert after(registering.argv, "contact_port") == str(entry["port"])
        assert after(answering.argv, "here").endswith(f":{entry['port']}")
        assert after(answering.argv, "-p") == str(entry["inner"])
        assert answering.ready[0].port == entry["inner"]
    assert [(one.address, one.port) for one in MEDIA.ready] == [
        (one["address"], one["port"]) for one in entries
    ]


def test_ports_are_used_once() -> None:
    ports = [after(program.argv, "-p") for program in PROGRAMS]
    ports += [after(program.argv, "-mp") for program in PROGRAMS if not program.once]
    assert len(set(ports)) == len(ports)


def test_a_callee_registers_with_its_password_at_its_own_provider() -> None:
    registering = PROGRAMS[5]
    assert registering.argv[1] == "[2a01:4f8::1]:5060"
    assert after(registering.argv, "domain") == "sip.two.net"
    assert after(registering.argv, "-ap") == kamailio.password(TWO, "echo")


def one(conduct: Conduct) -> tuple[Program, dict[str, object]]:
    service = Sip("x", "s", ("x.net",), ("5.9.1.1",), (), ("bob",), conducts=(("bob", conduct),))
    answering, _, media = sipp.programs("s", (service,), Path("/w"))
    return answering, json.loads(next(iter(media.files.values())))[0]


@pytest.mark.parametrize(
    ("conduct", "script", "words"),
    [
        ("answers", "answer.xml", "200 OK"),
        ("busy", "refuse.xml", "SIP/2.0 486 Busy Here"),
        ("wrong-codec", "refuse.xml", "SIP/2.0 488 Not Acceptable Here"),
        ("no-answer", "ring.xml", "180 Ringing"),
        ("hangs-up", "hangup.xml", "BYE [next_url] SIP/2.0"),
        ("mute", "answer.xml", "200 OK"),
        ("one-way", "answer.xml", "200 OK"),
        ("calls-back", "callback.xml", "INVITE [$uri] SIP/2.0"),
    ],
)
def test_conducts(conduct: Conduct, script: str, words: str) -> None:
    program, entry = one(conduct)
    ((path, text),) = program.files.items()
    assert (path.name, words in str(text)) == (script, True)
    assert "@REFUSAL@" not in str(text)
    assert entry["speaks"] is (conduct != "mute")
    private = after(program.argv, "audio_ip") == "192.168.1.20"
    assert private is (conduct == "one-way")


def test_a_gateways_numbers_answer_and_register_nowhere() -> None:
    service = Sip("x", "s", ("x.net",), ("5.9.1.1",), (), ("bob",), numbers=("+861065529988",))
    found = [*sipp.programs("s", (service,), Path("/w"))]
    names = [program.id for program in found]
    assert names == [
        "s-sipp-x~bob", "s-sipp-x~bob~register", "s-sipp-x~861065529988", "s-callees",
    ]  # fmt: skip
    (trunk,) = sipp.trunks("s", (service,))
    entries = json.loads(next(iter(found[-1].files.values())))
    assert (trunk.service, trunk.number, trunk.at) == ("x", "+861065529988", "5.9.1.1:5063")
    assert [one["port"] for one in entries] == [5062, 5063]


def test_no_two_programs_have_one_name() -> None:
    one = Sip("x", "s", ("x.net",), ("5.9.1.1",), (), ("b", "b-register", "y-c"))
    other = Sip("x-y", "s", ("y.net",), ("5.9.1.2",), (), ("c",))
    names = [program.id for program in sipp.programs("s", (one, other), Path("/w"))]
    assert len(set(names)) == len(names) == 9
