"""Is it a portal? What is asked, when, and what it explains."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from filterbed.probe.portal import CHECK, Access, Check
from filterbed.probe.verdict import Verdict, blocked, down, ok

MOVED = {"status": 302, "title": "Log in", "location": "http://192.168.1.1/login"}
ASIDE = MOVED | {"location": "http://192.168.1.1/login?url=http%3A%2F%2Fa.net%2F"}
LOGIN = {"status": 200, "title": "Log in"}
BARE = {"status": 511, "title": None, "sha256": "a"}
EMPTY = {"status": 204, "title": None}
OWN = ["192.168.1.1"]
HIT = blocked("http.redirect", "another page", locus="unknown")
FORGED = blocked("dns.injection.bogon", "a bogon")


def access(build: Any, here: Any, there: Any = EMPTY, *, dns: Any = None) -> Access:
    """Make an access at which the check's page is answered so, and its name with `dns`."""
    named = {"dns": dns} if dns else {}
    local = build("web", tcp="ok", http=here, **named) if here else build("web", tcp="refused")
    return Access(lambda _: local, lambda _: build("web", tcp="ok", http=there))


@pytest.mark.parametrize(
    ("here", "there", "captive"),
    [
        (MOVED, EMPTY, True),
        (511, EMPTY, True),
        (200, EMPTY, True),
        (EMPTY, EMPTY, False),
        (None, EMPTY, False),  # cut off, but by nobody that says so
        ("timeout", EMPTY, False),
        (403, EMPTY, False),  # a refusal is no invitation to log in
        (404, EMPTY, False),
        (502, EMPTY, False),
        ({"status": 503, "via": "1.1 gw1 (squid/5.7)"}, EMPTY, False),  # a proxy's, cut off itself
        (MOVED, MOVED, False),  # so it is for everybody
        (MOVED, 200, False),
    ],
)
def test_somebody_answers_in_its_place(build: Any, here: Any, there: Any, captive: bool) -> None:
    assert access(build, here, there).check().captive is captive


def test_where_nobody_serves_the_page_nothing_is_known(build: Any) -> None:
    gone = build("web", dns="NXDOMAIN")
    assert not Check(gone, gone).captive
    assert not Check(build("web", tcp="ok", http=MOVED), {"error": "no control"}).captive


@pytest.mark.parametrize(
    ("local", "verdict"),
    [
        ({"tcp": "ok", "http": MOVED}, HIT),
        ({"tcp": "ok", "http": ASIDE}, HIT),  # it remembers where we wanted to go
        ({"tcp": "refused"}, blocked("tcp.refused", "refused here")),
    ],
)
def test_a_portal_explains_what_it_answers_and_what_it_keeps(
    build: Any, local: Any, verdict: Verdict
) -> None:
    control = build("web", tcp="ok", http=200)
    found = access(build, MOVED).reconsider(build("web", **local), control, verdict)
    assert found.verdict == "down"
    assert verdict.detail in found.detail
    assert access(build, EMPTY).reconsider(build("web", **local), control, verdict) == verdict


@pytest.mark.parametrize(
    ("checked", "got", "explained"),
    [
        (MOVED, ASIDE, True),
        (MOVED, MOVED | {"status": 307}, True),
        (MOVED, MOVED | {"location": "http://192.168.1.1/blocked"}, False),
        (MOVED, MOVED | {"location": "http://block.net/login"}, False),
        (MOVED, MOVED | {"location": "http://[::/login"}, False),
        (MOVED, LOGIN, False),
        (MOVED, {"status": 403, "title": "Blocked"}, False),
        (MOVED, "reset", False),  # a portal would have answered
        (LOGIN, LOGIN, True),
        (LOGIN, {"status": 200, "title": "Blocked"}, False),
        (BARE, BARE, True),
        (BARE, BARE | {"sha256": "b"}, False),
        (BARE, {"status": 503, "title": "Overloaded"}, False),
    ],
)
def test_a_portal_explains_no_page_but_its_own(
    build: Any, checked: Any, got: Any, explained: bool
) -> None:
    local, control = build("web", tcp="ok", http=got), build("web", tcp="ok", http=200)
    found = access(build, checked).reconsider(local, control, HIT)
    assert (found.verdict == "down") is explained
    assert explained or found == HIT


@pytest.mark.parametrize(("server", "spared"), [("front", True), ("portal", False), (None, False)])
def test_what_the_server_was_heard_to_say_is_its_own(
    build: Any, server: str | None, spared: bool
) -> None:
    said = blocked("http.redirect.geo", "it kept the connection", locus="server_side")
    local = build("web", tcp="ok", http=MOVED | {"server": server})
    control = build("web", tcp="ok", http={"status": 200, "server": server and "front"})
    assert (access(build, MOVED).reconsider(local, control, said) == said) is spared


def test_what_a_registrar_was_heard_to_say_is_its_own(build: Any) -> None:
    said = blocked("sip.register.reject", "the same Server", locus="server_side")
    assert access(build, MOVED).reconsider(build("sip"), build("sip"), said) == said


@pytest.mark.parametrize(
    ("named", "checked", "explained"),
    [(OWN, OWN, True), ([], OWN, True), (["8.7.198.45"], OWN, False), (OWN, ["1.1.1.1"], False)],
)
def test_dns_is_the_portals_only_where_every_name_leads_to_it(
    build: Any, named: list[str], checked: list[str], explained: bool
) -> None:
    local = build("dns", dns=named)
    found = access(build, MOVED, dns=checked).reconsider(local, build("dns"), FORGED)
    assert found == FORGED or explained
    assert (found.verdict == "down") is explained


@pytest.mark.parametrize(
    ("local", "verdict"),
    [
        ({"tcp": "ok", "http": 200}, ok("the same page")),
        ({"tcp": "ok", "http": 403}, down("403 everywhere")),
        ({"tcp": "ok", "tls": "ok", "http": MOVED}, HIT),  # a certificate vouches for it
        ({"tcp": "ok", "tls": ("reset", None, "hello")}, blocked("tls.reset.sni", "a RST")),
    ],
)
def test_what_a_portal_cannot_have_done_asks_for_nothing(
    build: Any, local: Any, verdict: Verdict
) -> None:
    def never(_: Any) -> Any:
        raise AssertionError("asked")

    control = build("web", tcp="ok", http=200)
    assert Access(never, never).reconsider(build("web", **local), control, verdict) == verdict


def test_it_is_asked_once_however_many_need_it(build: Any) -> None:
    asked: list[Any] = []

    def here(target: Any) -> Any:
        asked.append(target["url"])
        return build("web", tcp="ok", http=MOVED)

    one = Access(here, lambda _: build("web", tcp="ok", http=EMPTY))
    threads = [threading.Thread(target=one.check) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert asked == [CHECK]
