"""What conditions mean: each key tried on real messages, through whole policies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from censor.dissect import tls
from censor.drivers.document import read
from censor.engine.decision import Verdict
from censor.policy.clause import When
from censor.policy.loader import load
from censor.policy.meaning import compile_names, compile_when
from censor.policy.vocabulary import Names
from censor.rule.rules import App
from censor.rule.sight import SIGHTS

DROP = Verdict.DROP


def policy(when: Any, **more: Any) -> dict[str, Any]:
    rule = {"id": "r", "when": when, "then": {"drop": "packet"}}
    return {"position": "in-path", "rules": [rule], **more}


REQUEST = (
    "POST /a/B%61d?q=Tank HTTP/1.1\r\nHost: WWW.Blocked.Example:80\r\nUser-Agent: curl/8\r\n"
    "COOKIE: one\r\nCookie: two=evil\r\nContent-Length: 0\r\n\r\n"
)


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({"http": True}, True),
        ({"http.host": {"suffix": ["blocked.example"]}}, True),
        ({"http.host": {"suffix": ["blocked.example"], "case": True}}, False),
        ({"http.host": {"suffix": ["Blocked.Example"], "case": True}}, True),
        ({"http.method": ["POST"]}, True),
        ({"http.method": ["post", "GET"]}, False),
        ({"http.path": {"exact": ["/A/b%61D"]}}, True),
        ({"http.path": {"exact": ["/a/bad"], "decode": True}}, True),
        ({"http.path": {"exact": ["/a/bad"]}}, False),
        ({"http.path": {"exact": ["/a/bad"], "decode": True, "case": True}}, False),
        ({"http.path": {"substring": ["tank"]}}, False),
        ({"http.query": {"suffix": ["=tank"]}}, True),
        ({"http.query": {"regex": ["^q=[a-z]+$"]}}, True),
        ({"http.keyword": {"substring": ["blocked.example:80/a/"]}}, True),
        ({"http.keyword": {"substring": ["tank"]}, "http.host": {"suffix": ["example"]}}, True),
        ({"http.keyword": {"substring": ["tank"]}, "http.host": {"suffix": ["other"]}}, False),
        ({"http.keyword": {"substring": ["curl"]}}, False),
        ({"http.header": {"user-agent": {"prefix": ["CURL"]}}}, True),
        ({"http.header": {"cookie": {"substring": ["evil"]}}}, True),
        ({"http.header": {"Cookie": True, "Via": True}}, False),
        ({"http.header": {"Cookie": True}}, True),
        ({"not": {"http.header": {"Via": True}}}, True),
        ({"http.path": {"exact": ["/elsewhere"]}}, False),
    ],
)
def test_requests(Talk: Any, when: Any, hit: bool) -> None:
    talk = Talk(policy(when))
    assert (talk.connection().say(REQUEST.encode()).verdict is DROP) is hit


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/a?b", "/a", "b"),
        ("/a", "/a", None),
        ("http://h.example/a?b", "/a", "b"),
        ("http://h.example", "/", None),
        ("http://h.example?b", "", "b"),
        ("*", "*", None),
        ("/a?b?c", "/a", "b?c"),
        ("/r?to=http://x/y", "/r", "to=http://x/y"),
    ],
)
def test_targets_of_every_form(Talk: Any, target: str, path: str, query: str | None) -> None:
    request = f"GET {target} HTTP/1.1\r\nHost: h.example\r\n\r\n".encode()
    for key, value in (("http.path", path), ("http.query", query)):
        talk = Talk(policy({key: {"exact": ["" if value is None else value]}}))
        assert (talk.connection().say(request).verdict is DROP) is (value is not None)


def test_pipelined_and_later_requests(Talk: Any, get: Any) -> None:
    when = {"http.path": {"exact": ["/bad"]}}
    for requests, hit in (("first", False), ("all", True)):
        talk = Talk(policy(when, http={"requests": requests}))
        both = get("a.example") + get("a.example", path="/bad")
        assert (talk.connection().say(both).verdict is DROP) is hit
        late = talk.connection(sport=50001)
        for _ in range(5):
            late.say(get("a.example"))
            late.say(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", back=True)
        assert (late.say(get("a.example", path="/bad")).verdict is DROP) is hit


def hello(alpn: list[str], least: Any = None, most: Any = None) -> bytes:
    import ssl

    context = ssl.create_default_context()
    context.set_alpn_protocols(alpn)
    if most is not None:
        context.maximum_version = most
    if least is not None:
        context.minimum_version = least
    out = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), out, server_hostname="a.example").do_handshake()
    return out.read()


def extended(kind: int, size: int = 4) -> bytes:
    """A ClientHello with one extension more."""
    record = hello(["h2"])
    body = record[9:]
    at = 35 + body[34]
    at += 2 + int.from_bytes(body[at : at + 2], "big")
    at += 1 + body[at]
    extensions = body[at + 2 :] + kind.to_bytes(2, "big") + size.to_bytes(2, "big") + bytes(size)
    body = body[:at] + len(extensions).to_bytes(2, "big") + extensions
    message = b"\1" + len(body).to_bytes(3, "big") + body
    return b"\x16\3\1" + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize(
    ("when", "hit"),
    [
        ({"tls": True}, True),
        ({"tls.alpn": ["h2"]}, True),
        ({"tls.alpn": ["h3"]}, False),
        ({"tls.version": ["1.3"]}, False),
        ({"tls.version": ["1.2", "1.1"]}, True),
        ({"tls.ech": False, "tls.sni": {"exact": ["a.example"]}}, True),
        ({"tls.ech": True}, False),
        ({"not": {"tls.alpn": ["h3"]}}, True),
    ],
)
def test_hellos(Talk: Any, when: Any, hit: bool) -> None:
    import ssl

    data = hello(["h2", "http/1.1"], most=ssl.TLSVersion.TLSv1_2)
    assert (Talk(policy(when)).connection(port=443).say(data).verdict is DROP) is hit


@pytest.mark.parametrize("key", ["tls.ja3", "tls.ja4"])
def test_fingerprints(Talk: Any, key: str) -> None:
    one, other = hello(["h2"]), hello(["http/1.1", "h2"])
    seen = tls.dissect(one)
    assert isinstance(seen, tls.ClientHello)
    talk = Talk(policy({key: [SIGHTS[key](seen, None)]}))
    assert talk.connection(port=443).say(one).verdict is DROP
    same = key == "tls.ja3"  # which protocols are offered is in JA4 alone
    assert (talk.connection(port=443, sport=50001).say(other).verdict is DROP) is same


@pytest.mark.parametrize("cut", [0, 1, 5, 6, 9, 12, 15])
@pytest.mark.parametrize("skips", [False, True])
def test_a_hello_after_change_cipher_spec(Talk: Any, skips: bool, cut: int) -> None:
    data = b"\x14\x03\x03\0\1\1" * 2 + hello(["h2"])
    talk = Talk({**policy({"tls.sni": {"exact": ["a.example"]}}), "tls": {"skip_ccs": skips}})
    tcp = talk.connection(port=443)
    if cut:
        assert tcp.say(data[:cut]).verdict is Verdict.ACCEPT
    assert (tcp.say(data[cut:]).verdict is DROP) is skips


@pytest.mark.parametrize(
    ("key", "kind", "hit"),
    [
        ("tls.esni", 0xFFCE, True),
        ("tls.esni", 0xFF02, False),
        ("tls.esni", 0xFE0D, False),
        ("tls.ech", 0xFE0D, True),
        ("tls.ech", 0xFFCE, False),
    ],
)
def test_encrypted_names(Talk: Any, key: str, kind: int, hit: bool) -> None:
    """Source: fact cn-esni-drop: 0xffce; 0xff02 is not blocked."""
    talk = Talk(policy({key: True}))
    assert (talk.connection(port=443).say(extended(kind)).verdict is DROP) is hit


def test_a_large_post_quantum_hello_over_two_segments(Talk: Any) -> None:
    data = extended(0x1234, 1600)
    talk = Talk(policy({"tls.sni": {"exact": ["a.example"]}}))
    tcp = talk.connection(port=443)
    assert tcp.say(data[:1448]).verdict is Verdict.ACCEPT
    assert tcp.say(data[1448:]).verdict is DROP


ESNI: dict[str, Any] = {
    "position": "in-path",
    "tcp": {"require_handshake": True},
    "rules": [
        {
            "id": "esni",
            "when": {"tls.esni": True},
            "then": {
                "drop": "flow",
                "toward": "server",
                "residual": {"seconds": 180, "then": {"drop": "packet", "toward": "server"}},
            },
            "source": "cn-esni-drop",
        }
    ],
}


def test_esni_is_dropped_toward_the_server_and_remembered(Talk: Any) -> None:
    """Source: fact cn-esni-drop."""
    talk = Talk(ESNI)
    tcp = talk.connection(port=443)
    assert tcp.say(extended(0xFFCE)).verdict is DROP
    assert tcp.say(b"answer", back=True).verdict is Verdict.ACCEPT
    assert tcp.say(extended(0xFFCE)).verdict is DROP
    set_at = next(e.t for e in talk.events() if e.event == "residual")
    assert talk.connection(port=443, sport=50001).say(extended(0xFFCE)).verdict is DROP
    assert [e.t for e in talk.events() if e.event == "residual"] == [set_at, talk.now]
    assert talk.connection(port=444, sport=50002).say(hello(["h2"])).verdict is Verdict.ACCEPT


KEYWORDS: dict[str, Any] = {
    "position": "on-path",
    "rules": [
        {
            "id": "always",
            "when": {"http.keyword": {"substring": ["falun"], "decode": True}},
            "then": {"inject": "reset", "residual": {"seconds": 90}},
        },
        {
            "id": "searched",
            "when": {
                "http.keyword": {"substring": ["tank"], "decode": True},
                "http.path": {"substring": ["search"]},
            },
            "then": {"inject": "reset", "residual": {"seconds": 90}},
        },
    ],
}


@pytest.mark.parametrize(
    ("path", "more", "rule"),
    [
        ("/?q=f%61lun", "", "always"),
        ("/?q=tank", "", None),
        ("/search?q=tank", "", "searched"),
        ("/", "Cookie: falun\r\n", None),
    ],
)
def test_keywords_of_2020(Talk: Any, get: Any, path: str, more: str, rule: str | None) -> None:
    """Source: fact cn-http-keyword-2020: path and Host only; some only where "search" is too."""
    talk = Talk(KEYWORDS)
    talk.connection().say(get("a.example", path=path, more=more))
    assert {event.rule for event in talk.events()} == ({rule} if rule else set())


def test_two_conditions_at_once(Talk: Any) -> None:
    when = {"tls.sni": {"exact": ["a.example"]}, "server.address": ["93.184.216.0/24"]}
    for server, hit in (("93.184.216.34", True), ("93.184.217.34", False)):
        talk = Talk(policy(when), server=server)
        assert (talk.connection(port=443).say(hello(["h2"])).verdict is DROP) is hit


def test_anything_that_is_not_on_the_list(Talk: Any) -> None:
    rules = [
        {
            "id": "names",
            "when": {"server.port": [443], "not": {"tls.sni": {"exact": ["good.example"]}}},
            "then": {"drop": "packet"},
        },
        {
            "id": "else",
            "when": {"server.port": [443], "not": {"first.like": ["tls"]}},
            "then": {"drop": "packet"},
        },
        {"id": "dns", "when": {"protocol": "udp", "server.port": [53]}, "then": {"allow": True}},
        {
            "id": "rest",
            "when": {"not": {"protocol": "tcp", "server.port": [443]}},
            "then": {"drop": "packet"},
        },
    ]
    talk = Talk({"position": "in-path", "rules": rules})
    assert talk.connection(port=443).say(hello(["h2"])).verdict is DROP
    assert talk.connection(port=443, sport=50001).say(b"SSH-2.0-x\r\n").verdict is DROP
    assert talk.udp(b"x", port=53).settled
    assert talk.udp(b"x", port=443).verdict is DROP
    assert talk.connection(port=80, sport=50002, shake=False).segment(flags=2).verdict is DROP


def test_lists_in_files_relative_to_the_policy(tmp_path: Path, Talk: Any) -> None:
    tmp_path.joinpath("names.txt").write_text("A.Example\n")
    tmp_path.joinpath("nets.txt").write_text("93.184.0.0/16\n")
    path = tmp_path / "policy.yaml"
    path.write_text(
        "position: in-path\nrules:\n- id: r\n  when: {tls.sni: {suffix: {file: names.txt}}, "
        "server.address: {file: nets.txt}}\n  then: {drop: packet}\n"
    )
    talk = Talk(read(path))
    assert talk.connection(port=443).say(hello(["h2"])).verdict is DROP


def test_a_million_names_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "names.txt"
    path.write_text("".join(f"blocked-{n}.example.org\n" for n in range(1_000_000)))
    names = load(policy({"tls.sni": {"suffix": {"file": str(path)}}})).rules[0].when.name
    assert names is not None
    assert names.find("www.blocked-999999.example.org")
    assert not names.find("blocked-1000000.example.org")


def test_patterns_are_sorted_by_their_shape() -> None:
    names = compile_names(Names(regex=[r"^(.*\.)?a\.b$", "^c$", "d", "e$", "^f", r"(^|\.)g", "h+"]))
    assert sorted(names.exact) == ["c"]
    assert sorted(names.suffix) == ["a.b"]
    assert names.substring == ("d",)
    assert names.shaped is not None
    assert names.shaped.patterns is not None
    assert names.shaped.patterns.texts == ("h+",)
    for name in ("x.a.b", "c", "xdx", "xe", "fx", "x.gx", "xhhx"):
        assert names.find(name), name
    for name in ("xa.b", "cx", "ex", "xf", "xg", "z"):
        assert not names.find(name), name


def test_what_a_when_asks_for() -> None:
    when = When.model_validate(
        {"quic.version": ["v1"], "not": {"quic.sni": {"suffix": ["b.example"]}}, "server.port": [1]}
    )
    compiled = compile_when(when)
    assert compiled.asks == {"quic.version", "quic.sni"}
    assert compiled.topic is App.QUIC
    assert not compile_when(When.model_validate({"client.port": "above server.port"})).anywhere
