"""What stands on the stage of tests/live/stage.py: the server, and an ear at an interface."""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from socketserver import TCPServer
from typing import Any

import dns.message
import dns.rrset

#: How long the server takes over an answer, in seconds: more than a busy machine keeps a forger.
SLOW = 0.1


def listen() -> None:
    """Write down every IP packet that an interface sees, as hex, one a line."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
    sock.bind((sys.argv[3], 3))
    with Path(sys.argv[4]).open("w", buffering=1) as file:
        print("up", flush=True)
        while True:
            file.write(sock.recv(65536).hex() + "\n")


def serve() -> None:
    """Be the server: DNS and HTTP on 80 and 8080, both slow enough to lose to a forger."""
    four, six = sys.argv[3:5]

    def answer(query: bytes, sender: Any, sock: socket.socket) -> None:
        message = dns.message.from_wire(query)
        reply = dns.message.make_response(message)
        question = message.question[0]
        if question.rdtype == 1:
            reply.answer.append(dns.rrset.from_text(question.name, 60, "IN", "A", four))
        time.sleep(SLOW)
        sock.sendto(reply.to_wire(), sender)

    def dns_server(sock: socket.socket) -> None:
        while True:
            query, sender = sock.recvfrom(4096)
            threading.Thread(target=answer, args=(query, sender, sock), daemon=True).start()

    class Page(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            # Before the answer, so that whoever has an answer finds the line.
            with Path(os.environ["STAGE"], "hosts").open("a") as log:
                log.write(f"{self.headers['Host']}\n")
            if self.path.startswith("/size/"):
                body = bytes(int(self.path.split("/")[2]))
            else:
                time.sleep(SLOW)
                body = b"genuine\n"
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    class Web(ThreadingHTTPServer):
        """Asks nobody for its own name: where there is no resolver, that takes five seconds."""

        server_bind = TCPServer.server_bind

    for family, address in ((socket.AF_INET, four), (socket.AF_INET6, six)):
        sock = socket.socket(family, socket.SOCK_DGRAM)
        sock.bind((address, 53))  # before it says that it is up
        threading.Thread(target=dns_server, args=(sock,), daemon=True).start()
    for port in (80, 8080):
        one = Web((four, port), Page)
        threading.Thread(target=one.serve_forever, daemon=True).start()
    print("up", flush=True)
    threading.Event().wait()
