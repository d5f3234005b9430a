"""Answer, from outside the censored path, what a target looks like from there.

`POST /measure` with a target object answers its measurement; `GET /` answers `ready`; `POST /echo`
answers the body; a UDP datagram to the same port number comes back as it is, for measuring links.
Nothing is remembered between requests.
"""

from __future__ import annotations

import argparse
import json
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from filterbed.probe.address import endpoint, family
from filterbed.probe.errors import MachineError, ProbeError
from filterbed.probe.measure import TIMEOUT, measure

PORT = 8333
BODY_LIMIT = 64 * 1024


class Control(ThreadingHTTPServer):
    """The HTTP side; one thread a request."""

    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: str, port: int, *, timeout: float, resolver: str | None) -> None:
        self.address_family = family(address)
        self.step = timeout
        self.resolver = resolver
        super().__init__((address, port), _Handler)

    @classmethod
    def adopt(cls, fd: int, *, timeout: float, resolver: str | None) -> Control:
        """Serve on a listening socket somebody else opened, perhaps in another network.

        Raises: OSError when `fd` is no listening socket.
        """
        ear = socket.socket(fileno=fd)
        server = cls.__new__(cls)
        server.address_family, server.step, server.resolver = ear.family, timeout, resolver
        ThreadingHTTPServer.__init__(server, ear.getsockname(), _Handler, bind_and_activate=False)
        server.socket.close()
        server.socket = ear
        server.server_name, server.server_port = ear.getsockname()[:2]
        return server

    def server_bind(self) -> None:
        """Bind without asking DNS for our own name, as the standard server would."""
        socket.socket.bind(self.socket, self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]


class _Handler(BaseHTTPRequestHandler):
    server: Control
    server_version = "filterbed-control"
    timeout = 30

    def do_GET(self) -> None:
        if self.path == "/":
            self._answer(200, b"ready\n", "text/plain")
        else:
            self._refuse(404, f"no page {self.path!r:.80}; expected GET / or POST /measure")

    def do_POST(self) -> None:
        size = self.headers.get("Content-Length", "")
        if not size.isdecimal() or int(size[:9]) > BODY_LIMIT:
            self._refuse(400, f"Content-Length {size!r:.40}: expected 0 to {BODY_LIMIT}")
            return
        body = self.rfile.read(int(size))
        if self.path == "/echo":
            self._answer(200, body, "application/octet-stream")
        elif self.path == "/measure":
            self._measure(body)
        else:
            self._refuse(404, f"no page {self.path!r:.80}; expected POST /measure")

    def _measure(self, body: bytes) -> None:
        try:
            target = json.loads(body)
            row = measure(target, timeout=self.server.step, resolver=self.server.resolver)
        except MachineError as error:
            self._refuse(503, str(error))
        except (ProbeError, ValueError, RecursionError) as error:
            self._refuse(400, str(error))
        else:
            self._answer(200, json.dumps(row).encode(), "application/json")

    def _refuse(self, status: int, reason: str) -> None:
        self._answer(status, json.dumps({"error": reason}).encode(), "application/json")

    def _answer(self, status: int, body: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        print(self.address_string(), format % args, file=sys.stderr)


def echo(sock: socket.socket) -> None:
    """Send every datagram back to where it came from, until the socket is closed."""
    while True:
        try:
            data, peer = sock.recvfrom(65535)
        except ConnectionError:
            continue  # an ICMP error about an earlier answer
        except OSError:
            return
        try:
            sock.sendto(data, peer)
        except OSError:
            continue  # that peer is gone; the next may be there


def main(argv: list[str] | None = None) -> int:
    """Serve until killed; print one line of JSON once both sockets answer."""
    parser = argparse.ArgumentParser(prog="filterbed.probe.control", description=__doc__)
    parser.add_argument("--listen", default=f"127.0.0.1:{PORT}", metavar="ADDR:PORT")
    parser.add_argument(
        "--listen-fd", type=int, action="append", metavar="N", help="serve on this socket instead"
    )
    parser.add_argument("--timeout", type=float, default=TIMEOUT, help="seconds for each step")
    parser.add_argument("--resolver", help="address of the DNS server; the system's by default")
    options = parser.parse_args(argv)
    if options.listen_fd:
        return _serve_adopted(options.listen_fd, options.timeout, options.resolver)
    try:
        address, port = endpoint(options.listen, PORT)
        server = Control(address, port, timeout=options.timeout, resolver=options.resolver)
        datagrams = socket.socket(family(address), socket.SOCK_DGRAM)
        datagrams.bind((address, server.server_port))
    except (ProbeError, OSError) as error:
        print(f"--listen {options.listen}: {error}", file=sys.stderr)
        return 2
    threading.Thread(target=echo, args=(datagrams,), daemon=True).start()
    print(json.dumps({"ready": True, "address": address, "port": server.server_port}), flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        return 130
    return 0


def _serve_adopted(fds: list[int], timeout: float, resolver: str | None) -> int:
    try:
        servers = [Control.adopt(fd, timeout=timeout, resolver=resolver) for fd in fds]
    except OSError as error:
        print(f"--listen-fd {fds}: {error}", file=sys.stderr)
        return 2
    threads = [threading.Thread(target=server.serve_forever, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    print(json.dumps({"ready": True}), flush=True)
    try:
        for thread in threads:
            thread.join()
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
