"""Read what a program may have changed in its node's network, and put it back.

A tool owns its vantage's network (raw sockets need that), so it may add firewall rules, addresses,
routes or queueing there, and often does: a raw-packet probe drops its kernel's own RSTs. Nothing of
it may reach the next tool.
Limits:  nftables rules outside iptables' tables are found only where the `nft` program is there;
         the connection tracking table and neighbours are left alone.
"""

from __future__ import annotations

from topologies.network import Network, script

_IPTABLES = ("iptables", "ip6tables")
_TABLES = ("filter", "nat", "mangle", "raw")

#: What is compared: one line a thing, without counters, chains only if they are not as new.
_READ = "\n".join(
    [
        "ip -br link | sed 's/@[^ ]*//'",
        "ip -br addr | sed 's/@[^ ]*//'",
        "ip rule; ip -6 rule; ip route show table all; ip -6 route show table all",
        "tc qdisc show 2>/dev/null || true",
        *(
            f"{tool}-save 2>/dev/null | grep -E '^-A|^:[^ ]+ (DROP|REJECT|-)' | "
            "sed 's/ \\[[0-9:]*\\]$//' || true"
            for tool in _IPTABLES
        ),
        "{ command -v nft >/dev/null && nft list ruleset | "
        "grep -vE '^(table|}|$)|chain|type|^ *}'; } 2>/dev/null || true",
    ]
)


def read(network: Network, node: str) -> str:
    """Return the condition of a node's network as text; equal text is equal condition."""
    return network.run(node, _READ)


def mend(network: Network, node: str) -> None:
    """Make a node's network as new: no rules, its own interfaces, addresses and routes.

    Raises: NetworkError where that cannot be done.
    """
    network.run(node, _mending(network, node))


def _mending(network: Network, node: str) -> str:
    own = [e.interface for link in network.plan.links for e in link.ends if e.node == node]
    lines = ["command -v nft >/dev/null && nft flush ruleset || true"]
    for tool in _IPTABLES:
        for table in _TABLES:
            # A table that nobody touched need not be there on every kernel.
            chains = f"{tool} -w -t {table} -S 2>/dev/null | sed -n 's/^-P \\([A-Z]*\\) .*/\\1/p'"
            lines.append(f"for c in $({chains}); do {tool} -w -t {table} -P $c ACCEPT; done")
            lines.append(f"{tool} -w -t {table} -F 2>/dev/null || true")
            lines.append(f"{tool} -w -t {table} -X 2>/dev/null || true")
    lines.append(
        "for i in $(ip -br link | sed 's/[@ ].*//'); do "
        f'case " lo {" ".join(own)} " in *" $i "*) ;; *) ip link del $i 2>/dev/null || true;; '
        "esac; done"
    )
    for family in ("-4", "-6"):
        lines.append(f"ip {family} rule flush; ip {family} rule add pref 32766 lookup main")
        lines.append(f"ip {family} route flush table main scope global 2>/dev/null || true")
    lines.append("ip rule add pref 0 lookup local; ip rule add pref 32767 lookup default")
    lines.append("ip -6 rule add pref 0 lookup local")
    for interface in ("lo", *own):
        lines.append(f"tc qdisc del dev {interface} root 2>/dev/null || true")
        lines.append(f"ip addr flush dev {interface} scope global")
        lines.append(f"ip link set {interface} down; ip link set {interface} mtu "
                     f"{65536 if interface == 'lo' else 1500}")  # fmt: skip
    return "\n".join([*lines, script(network.plan, node)])
