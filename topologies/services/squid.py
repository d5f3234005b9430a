"""Run a transparent proxy on a gateway: Squid, to which the kernel redirects its client's HTTP.

It goes where the client went (`client_dst_passthru`, on unless switched off), so that a forged
address is not mended on the way, asks DNS whether the Host is there, and adds Via and
X-Forwarded-For. It keeps nothing, no answer of DNS for longer than a second, and no connection to
a server: one that was begun before a censor enforced would be taken on past it. A connection to it
opens whatever is behind; where that is refused or reset the client is told 503 or 502, and where it
is silent, nothing for a minute.

Squid refuses to be root, and an ordinary user's sandbox has no other to become: it runs in a user
namespace of its own, in which it is somebody else. Its log says which connection of a client's
became which of its own (`filterbed.translation`).
Source:  squid.conf documentation, 5.7: http_port (intercept), client_dst_passthru,
         connect_timeout, logformat.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from topologies import gateway
from topologies.plan import Plan
from topologies.services.program import Program, Ready, binary, unconfined

#: Where it takes what is sent to it: nobody does, but it wants such a port to be there.
FORWARD_PORT: Final = 3128
#: The number of a user that is not root, in a namespace where nobody else is.
NOBODY: Final = 65534
#: Time, the client's address and port, whom it asked, our own address and port, whom we asked.
LOG: Final = "%ts.%03tu %>a %>p %>la %>lp %<la %<lp %<a %<p %03>Hs %rm %ru"


def log(node: str, logs: Path) -> Path:
    """Return the file in which a gateway's proxy writes a line a request."""
    return logs / f"proxy-{node}.log"


def programs(plan: Plan, workdir: Path) -> Iterator[Program]:
    """Give every gateway with a proxy its Squid."""
    for node in plan.nodes:
        if node.proxy:
            client = next(n for n in plan.nodes if plan.gateway(n.name) is node)
            inner = gateway.inner(plan, node.name)
            yield _program(node.name, inner, client.resolver or "", workdir)


def _program(node: str, inner: str, resolver: str, workdir: Path) -> Program:
    home = workdir / f"{node}-squid"
    config = home / "squid.conf"
    path, copied = unconfined(binary("squid", "squid"), workdir)
    nobody = (f"--map-user={NOBODY}", f"--map-group={NOBODY}")
    return Program(
        id=f"{node}-squid",
        node=node,
        argv=(binary("unshare", "util-linux"), "--user", *nobody, path, "-N", "-f", str(config)),
        files={config: configuration(node, inner, resolver, home, workdir / "logs"), **copied},
        ready=(Ready("tcp", inner, FORWARD_PORT),),
    )


def configuration(node: str, inner: str, resolver: str, home: Path, logs: Path) -> str:
    """Write squid.conf; everything it writes lies in `home`, but for its log of requests."""
    return f"""http_port {inner}:{gateway.PROXY_PORT} intercept
http_port {inner}:{FORWARD_PORT}
http_access allow all
visible_hostname {node}
dns_nameservers {resolver}
dns_timeout 1 second
positive_dns_ttl 1 second
negative_dns_ttl 1 second
server_persistent_connections off
cache deny all
cache_mem 4 MB
memory_pools off
pinger_enable off
shutdown_lifetime 0 seconds
pid_filename none
coredump_dir {home}
cache_log {home}/cache.log
logformat flows {LOG}
access_log stdio:{log(node, logs)} flows
"""
