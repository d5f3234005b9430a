"""Sign zones, each with a key of the run's own, from the root down.

One key signs all of a zone (a combined signing key, RFC 8901 section 2), its parent holds a digest
of it (DS), absent names are denied by NSEC, and recursors that validate trust the root's key alone.
Names may be signed badly: their signatures ran out before the run, as happens where nobody renews
them.
Source:  RFC 4034, RFC 4035; Ed25519 is RFC 8080. Fact org-dnssec-bogus.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Final

import dns.dnssec
import dns.dnssectypes
import dns.name
import dns.rdatatype
import dns.rdtypes.ANY.DNSKEY
import dns.rrset
import dns.transaction
import dns.zone
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from topologies.services.zone import Zone

#: Flags of a DNSKEY that is a trust anchor: zone key, secure entry point (RFC 4034 section 2.1.1).
FLAGS: Final = 257
#: Seconds before the run at which signatures begin, and after it at which good ones end.
SINCE: Final = 30 * 86400
UNTIL: Final = 30 * 86400
#: Seconds before the run at which those of badly signed names ended.
ENDED: Final = 7 * 86400
#: What is signed badly where a name's signatures ran out.
ADDRESSES: Final = frozenset({dns.rdatatype.A, dns.rdatatype.AAAA, dns.rdatatype.TXT})


@dataclass(frozen=True, slots=True)
class Signer:
    """A key for every zone, and the names that are signed badly."""

    expired: Collection[str] = ()
    keys: dict[str, Ed25519PrivateKey] = field(
        default_factory=lambda: defaultdict(Ed25519PrivateKey.generate)
    )

    def anchor(self) -> str:
        """Return what a recursor trusts, the root's key, as a DNSKEY record."""
        return f". 0 IN DNSKEY {self._public('.').to_text()}"

    def sign(self, zones: Iterable[Zone]) -> dict[str, str]:
        """Return the zones' texts by name, signed. Their records keep their time to live."""
        return {zone.name: self._signed(zone) for zone in zones}

    def _signed(self, zone: Zone) -> str:
        apex = dns.name.from_text(zone.name)
        lines = "\n".join([*zone.records, *map(self._digest, zone.children)])
        read = dns.zone.from_text(lines, origin=apex, relativize=False)
        key, public, now = self.keys[zone.name], self._public(zone.name), int(time.time())
        stale = frozenset(dns.name.from_text(name) for name in self.expired)

        def seal(txn: dns.transaction.Transaction, rrset: dns.rrset.RRset) -> None:
            bad = rrset.name in stale and rrset.rdtype in ADDRESSES
            end = now - ENDED if bad else now + UNTIL
            found = dns.dnssec.sign(rrset, key, apex, public, inception=now - SINCE, expiration=end)
            txn.add(rrset.name, rrset.ttl, found)

        with read.writer() as txn:
            dns.dnssec.sign_zone(read, txn, keys=[(key, public)], dnskey_ttl=0, rrset_signer=seal)
        return str(read.to_text(relativize=False))

    def _digest(self, child: str) -> str:
        """Write what a zone says of the key of one that it delegates."""
        digest = dns.dnssec.make_ds(f"{child}.", self._public(child), "SHA256")
        return f"{child}. 0 IN DS {digest.to_text()}"

    def _public(self, zone: str) -> dns.rdtypes.ANY.DNSKEY.DNSKEY:
        return dns.dnssec.make_dnskey(
            self.keys[zone].public_key(), dns.dnssectypes.Algorithm.ED25519, flags=FLAGS
        )
