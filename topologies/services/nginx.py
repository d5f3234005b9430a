"""Run the web servers of one host: nginx with a virtual host for each web service.

The first service of an address is what clients get that ask it for an unknown name, or for none.
Source: nginx documentation, ngx_http_core, geo, rewrite and ssl modules, 1.22.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from topologies.page import literal, page, search
from topologies.service import Geo, Lists, Store, Web, WebManner
from topologies.services.certificate import Authority
from topologies.services.program import Program, Ready, binary

TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
#: What numbers a storefront's clients for whom an app is not listed.
ABSENT = 99
#: How a server behaves behind the one that listens: bytes a second that it sends, and seconds after
#: which the one in front gives it up. What is slow takes a second, for nginx counts in seconds.
BEHIND: Mapping[WebManner, tuple[int, str]] = {
    "slow": (1500, "60s"),
    "stalls": (1, "60s"),
    "truncates": (400, "300ms"),
}


def program(
    node: str, services: Sequence[Web], authority: Authority, workdir: Path
) -> Program | None:
    """Serve what listens among the services; None where nothing does."""
    open_ = [service for service in services if service.manner != "refused"]
    if not open_:
        return None
    home = workdir / f"{node}-nginx"
    config = home / "nginx.conf"
    files: dict[Path, str | bytes] = {config: configuration(open_, home)}
    for service in open_:
        pair = authority.issue(service.names, service.addresses, service.certificate)
        files[home / f"{service.id}.pem"] = pair.certificate
        files[home / f"{service.id}.key"] = pair.key
    audible = {a: not s.http3 for s in open_ if s.manner != "silent" for a in s.addresses}
    return Program(
        id=f"{node}-nginx",
        node=node,
        argv=(binary("nginx", "nginx-light"), "-p", str(home), "-c", str(config), "-e", "stderr"),
        files=files,
        ready=tuple(
            Ready("tcp", address, port)
            for address, secure in audible.items()
            for port in ((80, 443) if secure else (80,))
        ),
    )


def configuration(services: Sequence[Web], home: Path) -> str:
    """Write nginx.conf; everything it writes lies in `home`, its log is its standard error."""
    temporary = "\n".join(f"  {kind}_temp_path {home}/{kind};" for kind in TEMPORARY)
    geo = "\n".join(_geo(service) for service in services if service.geo or service.store)
    first: set[str] = set()
    servers = "\n".join(_server(service, home, first) for service in services)
    return f"""user root;
worker_processes 1;
daemon off;
pid {home}/nginx.pid;
error_log stderr;
events {{ worker_connections 1024; }}
http {{
  access_log {home}/access.log;
{temporary}
  default_type "text/html; charset=utf-8";
  server_tokens off;
  server_names_hash_bucket_size 256;
  reset_timedout_connection on;
  ssl_protocols TLSv1.2 TLSv1.3;
  ssl_session_cache off;
  ssl_session_tickets off;
  absolute_redirect on;
{geo}
{servers}
}}
"""


def _geo(service: Web) -> str:
    """Number the treatments of a service's clients by prefix: 0 none, 1 the first, and so on."""
    lines = [
        f"    {prefix} {number};"
        for number, geo in enumerate(service.geo, start=1)
        for prefix in geo.prefixes
    ]
    lines += [
        f"    {prefix} {ABSENT};" for prefix in (service.store.absent if service.store else ())
    ]
    inner = "\n".join(["    default 0;", *dict.fromkeys(lines)])
    return f"  geo ${_variable(service)} {{\n{inner}\n  }}"


def _variable(service: Web) -> str:
    return "geo_" + hashlib.sha256(service.id.encode()).hexdigest()[:12]


def _server(service: Web, home: Path, first: set[str]) -> str:
    lines = [*_listen(service, first), *_names(service)]
    if not service.http3:
        lines.append(f"    ssl_certificate {home}/{service.id}.pem;")
        lines.append(f"    ssl_certificate_key {home}/{service.id}.key;")
    for number, geo in enumerate(service.geo, start=1):
        answer = _answer(geo.status, geo.location, _geo_title(geo), service.id)
        lines.append(f"    if (${_variable(service)} = {number}) {{ {answer} }}")
    title = service.title or f"{service.id} {service.names[0] if service.names else ''}".strip()
    if service.manner == "reset":
        lines.append("    return 444;")
    elif service.store:
        lines += _search(service, service.store)
    elif service.lists:
        lines += _lists(service.lists)
    elif service.manner in BEHIND:
        lines.append(_front(service, home))
    else:
        lines.append(f"    {_answer(service.status, service.location, title, service.id)}")
    inner = "\n".join(lines)
    server = f"  server {{\n{inner}\n  }}"
    return "\n".join([server, *_behind(service, home, title)])


def _search(service: Web, store: Store) -> Iterable[str]:
    """Find the app, but not for clients of a storefront that does not list it."""
    yield "    default_type application/json;"
    if store.absent:
        yield f"    if (${_variable(service)} = {ABSENT}) {{ return 200 '{search(None)}'; }}"
    yield f"    return 200 '{search(store.app)}';"


def _lists(lists: Lists) -> Iterable[str]:
    """Give a chat client its lists of words, a word a line, and take what it uploads."""
    yield '    default_type "text/plain; charset=utf-8";'
    held = {"/agent/skypever.php": lists.kept_back, "/agent/keyfile_u": lists.watched}
    for path, words in held.items():
        yield f"    location = {path} {{ return 200 '{chr(10).join(words)}'; }}"
    yield "    location = /agent/upload { return 200 ''; }"
    yield "    location / { return 404; }"


def _front(service: Web, home: Path) -> str:
    patience = BEHIND[service.manner][1]
    return (
        f"    location / {{ proxy_pass http://unix:{home}/{service.id}.sock:; "
        f"proxy_buffering off; proxy_read_timeout {patience}; }}"
    )


def _behind(service: Web, home: Path, title: str) -> Iterable[str]:
    """Write the server behind one that is slow, stalls or truncates: overloaded, it trickles."""
    if service.manner in BEHIND:
        answer = _answer(service.status, service.location, title, service.id)
        yield (
            f"  server {{\n    listen unix:{home}/{service.id}.sock;\n"
            f"    limit_rate {BEHIND[service.manner][0]};\n    {answer}\n  }}"
        )


def _geo_title(geo: Geo) -> str:
    return f"Not available where you are ({geo.status})"


def _listen(service: Web, first: set[str]) -> Iterable[str]:
    for address in service.addresses:
        bracketed = f"[{address}]" if ":" in address else address
        default = "" if address in first else " default_server"
        first.add(address)
        yield f"    listen {bracketed}:80{default};"
        if not service.http3:  # else port 443 is caddy's
            yield f"    listen {bracketed}:443 ssl{default};"


def _names(service: Web) -> Iterable[str]:
    if service.names:
        yield f"    server_name {' '.join(name.lower().rstrip('.') for name in service.names)};"


def _answer(status: int, location: str | None, title: str, key: str) -> str:
    if location is not None:
        target = location if "://" in location else f"http://{location}/"
        return f"return {status} '{literal(target)}';"
    return f"return {status} '{page(title, key)}';"
