"""Run the HTTP/3 servers of one host: caddy, on port 443 of UDP and of TCP, for each such service.

What a service says is what nginx says for others: its page, its status, its treatment of clients by
prefix. Port 80 stays nginx's. HTTP/1.1 and HTTP/2 over TCP name the other way in Alt-Svc.

Limits: a server that answers; nothing that is reset, slow, stalling or torn speaks HTTP/3 here.
Source: caddy documentation, JSON configuration, 2.6; RFC 9114, RFC 7838.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from topologies.page import page
from topologies.service import Web
from topologies.services.certificate import Authority
from topologies.services.program import Program, Ready, binary

PORT: Final = 443
#: A long header of a version that nobody knows draws Version Negotiation from a server that is up
#: (RFC 9000 sections 6.1 and 17.2.1; RFC 8999; no less than 1,200 bytes). One byte a character.
QUESTION: Final = b"\xc0\xba\xba\xba\xba\x08filterbe\x08filterbd".ljust(1200, b"\0").decode(
    "latin-1"
)

Part = dict[str, Any]


def program(
    node: str, services: Sequence[Web], authority: Authority, workdir: Path
) -> Program | None:
    """Serve those of the services that speak HTTP/3; None where none does."""
    open_ = [one for one in services if one.http3 and one.manner != "refused"]
    if not open_:
        return None
    home = workdir / f"{node}-caddy"
    config = home / "caddy.json"
    files: dict[Path, str | bytes] = {config: configuration(open_, home)}
    for service in open_:
        pair = authority.issue(service.names, service.addresses, service.certificate)
        files[home / f"{service.id}.pem"] = pair.certificate
        files[home / f"{service.id}.key"] = pair.key
    audible = {a: None for s in open_ if s.manner != "silent" for a in s.addresses}
    return Program(
        id=f"{node}-caddy",
        node=node,
        argv=(binary("caddy", "caddy"), "run", "--config", str(config)),
        files=files,
        ready=tuple(
            one
            for address in audible
            for one in (Ready("tcp", address, PORT), Ready("udp", address, PORT, QUESTION))
        ),
    )


def configuration(services: Sequence[Web], home: Path) -> str:
    """Write caddy's configuration: no admin endpoint, no authority of its own, nothing kept."""
    addresses = dict.fromkeys(a for service in services for a in service.addresses)
    certificates = [
        {"certificate": f"{home}/{s.id}.pem", "key": f"{home}/{s.id}.key", "tags": [s.id]}
        for s in services
    ]
    document = {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": {"default": {"level": "WARN"}}},
        "storage": {"module": "file_system", "root": f"{home}/storage"},
        "apps": {
            "http": {
                "servers": {
                    f"at-{number}": _server(
                        address, [s for s in services if address in s.addresses]
                    )
                    for number, address in enumerate(addresses)
                }
            },
            "tls": {"certificates": {"load_files": certificates}},
        },
    }
    return json.dumps(document, indent=2) + "\n"


def _server(address: str, services: Sequence[Web]) -> Part:
    """Serve one address; its first service is what clients get that ask for an unknown name."""
    bracketed = f"[{address}]" if ":" in address else address
    chosen = [
        {"match": {"sni": names}, "certificate_selection": {"any_tag": [service.id]}}
        for service in services
        if (names := _names(service))
    ]
    first = services[0]
    return {
        "listen": [f"{bracketed}:{PORT}"],
        "protocols": ["h1", "h2", "h3"],
        "automatic_https": {"disable": True},
        "strict_sni_host": False,
        "tls_connection_policies": [
            *chosen,
            {"certificate_selection": {"any_tag": [first.id]}},
        ],
        "routes": [
            *(route for one in services for route in _routes(one, [{"host": _names(one)}])),
            *_routes(first, [{}]),
        ],
    }


def _routes(service: Web, names: list[Part]) -> Iterator[Part]:
    """Answer clients of certain prefixes first, then all."""
    for geo in service.geo:
        title = f"Not available where you are ({geo.status})"
        here = {"remote_ip": {"ranges": [*geo.prefixes]}}
        matched = [one | here for one in names]
        yield _route(matched, geo.status, geo.location, page(title, service.id))
    title = service.title or f"{service.id} {service.names[0] if service.names else ''}".strip()
    yield _route(names, service.status, service.location, page(title, service.id))


def _route(matched: list[Part], status: int, location: str | None, text: str) -> Part:
    headers = {"Server": ["caddy"], "Content-Type": ["text/html; charset=utf-8"]}
    if location is not None:
        headers["Location"] = [location if "://" in location else f"http://{location}/"]
    answer = {
        "handler": "static_response",
        "status_code": status,
        "headers": headers,
        "body": "" if location is not None else text,
    }
    return {"match": matched, "handle": [answer], "terminal": True}


def _names(service: Web) -> list[str]:
    return [name.lower().rstrip(".") for name in service.names]
