"""The policies that the engine is fuzzed under: between them every match and every act.

Their limits are tiny, so that every kind of eviction happens within a short conversation.
"""

from __future__ import annotations

from typing import Any, Final

_NAME: Final = {"suffix": ["blocked.example"], "substring": ["falun"], "regex": ["ev[i1]l+$"]}
_TINY: Final = {"flows": 4, "residual": 3, "held": 3, "idle": 5, "give_up": 4}
_POOL: Final = {"pool": ["8.7.198.45", "2001:db8::45"]}
_RESET: Final = {"inject": "reset", "count": 3, "offsets": [0, 1460]}
_MEMORY: Final = {"seconds": 1, "key": "pair", "renew": True, "on": "any"}


def _rule(name: str, when: dict[str, Any], *then: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": name, "when": when, "then": list(then), **more}


def _passed_on(rule: dict[str, Any]) -> dict[str, Any]:
    """Name a rule anew; those that would win always let the ones behind them have their turn."""
    leave = {"continue": True} if rule["id"] in ("dns", "stun", "tls", "tls-rest") else {}
    return {**rule, "id": f"{rule['id']}-2", **leave}


_ON_PATH: Final = [
    _rule("dns", {"dns.name": _NAME}, {"inject": "dns-answer", "addresses": "pool", "pick": "all"}),
    _rule("dns-late", {"dns.qtype": ["AAAA"]},
          {"inject": "dns-answer", "rcode": "nxdomain", "when": "after", "over_tcp": "answer"}),
    _rule("http", {"http.keyword": {"regex": ["fa?lun"], "decode": True}},
          {**_RESET, "residual": _MEMORY}),
    _rule("page", {"http.host": _NAME}, {"inject": "block-page", "body": "x" * 3000}),
    _rule("header", {"http.header": {"user-agent": {"prefix": ["curl"]}}}, {"inject": "fin"}),
    _rule("tls", {"tls.sni": _NAME}, {**_RESET, "profile": "gfw-2023-type-2"}, chance=0.5),
    _rule("alpn", {"tls.alpn": ["h2"], "tls.version": ["1.3"]}, {"inject": "icmp-unreachable"}),
    _rule("posed", {"server.port": [8443]}, {"inject": "impostor", "data": "page"}),
    _rule("asked", {"first.like": ["ssh"]}, {"inject": "probe", "from": ["24.48.0.9"]}),
    _rule("stun", {"stun.turn": True}, {"inject": "icmp-unreachable", "code": "port"}),
    _rule("register", {"sip.method": ["REGISTER"]}, {"inject": "sip-response", "status": 403}),
    _rule("sip", {"sip.host": _NAME}, {"inject": "sip-cancel"}, {"inject": "sip-bye"}),
    _rule("ssh", {"ssh.software": {"prefix": ["OpenSSH"]}}, _RESET),
    _rule("proxy", {"socks.host": _NAME}, {"inject": "fin"}),
    _rule("first", {"first.fully_encrypted": True}, _RESET, chance={"of": 0.3, "per": "ecmp"}),
]  # fmt: skip

_IN_PATH: Final = [
    _rule("spared", {"server.port": [22]}, {"allow": True}),
    _rule("dns", {"dns.name": _NAME}, {"rewrite": "dns-answer", "addresses": "pool"}),
    _rule("http", {"http": True, "not": {"http.host": {"suffix": ["good.example"]}}},
          {"drop": "packet", "residual": {"seconds": 2, "then": [{"drop": "packet"}, _RESET]}}),
    _rule("tls", {"tls.sni": _NAME}, {"drop": "flow", "toward": "client"}),
    _rule("tls-rest", {"tls": True}, {"rewrite": "packet", "ttl": 7, "bad_checksum": True},
          {"police": "8 kbit/s", "burst": 1000}),
    _rule("quic", {"quic.sni": _NAME}, {"drop": "flow"}),
    _rule("quic-any", {"quic.version": ["v1", 5]}, {"delay": "20 ms", "jitter": "5 ms"}),
    _rule("dtls", {"dtls": True}, {"thin": 0.5}),
    _rule("stun", {"stun": True}, {"cut": {"packets": 3, "bytes": 900, "seconds": 3}}),
    _rule("media", {"rtp": True}, {"shape": "8 kbit/s", "queue": 1}, {"thin": 0.1}),
    _rule("reports", {"rtcp": True}, {"rewrite": "packet", "spoil": True}),
    _rule("openvpn", {"openvpn.kind": ["data"]}, {"cut": {"packets": 2}}),
    _rule("wireguard", {"wireguard": True}, {"drop": "flow"}),
    _rule("socks", {"socks": True, "not": {"socks.version": [4]}}, {"drop": "packet"}),
    _rule("calls", {"sip.method": ["INVITE"]}, {"inject": "sip-cancel"}, {"inject": "sip-bye"}),
    _rule("looks", {"first.like": ["ssh", "tls", "stun"]}, {"rewrite": "reset"}, chance=0.5),
    _rule("rest", {"server.port": ["1-8080"], "protocol": "tcp", "tcp.header_length": [20]},
          {"inject": "reset", "base": "own", "payload": "0102"}, {"drop": "packet"}, chance=0.2),
]  # fmt: skip

_CARELESS: Final = {
    "tcp": {"reassemble": False, "require_handshake": False},
    "http": {"requests": "all", "lf_only": False, "any_spelling": False, "doubled_host": "last"},
    "dns": {"ports": "any", "several_questions": True},
    "quic": {"datagrams": 1, "join_datagrams": False, "frames": "leading"},
    "rtp": {"by": ["sdp"]},
    "first": {"over": ["tcp", "udp"], "payloads": 2},
}
_PATIENT: Final = {
    "tcp": {"require_handshake": False, "overlap": "last", "verify_checksum": True},
    "http": {"requests": "all", "absolute": "header"},
    "rtp": {"by": ["sdp", "behaviour"], "need": 2, "steady": True},
}


def _box(position: str, rules: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    return {"position": position, "limits": _TINY, "pools": _POOL, "rules": rules, **more}


#: A conversation's first byte says which.
POLICIES: Final[tuple[dict[str, Any], ...]] = (
    _box("on-path", _ON_PATH),
    _box("in-path", _IN_PATH),
    _box("on-path", _ON_PATH, **_CARELESS),
    _box("in-path", _IN_PATH, **_CARELESS),
    _box(
        "in-path",
        [*map(_passed_on, _IN_PATH[::-1]), *_ON_PATH],
        **_PATIENT,
    ),
)
