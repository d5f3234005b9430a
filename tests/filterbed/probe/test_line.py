"""What a call's client is told; whole calls are in tests/live."""

from __future__ import annotations

import socket
from itertools import pairwise

from filterbed.probe import path
from filterbed.probe.line import LOOPBACK, TAIL, free_port, wired
from filterbed.probe.sip import Account

ACCOUNT = Account("sip.site.net", "alice", "secret", "127.0.0.1", 5060)


def test_the_client_is_told_what_the_network_sees() -> None:
    with wired(ACCOUNT, "PCMA", 2.0, 1.5, path.Help()) as line:
        options = line.options(4000)
        told = dict(pairwise(options))
        port = line.outside.getsockname()[1]
        keys = {options[n + 1]: options[n + 2] for n, word in enumerate(options) if word == "-key"}
    assert (told["-i"], told["-p"], told["-d"]) == (LOOPBACK, "4000", str(int(2000 + 1000 * TAIL)))
    assert (keys["here"], keys["ip"]) == (f"127.0.0.1:{port}", "4")
    assert (keys["codec"], keys["payload"], keys["audio_ip"]) == ("PCMA", "8", "127.0.0.1")
    assert keys["audio_port"] != str(port)


def test_a_free_port_is_free() -> None:
    port = free_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((LOOPBACK, port))
