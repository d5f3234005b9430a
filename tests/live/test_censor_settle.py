"""Settled flows: the kernel forwards them unasked, until the live censor remembers or forgets."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from tests.live.stage import SERVER, SERVER6, Ground, Play, assert_clean, line, policy, wait_for

pytestmark = pytest.mark.live

RESET = policy(
    (
        {"http.host": {"suffix": ["blocked.example"]}},
        {"inject": "reset", "count": 3, "offsets": [0, 1460, 4380], "residual": {"seconds": 3}},
    ),
    position="on-path",
    latency="2 ms",
)


# --- what runs in the sandbox ---------------------------------------------------------------


def scene_offload(ground: Ground) -> dict[str, Any]:
    """Move much over one flow; then use the same ports in two generations."""
    size = 20_000_000
    found = {}
    once = ground.folder / "once.py"
    once.write_text(f"""
import socket, struct, sys
sock = socket.socket()
sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
sock.bind(("", 5000))
sock.connect(("{SERVER}", 80))
try:
    sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {{sys.argv[1]}}\\r\\n\\r\\n".encode())
    print("read" if sock.recv(100) else "closed")
except OSError as error:
    print(type(error).__name__)
""")
    for name, flags in (("offload", []), ("inspected", ["--no-offload"])):
        with ground.server(), ground.censor(RESET, *flags) as censor:
            censor.ask("active")
            before = censor.ask("stats")["seen"]
            path = f"/size/{size}"
            got = ground.curl("free.example", "-o", "/dev/null", "-w", "%{size_download}",
                              "-m", "30", path=path)  # fmt: skip
            after = censor.ask("stats")["seen"]
            again = ground.sh("client", f"{sys.executable} {once} free.example")
            censor.ask("active")  # a new generation: the same ports must be asked about again
            ports = censor.ask("stats")["seen"]
            reset = ground.sh("client", f"{sys.executable} {once} blocked.example")
            found[name] = {
                "got": got, "again": again.strip(), "reset": reset.strip(),
                "packets": after - before,
                "anew": censor.ask("stats")["seen"] - ports,
                **ground.finish(censor),
            }  # fmt: skip
    return found


def scene_unsettle(ground: Ground) -> dict[str, Any]:
    """A settled connection is reset once a memory reaches its two ends."""
    script = f"""
import socket, sys
sock = socket.create_connection(("{SERVER}", 80))
file = sock.makefile("rb")
for line in sys.stdin:
    host = line.strip()
    try:
        sock.sendall(f"GET / HTTP/1.1\\r\\nHost: {{host}}\\r\\n\\r\\n".encode())
        while (head := file.readline()) not in (b"\\r\\n", b""): pass
        print(head and file.read(8).decode().strip() or "closed", flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
"""
    path = ground.folder / "client.py"
    path.write_text(script)
    with (
        ground.server(),
        ground.censor(RESET) as censor,
        ground.program("client", sys.executable, str(path)) as client,
    ):

        def request(host: str) -> str:
            assert client.stdin is not None
            client.stdin.write(host + "\n")
            client.stdin.flush()
            return line(client)

        censor.ask("active")
        ground.curl("free.example")
        before = [censor.ask("stats")["seen"]]
        first = [request("free.example"), request("free.example")]
        before.append(censor.ask("stats")["seen"])
        first.append(request("free.example"))
        before.append(censor.ask("stats")["seen"])
        blocked = ground.curl("blocked.example")
        return ground.finish(
            censor, first=first, then=request("free.example"), blocked=blocked, seen=before
        )


def scene_silence(ground: Ground) -> dict[str, Any]:
    """Speak, be silent for as long as the box remembers, and speak from the same port again."""
    brief = {**RESET, "limits": {"idle": "1 s"}}
    ground.sh("server", "iptables -A OUTPUT -p icmp -j DROP")  # nobody listens, and says so
    tracker = "/proc/sys/net/netfilter/nf_conntrack_"
    with ground.censor(brief) as censor:
        censor.ask("active")
        kept = [
            ground.sh("box", f"cat {tracker}{name}").strip()
            for name in ("udp_timeout", "udp_timeout_stream", "tcp_timeout_established")
        ]
        seen = []
        script = (
            "import socket, sys; one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM);"
            f"one.bind(('', 5000)); one.sendto(b'x', ('{SERVER}', 9))"
        )
        for _ in range(2):
            ground.run("client", sys.executable, "-c", script)
            seen.append(censor.ask("stats")["seen"])
        # Within a second or two.
        wait_for(
            lambda: "sport=5000" not in ground.sh("box", "cat /proc/net/nf_conntrack"),
            "the kernel's forgetting of the flow",
        )
        ground.run("client", sys.executable, "-c", script)
        seen.append(censor.ask("stats")["seen"])
        return ground.finish(censor, kept=kept, seen=seen)


def scene_room(ground: Ground) -> dict[str, Any]:
    """Speak twice from one port, then from as many others as the table holds, then once more."""
    script = """
import socket, sys
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
with socket.socket(family, socket.SOCK_DGRAM) as one:
    one.bind(("", int(sys.argv[2])))
    one.sendto(b"x", (sys.argv[1], 9))
"""
    quiet = "iptables -A OUTPUT -p icmp -j DROP; ip6tables -A OUTPUT -p icmpv6"
    ground.sh("server", f"{quiet} --icmpv6-type destination-unreachable -j DROP")
    seen: dict[str, list[int]] = {}
    with ground.censor({**RESET, "limits": {"flows": 3}}) as censor:
        censor.ask("active")
        for address in (SERVER, SERVER6):
            of = seen[address] = []
            for port in (5000, 5000, 5001, 5002, 5003, 5000):
                ground.run("client", sys.executable, "-c", script, address, str(port))
                of.append(censor.ask("stats")["seen"])
        return ground.finish(censor, seen=seen)


# --- what pytest runs -----------------------------------------------------------------------


def test_settled_flows_leave_the_queue(play: Play) -> None:
    result = play(scene_offload)
    for name in ("offload", "inspected"):
        assert_clean(result[name])
        assert result[name]["got"] == [0, "20000000"]
        assert result[name]["again"] == "read"
        assert result[name]["reset"] == "ConnectionResetError"
        assert result[name]["anew"] >= 4
    assert result["inspected"]["packets"] > 14_000
    assert result["offload"]["packets"] < 1_000


def test_memories_reach_settled_flows(play: Play) -> None:
    result = play(scene_unsettle)
    assert_clean(result)
    assert result["first"] == ["genuine"] * 3
    assert result["seen"][2] == result["seen"][1]  # the third request was not asked about
    assert result["blocked"][0] == 56
    assert result["then"] == "ConnectionResetError"


def test_the_kernel_forgets_a_settled_flow_when_the_box_does(play: Play) -> None:
    result = play(scene_silence)
    assert_clean(result)
    assert result["kept"] == ["1"] * 3
    first, second, third = result["seen"]
    assert second == first  # settled: not asked about
    assert third > second


def test_flows_that_made_room_are_asked_about_again(play: Play) -> None:
    result = play(scene_room)
    assert_clean(result)
    for counts in result["seen"].values():
        first, again, *_, full, last = counts
        assert again == first, "settled flows pass unasked"
        assert last == full + 1, "and no longer than the box remembers them"
    woken = [event for event in result["events"] if event["event"] == "unsettled"]
    assert {event["what"] for event in woken} == {"evicted"}
    assert woken[0]["flow"]["client_port"] == 5000
