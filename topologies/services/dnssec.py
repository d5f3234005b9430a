"""Sign the zone that holds every name, with a key of the run's own.

One key signs everything (a combined signing key, RFC 8901 section 2), absent names are denied by
NSEC, and recursors that validate trust the key itself. Names may be signed badly: their signatures
ran out before the run, as happens where nobody renews them.
Source:  RFC 4034, RFC 4035; Ed25519 is RFC 8080. Fact org-dnssec-bogus.
"""

from __future__ import annotations

import time
from collections.abc import Collection
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

#: Flags of a DNSKEY that is a trust anchor: zone key, secure entry point (RFC 4034 section 2.1.1).
FLAGS: Final = 257
#: Seconds before the run at which signatures begin, and after it at which good ones end.
SINCE: Final = 30 * 86400
UNTIL: Final = 30 * 86400
#: Seconds before the run at which those of badly signed names ended.
ENDED: Final = 7 * 86400


@dataclass(frozen=True, slots=True)
class Signer:
    """A key, and the names it signs badly."""

    expired: Collection[str] = ()
    key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    def anchor(self) -> str:
        """Return what a recursor trusts, as a DNSKEY record."""
        return f". 0 IN DNSKEY {self._public().to_text()}"

    def sign(self, text: str) -> str:
        """Return a root zone, signed. Its records keep their time to live."""
        zone = dns.zone.from_text(text, origin=".", relativize=False)
        public, now = self._public(), int(time.time())
        stale = frozenset(dns.name.from_text(name) for name in self.expired)

        def seal(txn: dns.transaction.Transaction, rrset: dns.rrset.RRset) -> None:
            bad = rrset.name in stale and rrset.rdtype != dns.rdatatype.NSEC
            end = now - ENDED if bad else now + UNTIL
            found = dns.dnssec.sign(
                rrset, self.key, dns.name.root, public, inception=now - SINCE, expiration=end
            )
            txn.add(rrset.name, rrset.ttl, found)

        with zone.writer() as txn:
            dns.dnssec.sign_zone(
                zone, txn, keys=[(self.key, public)], dnskey_ttl=0, rrset_signer=seal
            )
        return str(zone.to_text(relativize=False))

    def _public(self) -> dns.rdtypes.ANY.DNSKEY.DNSKEY:
        return dns.dnssec.make_dnskey(
            self.key.public_key(), dns.dnssectypes.Algorithm.ED25519, flags=FLAGS
        )
