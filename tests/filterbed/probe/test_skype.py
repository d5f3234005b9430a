"""The legacy Skype client against its network on loopback: each rung of the ladder, and none."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from filterbed.probe import skype, supernode
from filterbed.probe.skype import Client

HERE = "127.0.0.1"
Stand = Callable[..., None]


def free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as sock:
        sock.bind((HERE, 0))
        return int(sock.getsockname()[1])


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Ports that are free here, in the places of the documented ones."""
    found = {"own": free(socket.SOCK_STREAM), "http": free(socket.SOCK_STREAM)}
    found |= {"https": free(socket.SOCK_STREAM), "gateway": free(socket.SOCK_DGRAM)}
    ladder = (found["own"], found["http"], found["https"])
    monkeypatch.setattr(skype, "LADDER", ladder)
    monkeypatch.setattr(skype, "PORT", found["own"])
    return found


@pytest.fixture
def stand(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    """Stand up a part on the ports given, until the test ends."""
    over = threading.Event()
    threads = []

    def start(part: str, *, udp: tuple[int, ...] = (), tcp: tuple[int, ...] = ()) -> None:
        monkeypatch.setattr(supernode, "PORTS", {part: (udp, tcp)})
        server = supernode.Server(part, [HERE])  # type: ignore[arg-type]

        def serve() -> None:
            while not over.is_set():
                server.turn(0.02)
            server.close()

        threads.append(threading.Thread(target=serve))
        threads[-1].start()

    yield start
    over.set()
    for thread in threads:
        thread.join()


@pytest.fixture
def client() -> Client:
    return Client(timeout=0.3, chance=random.Random(1))


def test_a_supernode_that_answers_datagrams_is_enough(
    client: Client, ports: dict[str, int], stand: Stand
) -> None:
    stand("supernode", udp=(ports["own"],), tcp=(ports["http"],))
    row = client.bootstrap([HERE])
    assert (row["outcome"], row["by"]) == ("ok", "udp")
    assert len(row["steps"]) == 1
    ((protocol, *_, address, port),) = client.flows
    assert (protocol, address, port) == ("udp", HERE, ports["own"])


@pytest.mark.parametrize(
    ("open_", "tried"), [("own", 2), ("http", 3), ("https", 4)], ids=["own", "80", "443"]
)
def test_without_datagrams_the_ladder_is_climbed(
    client: Client, ports: dict[str, int], stand: Stand, open_: str, tried: int
) -> None:
    stand("supernode", tcp=(ports[open_],))
    row = client.bootstrap([HERE])
    assert (row["outcome"], row["by"]) == ("ok", f"tcp-{ports[open_]}")
    assert [step["outcome"] for step in row["steps"]] == ["refused"] * (tried - 1) + ["ok"]


def test_with_nobody_there_each_step_says_so(client: Client, ports: dict[str, int]) -> None:
    row = client.bootstrap([HERE, "127.0.0.2"])
    assert (row["outcome"], row["by"]) == ("refused", None)
    assert len(row["steps"]) == 8


def test_one_supernode_of_several_is_enough(
    client: Client, ports: dict[str, int], stand: Stand
) -> None:
    stand("supernode", udp=(ports["own"],))
    row = client.bootstrap([f"127.0.0.2:{ports['own']}", HERE])
    assert row["by"] == "udp"
    assert sorted(step["outcome"] for step in row["steps"])[0] == "ok"


def test_the_login(client: Client, ports: dict[str, int], stand: Stand) -> None:
    stand("login", tcp=(ports["own"],))
    row = client.log_in(HERE)
    assert (row["outcome"], row["after"], row["port"]) == ("ok", "login", ports["own"])


def handler(say: bytes) -> Callable[[socket.socket], None]:
    def handle(sock: socket.socket) -> None:
        sock.recv(64)
        sock.sendall(say)

    return handle


@pytest.mark.parametrize(
    ("kind", "outcome"), [("reset", "reset"), ("hang", "timeout"), ("page", "foreign")]
)
def test_a_login_that_fails(client: Client, servers: Any, kind: str, outcome: str) -> None:
    def reset(sock: socket.socket) -> None:
        sock.recv(64)  # not before: a RST at once is one of the connection's
        servers.reset(sock)

    handles = {"reset": reset, "hang": servers.hang, "page": handler(b"HTTP/1.1 400 No")}
    row = client.log_in(f"{HERE}:{servers.tcp(handles[kind])}")
    assert (row["outcome"], row["after"]) == (outcome, "login")


def test_a_login_server_that_is_not_there(client: Client, ports: dict[str, int]) -> None:
    row = client.log_in(HERE)
    assert (row["outcome"], row["after"]) == ("refused", "connect")


def test_a_call_counts_both_ways(client: Client, ports: dict[str, int], stand: Stand) -> None:
    stand("gateway", udp=(ports["gateway"],))
    row = client.call(f"{HERE}:{ports['gateway']}")
    assert (row["outcome"], row["sent"], row["received"]) == ("ok", skype.TALK, skype.TALK)
    assert row["seconds"] >= (skype.TALK - 1) * skype.PACE


def test_a_call_to_nobody(client: Client) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind((HERE, 0))
        row = client.call(f"{HERE}:{silent.getsockname()[1]}")
    assert (row["outcome"], row["sent"], row["received"]) == ("timeout", skype.TALK, 0)


def test_every_datagram_has_the_bytes_a_naive_rule_looks_for() -> None:
    client = Client(timeout=1.0)
    for _ in range(2000):
        data = client.datagram()
        assert len(data) >= 16
        assert data[0] != 0x30
        assert data[2] == 0x02
