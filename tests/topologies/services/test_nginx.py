"""Virtual hosts as nginx will read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from topologies.service import Geo, Lists, Store, Web, WebManner
from topologies.services import nginx
from topologies.services.certificate import Authority

HOME = Path("/w/servers-nginx")


def servers(*services: Web) -> list[str]:
    text = nginx.configuration(services, HOME)
    return re.findall(r"^  server \{\n(.*?)^  \}", text, re.S | re.M)


def test_the_first_service_of_an_address_answers_for_unknown_names() -> None:
    one, other = servers(
        Web("one", "s", ("one.example.net",), ("31.13.70.36", "2a03:2880::1")),
        Web("other", "s", ("Other.Example.net.", "o.example.net"), ("31.13.70.36",)),
    )
    assert "listen 31.13.70.36:80 default_server;" in one
    assert "listen [2a03:2880::1]:443 ssl default_server;" in one
    assert "listen 31.13.70.36:443 ssl;" in other
    assert "server_name other.example.net o.example.net;" in other


@pytest.mark.parametrize(
    ("service", "answer"),
    [
        (Web("w", "s", (), ("9.9.9.9",), status=451), "    return 451 '<!DOCTYPE"),
        (Web("w", "s", (), ("9.9.9.9",), manner="reset"), "    return 444;"),
        (
            Web("w", "s", (), ("9.9.9.9",), status=302, location="m.example.net"),
            "    return 302 'http://m.example.net/';",
        ),
        (
            Web("w", "s", (), ("9.9.9.9",), status=301, location="https://m.example.net/a"),
            "    return 301 'https://m.example.net/a';",
        ),
    ],
)
def test_an_answer_is_what_the_service_says(service: Web, answer: str) -> None:
    (text,) = servers(service)
    assert answer in text


def test_clients_are_treated_by_prefix() -> None:
    geo = (
        Geo(("202.106.0.0/16", "2408:8000::/20"), 302, "tom.example.net"),
        Geo(("9.0.0.0/8",), 403),
    )
    service = Web("w", "s", ("w.example.net",), ("31.13.70.36",), geo=geo)
    text = nginx.configuration((service,), HOME)
    (table,) = re.findall(r"geo \$(\w+) \{(.*?)\}", text, re.S)
    assert table[1].split(";")[:-1] == [
        "\n    default 0",
        "\n    202.106.0.0/16 1",
        "\n    2408:8000::/20 1",
        "\n    9.0.0.0/8 2",
    ]
    assert f"if (${table[0]} = 1) {{ return 302 'http://tom.example.net/'; }}" in text
    assert f"if (${table[0]} = 2) {{ return 403 '" in text


def test_a_refused_service_is_not_served_and_a_silent_one_not_waited_for() -> None:
    refused = Web("no", "s", ("no.example.net",), ("9.9.9.9",), manner="refused")
    silent = Web("mute", "s", ("mute.example.net",), ("9.9.9.10",), manner="silent")
    fine = Web("ok", "s", ("ok.example.net",), ("9.9.9.11",))
    assert nginx.program("s", [refused], Authority(), Path("/w")) is None
    program = nginx.program("s", [refused, silent, fine], Authority(), Path("/w"))
    assert program is not None
    assert {ready.address for ready in program.ready} == {"9.9.9.11"}
    assert "9.9.9.9:" not in str(program.files[Path("/w/s-nginx/nginx.conf")])
    assert {path.name for path in program.files} == {
        *("nginx.conf", "mute.pem", "mute.key", "ok.pem", "ok.key"),
    }


@pytest.mark.parametrize("manner", ["slow", "stalls", "truncates"])
def test_a_server_in_trouble_stands_behind_one_that_listens(manner: WebManner) -> None:
    bad = Web("bad", "s", ("bad.example.net",), ("9.9.9.9",), manner=manner)
    text = nginx.configuration([bad, Web("ok", "s", ("ok.example.net",), ("9.9.9.9",))], Path("/w"))
    assert text.count("proxy_pass http://unix:/w/bad.sock:;") == 1
    (behind,) = re.findall(r"listen unix:/w/bad.sock;(.*?)\n  }", text, re.S)
    assert f"limit_rate {nginx.BEHIND[manner][0]};" in behind
    assert "return 200 '" in behind


def test_a_storefront_finds_nothing_for_some() -> None:
    store = Store("Skype", ("202.106.0.0/16", "2408:8000::/20"))
    shop = Web("shop", "s", ("s.example.net",), ("9.9.9.9",), store=store)
    text = nginx.configuration([shop], Path("/w"))
    (table,) = re.findall(r"geo \$(\w+) \{(.*?)\}", text, re.S)
    assert f"202.106.0.0/16 {nginx.ABSENT};" in table[1]
    assert f"2408:8000::/20 {nginx.ABSENT};" in table[1]
    first, second = re.findall(r'return 200 .*?"resultCount": (\d)', text)
    assert (first, second) == ("0", "1")
    assert f"if (${table[0]} = {nginx.ABSENT}) {{ return 200" in text


def test_a_chat_client_is_given_its_lists() -> None:
    lists = Lists(("one", "敏感词"), ("two words",))
    tools = Web("tools", "s", ("tools.example.net",), ("9.9.9.9",), lists=lists)
    text = nginx.configuration([tools], Path("/w"))
    assert "location = /agent/skypever.php { return 200 'one\n敏感词'; }" in text
    assert "location = /agent/keyfile_u { return 200 'two words'; }" in text
    assert "location = /agent/upload { return 200 ''; }" in text
