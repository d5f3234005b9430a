"""Stand in for servers: TLS with the client under a forged leaf, TLS with the server behind it.

A process of its own, so that the packets' one is never kept waiting. It is handed two sockets a
connection, by `censor.drivers.diversion`, and answers what it showed the client.
Limits: what is said in both directions is passed on as it comes, unread; a client that offers no
        protocol which the server takes is let down as by any server.
"""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from censor.drivers.authority import Leaf, authority

#: A request is shorter, in bytes; so is an answer.
LIMIT: Final = 65_536
#: How long either handshake may take, in seconds.
PATIENCE: Final = 15.0
_CHUNK: Final = 65_536

Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Interceptor:
    """Serve the requests that come over a socket of datagrams, until its other end is closed."""

    def __init__(self, line: socket.socket, folder: Path) -> None:
        self._line = line
        self._folder = folder
        self._tasks: set[asyncio.Task[None]] = set()

    async def serve(self) -> None:
        """Take requests until there are none any more."""
        loop = asyncio.get_running_loop()
        over: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._line, self._take, over)
        await over
        loop.remove_reader(self._line)
        for task in self._tasks:
            task.cancel()

    def _take(self, over: asyncio.Future[None]) -> None:
        text, descriptors, _, _ = socket.recv_fds(self._line, LIMIT, 2)
        if not text:
            over.set_result(None)
            return
        ends = [socket.socket(fileno=one) for one in descriptors]
        task = asyncio.ensure_future(self._relay(json.loads(text), *ends))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _relay(
        self, request: Mapping[str, Any], client: socket.socket, server: socket.socket
    ) -> None:
        """Lead one connection to its end, and say how it began."""
        said: dict[str, Any] = {"flow": request["flow"]}
        with client, server:
            try:
                async with asyncio.timeout(PATIENCE):
                    behind = await _reach(request, server)
                    leaf = _leaf(request, behind[1])
                    said |= {"subject": leaf.subject, "issuer": leaf.issuer}
                    said |= {"names": list(leaf.names), "sha256": leaf.fingerprint}
                    taken = behind[1].get_extra_info("ssl_object").selected_alpn_protocol()
                    before = await _welcome(client, self._context(leaf, taken))
            except (OSError, ValueError, TimeoutError) as fault:
                self._answer(said | {"error": f"{type(fault).__name__}: {fault}"})
                return
            self._answer(said)
            await asyncio.gather(_pass_on(before[0], behind[1]), _pass_on(behind[0], before[1]))

    def _context(self, leaf: Leaf, taken: str | None) -> ssl.SSLContext:
        chain = self._folder / f"{leaf.fingerprint}.pem"
        chain.write_bytes(leaf.key + leaf.chain)
        made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        made.load_cert_chain(chain)
        chain.unlink()
        if taken is not None:
            made.set_alpn_protocols([taken])
        return made

    def _answer(self, answer: Mapping[str, Any]) -> None:
        self._line.send(json.dumps(answer).encode())


async def _reach(request: Mapping[str, Any], server: socket.socket) -> Stream:
    """Shake hands with the real server, whoever it says it is."""
    await asyncio.get_running_loop().sock_connect(server, tuple(request["server"]))
    context, name = outward(request)
    return await asyncio.open_connection(sock=server, ssl=context, server_hostname=name)


def outward(request: Mapping[str, Any]) -> tuple[ssl.SSLContext, str]:
    """Return how to greet the real server: as the client did, and by the name that it asked for.

    Raises: ValueError, OSError for what no client of this library's can say.
    """
    name: str = request["name"] or ""
    if "\0" in name:
        raise ValueError(f"server name {name!r}, expected one without NUL")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if request["protocols"]:
        context.set_alpn_protocols(request["protocols"])
    return context, name


def _leaf(request: Mapping[str, Any], behind: asyncio.StreamWriter) -> Leaf:
    real = behind.get_extra_info("ssl_object").getpeercert(binary_form=True)
    return authority(request["issuer"]).forge(real, own=request["own"])


async def _welcome(client: socket.socket, context: ssl.SSLContext) -> Stream:
    """Shake hands with the client, whose ClientHello lies in the socket already."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, client, ssl=context)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes, to its end; then the connection has one too."""
    try:
        while data := await reader.read(_CHUNK):
            writer.write(data)
            await writer.drain()
    except OSError:
        writer.transport.abort()
    else:
        writer.close()


def main() -> int:
    """Serve on the socket whose number the command line says."""
    with socket.socket(fileno=int(sys.argv[1])) as line, TemporaryDirectory() as folder:
        line.setblocking(False)
        asyncio.run(Interceptor(line, Path(folder)).serve())
    return 0


if __name__ == "__main__":
    sys.exit(main())
