"""Is it a portal? What is asked, when, and what it explains."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from filterbed.probe.portal import CHECK, Access, Check
from filterbed.probe.verdict import Verdict, blocked, down, ok, unknown

MOVED = {"status": 302, "title": "Log in", "location": "http://192.168.1.1/login"}
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
        ({"tcp": "ok", "http": 511}, unknown("a server's trouble, or somebody's")),
        ({"tcp": "ok", "http": {"status": 200, "title": "Log in"}}, ok("another edition")),
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
