"""Open a socket in another node's network without a process there."""

from __future__ import annotations

import os
import socket

from filterbed.sandbox.kernel import Clone, setns


def socket_in(pid: int, family: socket.AddressFamily, kind: socket.SocketKind) -> socket.socket:
    """Return a socket that belongs to the network namespace of process `pid`.

    A socket keeps the network it was made in; only this thread visits it, for an instant.
    Raises: OSError where the namespace is gone or not ours.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    there = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        setns(there, Clone.NEWNET)
        try:
            return socket.socket(family, kind)
        finally:
            setns(own, Clone.NEWNET)
    finally:
        os.close(own)
        os.close(there)
