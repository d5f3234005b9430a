"""Domains, users and sockets of SIP providers."""

from __future__ import annotations

from pathlib import Path

import pytest

from topologies.errors import PlanError
from topologies.service import Sip
from topologies.services import kamailio

ONE = Sip("one", "s", ("Sip.One.net", "one.net"), ("5.9.1.1", "2a01:4f8::1"), (("alice", "pw"),))
TWO = Sip("two", "s", ("sip.two.net",), ("5.9.1.2",), (("alice", "other"),), ("echo", "tone"))
TEXT = kamailio.configuration((ONE, TWO))


def test_no_marker_is_left() -> None:
    assert "#@" not in TEXT


@pytest.mark.parametrize(
    "line",
    [
        "listen=udp:5.9.1.1:5060",
        "listen=tcp:[2a01:4f8::1]:5060",
        'alias="sip.one.net"',
        '  if ($var(who) == "alice@sip.one.net") $var(password) = "pw";',
        '  if ($var(who) == "alice@sip.two.net") $var(password) = "other";',
    ],
)
def test_each_service_has_its_sockets_names_and_users(line: str) -> None:
    assert line in TEXT.splitlines()


def test_a_domain_is_known_by_every_name_and_address() -> None:
    (line,) = [x for x in TEXT.splitlines() if x.endswith('$var(domain) = "sip.one.net";')]
    for host in ("sip.one.net", "one.net", "5.9.1.1", "[2a01:4f8::1]"):
        assert f'== "{host}"' in line
    assert "two" not in line


def test_callees_are_users_with_passwords_of_their_own() -> None:
    for callee in TWO.callees:
        assert (
            f'"{callee}@sip.two.net") $var(password) = "{kamailio.password(TWO, callee)}"' in TEXT
        )
    assert kamailio.password(ONE, "echo") != kamailio.password(TWO, "echo")


@pytest.mark.parametrize("word", ['a"b', "a\\b", "a$b", "a\nb", "", "a b", "a#b"])
def test_a_word_that_would_break_the_configuration_is_refused(word: str) -> None:
    service = Sip("bad", "s", ("sip.bad.net",), ("5.9.1.3",), (("alice", word),))
    with pytest.raises(PlanError, match=r"services\.bad"):
        kamailio.configuration((service,))


def test_only_what_can_answer_is_waited_for() -> None:
    silent = Sip("mute", "s", ("mute.net",), ("5.9.1.4",), (), manner="silent")
    refused = Sip("no", "s", ("no.net",), ("5.9.1.5",), (), manner="refused")
    program = kamailio.program("s", (ONE, silent, refused), Path("/w"))
    assert program is not None
    assert {ready.address for ready in program.ready} == {"5.9.1.1", "2a01:4f8::1"}
    assert "5.9.1.5" not in str(program.files[Path("/w/s-kamailio/kamailio.cfg")])
    assert kamailio.program("s", (refused,), Path("/w")) is None


def test_a_number_leads_to_the_gateway_of_its_own_provider() -> None:
    trunk = kamailio.Trunk("two", "+861065529988", "5.9.1.2:5063")
    text = kamailio.configuration((ONE, TWO), (trunk,))
    wanted = '  if ($var(called) == "861065529988@sip.two.net") $var(trunk) = "sip:5.9.1.2:5063";'
    assert wanted in text.splitlines()
    assert "861065529988" not in TEXT


@pytest.mark.parametrize("at", ["5.9.1.2:5063", "[2a01:4f8::1]:5063"])
def test_a_gateway_is_known_by_where_it_stands(at: str) -> None:
    text = kamailio.configuration((ONE, TWO), (kamailio.Trunk("two", "+861065529988", at),))
    host = at.removesuffix(":5063")
    test = f'($si == "{host}" || $si == "{host.strip("[]")}") && $sp == 5063'
    assert f"  if ({test}) $var(gateway) = 1;" in text
    assert "$var(gateway) = 1" not in kamailio.configuration((ONE, TWO))
