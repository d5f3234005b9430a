"""What a gateway's kernel says of its translations, read."""

from __future__ import annotations

import pytest

from filterbed.header import PROTOCOLS, flow_key, raw
from filterbed.translation import joined, proxied, read

UDP = (
    "[1795471.785441]\t    [NEW] udp      17 30 src=192.168.1.2 dst=8.8.8.8 sport=48501 dport=53 "
    "[UNREPLIED] src=8.8.8.8 dst=202.106.45.2 sport=53 dport=1717"
)
TCP = (
    "[1795471.797967]\t    [NEW] tcp      6 120 SYN_SENT src=192.168.1.2 dst=5.6.7.8 sport=40636 "
    "dport=80 [UNREPLIED] src=5.6.7.8 dst=202.106.45.2 sport=80 dport=40636"
)
SAME = UDP.replace("202.106.45.2 sport=53 dport=1717", "192.168.1.2 sport=53 dport=48501")
ICMP = (
    "[1.0]\t    [NEW] icmp     1 30 src=192.168.1.2 dst=8.8.8.8 type=8 code=0 id=7 [UNREPLIED] "
    "src=8.8.8.8 dst=202.106.45.2 type=0 code=0 id=7"
)


def test_a_flow_and_its_other_face() -> None:
    far = (raw("8.8.8.8"), 53)
    inner = flow_key(PROTOCOLS["udp"], (raw("192.168.1.2"), 48501), far)
    outer = flow_key(PROTOCOLS["udp"], (raw("202.106.45.2"), 1717), far)
    found = read([UDP, TCP])
    assert found[inner] == (outer,)
    assert {flow[0] for flow in found} == {PROTOCOLS["udp"], PROTOCOLS["tcp"]}


def test_a_socket_that_was_given_two_ports_has_two_faces() -> None:
    (seen,) = read([UDP, UDP.replace("dport=1717", "dport=1818"), UDP]).values()
    assert len(seen) == 2


@pytest.mark.parametrize("line", ["", ICMP, SAME, "[1.0] [NEW] udp 17 src=1.2.3.4", "conntrack v1"])
def test_what_is_no_translation_says_nothing(line: str) -> None:
    assert read([line]) == {}


def test_a_record_with_holes_is_refused() -> None:
    with pytest.raises(ValueError, match="more translations than were heard"):
        read([UDP, "WARNING: We have hit ENOBUFS! We are losing events."])


def test_gateways_are_put_together() -> None:
    assert joined([read([UDP]), read([TCP])]) == read([UDP, TCP])


PROXY = (
    "1795484753.439 192.168.1.2 43816 88.198.0.10 80 202.106.45.2 48994 88.198.0.10 80 200 GET "
    "http://www.a.net/"
)


def test_a_proxys_connection_is_its_clients() -> None:
    far = (raw("88.198.0.10"), 80)
    (inner,), ((seen,),) = zip(*proxied([PROXY]).items(), strict=True)
    assert inner == flow_key(PROTOCOLS["tcp"], (raw("192.168.1.2"), 43816), far)
    assert seen == flow_key(PROTOCOLS["tcp"], (raw("202.106.45.2"), 48994), far)


def test_one_connection_to_a_proxy_may_become_several() -> None:
    (seen,) = proxied([PROXY, PROXY.replace("48994", "48996"), PROXY]).values()
    assert len(seen) == 2


@pytest.mark.parametrize(
    "line",
    ["", "1795484754.8 192.168.1.2 46380 88.198.0.9 80 - - - - 000 GET http://a.net/", "1 2 3"],
)
def test_what_a_proxy_answers_by_itself_becomes_nothing(line: str) -> None:
    assert proxied([line]) == {}
