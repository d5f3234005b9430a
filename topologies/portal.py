"""Hold up a network's clients until they log in: a captive portal, on a gateway.

    python -P -m topologies.portal --address 192.168.1.1 --status 302 --voucher coffee

runs in the gateway's network namespace. The gateway's rules (`topologies.gateway`) send it every
HTTP request of a client that has not logged in, whomever it was meant for. It answers with a
redirect to its own login page (302), with that page and the status made for it (511), or with the
page as if it were the one asked for (200). Who gives the voucher there, by GET or POST, is let
through from then on; the gateway has one client, so that the rule needs no address.

Wire:   RFC 9112; RFC 6585 section 6 (511 Network Authentication Required); nothing is to be
        cached, as RFC 8952 section 4 asks. One line of standard output a login.
Limits: the API of RFC 8908 is left out: clients learn its URI by DHCP or router advertisements
        (RFC 8910), of which there are none here.
"""

from __future__ import annotations

import argparse
import html
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final
from urllib.parse import parse_qs, quote, urlsplit

from topologies.gateway import ADMITTED

PORT: Final = 80
PATH: Final = "/login"
#: What its every page is called, and no other.
TITLE: Final = "Log in to use this network"
#: Bytes of a form that are read.
FORM_LIMIT: Final = 4096
#: Where a client that has logged in is let through.
TABLES: Final = (("iptables", "-t", "nat"), ("iptables",), ("ip6tables",))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered: status, page, where else to look, and whether it was a login."""

    status: int
    page: str
    location: str | None = None
    admits: bool = False


@dataclass(frozen=True, slots=True)
class Portal:
    """How to answer whom; pure."""

    address: str
    status: int
    voucher: str

    def answer(self, host: str, target: str, form: str = "") -> Answer:
        """Answer a request for `target` at `host`, both as they stood in it."""
        parts = urlsplit(target)
        if host != self.address or parts.path != PATH:
            return self._captive(host, target)
        said = parse_qs("&".join(filter(None, (parts.query, form))))
        if "voucher" not in said:
            return Answer(200, _page(f"<form method=post>{_FIELD}</form>"))
        if said["voucher"] != [self.voucher]:
            return Answer(403, _page("That voucher is not known here."))
        return Answer(200, _page("You may use this network now."), admits=True)

    def _captive(self, host: str, target: str) -> Answer:
        login = f"http://{self.address}{PATH}?url={quote(f'http://{host}{target}', safe='')}"
        page = _page(f'<a href="{html.escape(login)}">Log in</a>')
        return Answer(self.status, page, login if self.status == 302 else None)


_FIELD: Final = "<input name=voucher> <input type=submit>"


def _page(body: str) -> str:
    return (
        f"<!DOCTYPE html><html><head><title>{TITLE}</title></head>"
        f"<body><h1>{TITLE}</h1><p>{body}</p></body></html>"
    )


def admit() -> None:
    """Let the gateway's client through. Raises: CalledProcessError where the kernel refuses."""
    with tempfile.TemporaryDirectory() as directory:
        env = {**os.environ, "XTABLES_LOCKFILE": f"{directory}/lock"}
        for table in TABLES:
            command = [*table, "-w", "5", "-A", ADMITTED, "-j", "ACCEPT"]
            subprocess.run(command, check=True, env=env)


def handler(portal: Portal, admit: Callable[[], None]) -> type[BaseHTTPRequestHandler]:
    """Make what answers a connection's requests; `admit` is called at each login."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        server_version, sys_version = "portal", ""

        def do_GET(self) -> None:
            size = min(int(self.headers.get("content-length") or 0), FORM_LIMIT)
            form = self.rfile.read(size).decode("latin-1") if size > 0 else ""
            answer = portal.answer(self.headers.get("host", ""), self.path, form)
            if answer.admits:
                admit()
                print(f"{self.client_address[0]} logged in", flush=True)
            self._send(answer)

        do_POST = do_HEAD = do_GET

        def _send(self, answer: Answer) -> None:
            body = answer.page.encode()
            self.send_response(answer.status, _REASONS.get(answer.status))
            if answer.location:
                self.send_header("Location", answer.location)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-store")
            self.end_headers()
            self.wfile.write(b"" if self.command == "HEAD" else body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing of each request: the captures do."""

    return Handler


_REASONS: Final = {511: "Network Authentication Required"}


def main(argv: Sequence[str] | None = None) -> int:
    """Run as a program, until it is ended."""
    parser = argparse.ArgumentParser(prog="topologies.portal", description=__doc__)
    parser.add_argument("--address", required=True, help="the gateway's, as its client knows it")
    parser.add_argument("--status", type=int, default=302, help="200, 302 or 511")
    parser.add_argument("--voucher", required=True)
    options = parser.parse_args(argv)
    portal = Portal(options.address, options.status, options.voucher)
    server = ThreadingHTTPServer((options.address, PORT), handler(portal, admit))
    server.daemon_threads = True
    server.serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(main())
