"""Whom a captive portal answers what, and whom it lets through."""

from __future__ import annotations

import http.client
import threading
from collections.abc import Iterator
from http.server import ThreadingHTTPServer

import pytest

from topologies.portal import TITLE, Portal, handler

OWN = "192.168.1.1"


@pytest.mark.parametrize(
    ("status", "location"),
    [(302, f"http://{OWN}/login?url=http%3A%2F%2Fa.net%2Fx%3Fy"), (511, None), (200, None)],
)
def test_whatever_is_asked_for_the_portal_answers(status: int, location: str | None) -> None:
    found = Portal(OWN, status, "coffee").answer("a.net", "/x?y")
    assert (found.status, found.location, found.admits) == (status, location, False)
    assert f"<title>{TITLE}</title>" in found.page


@pytest.mark.parametrize(
    ("host", "target", "form", "status", "admits"),
    [
        (OWN, "/login", "", 200, False),
        (OWN, "/login?url=x", "voucher=coffee", 200, True),
        (OWN, "/login?voucher=coffee", "", 200, True),
        (OWN, "/login?voucher=tea", "", 403, False),
        (OWN, "/login?voucher=tea", "voucher=coffee", 403, False),
        (OWN, "/elsewhere?voucher=coffee", "", 302, False),
        ("a.net", "/login?voucher=coffee", "", 302, False),
    ],
)
def test_who_gives_the_voucher_at_the_portal_itself_is_let_through(
    host: str, target: str, form: str, status: int, admits: bool
) -> None:
    found = Portal(OWN, 302, "coffee").answer(host, target, form)
    assert (found.status, found.admits) == (status, admits)


def test_a_request_cannot_write_into_the_page() -> None:
    page = Portal(OWN, 200, "coffee").answer('a"><script>', "/'<b>").page
    assert "<script>" not in page
    assert "<b>" not in page


@pytest.fixture
def served() -> Iterator[tuple[int, list[str]]]:
    admitted: list[str] = []
    made = handler(Portal("127.0.0.1", 511, "coffee"), lambda: admitted.append("once"))
    server = ThreadingHTTPServer(("127.0.0.1", 0), made)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server.server_port, admitted
    server.shutdown()
    server.server_close()
    thread.join()


def test_on_the_wire(served: tuple[int, list[str]]) -> None:
    port, admitted = served
    client = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    client.request("GET", "/", headers={"Host": "a.net"})
    answer = client.getresponse()
    assert (answer.status, answer.reason) == (511, "Network Authentication Required")
    assert answer.headers["cache-control"] == "no-store"
    assert TITLE.encode() in answer.read()
    client.request("HEAD", "/", headers={"Host": "a.net"})  # on the same connection
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (511, b"")
    client.request("POST", "/login", "voucher=coffee", {"Host": "127.0.0.1"})
    assert client.getresponse().status == 200
    assert admitted == ["once"]
    client.close()
