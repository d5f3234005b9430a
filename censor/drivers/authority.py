"""Forge leaves: what a server's certificate says, under another key and another issuer.

Limits: EC P-256 keys, made anew each time the box starts. Copied are subject, alternative names and
        validity; of other extensions none, as of a certificate nobody checks.
Source: RFC 5280 sections 4.1 and 4.2.1.6.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_YEAR: Final = timedelta(days=365)
#: What the library raises, beside ValueError, over certificates that break the rules.
_STRANGE: Final = (
    x509.InvalidVersion,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
    TypeError,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Leaf:
    """A forged certificate with its chain, and its key, both PEM; and what it says."""

    chain: bytes
    key: bytes
    subject: str
    issuer: str
    names: tuple[str, ...]
    fingerprint: str


class Authority:
    """A censor's certificate authority, of a name."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._leaf_key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        now = datetime.now(UTC)
        self._certificate = (
            x509.CertificateBuilder()
            .subject_name(self._name)
            .issuer_name(self._name)
            .public_key(self._key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - _YEAR)
            .not_valid_after(now + 10 * _YEAR)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def forge(self, real: bytes, *, own: bool) -> Leaf:
        """Forge the certificate `real` (DER); `own`: the leaf signs itself.

        Raises: ValueError for what is no certificate, or none that can be copied.
        """
        try:
            return self._forge(real, own)
        except _STRANGE as fault:
            raise ValueError(f"a certificate that cannot be copied: {fault}") from fault

    def _forge(self, real: bytes, own: bool) -> Leaf:
        model = x509.load_der_x509_certificate(real)
        key = self._leaf_key
        issuer, signer = (model.subject, key) if own else (self._name, self._key)
        builder = (
            x509.CertificateBuilder()
            .subject_name(model.subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(model.not_valid_before_utc)
            .not_valid_after(model.not_valid_after_utc)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        )
        names: tuple[str, ...] = ()
        with suppress(x509.ExtensionNotFound):
            held = model.extensions.get_extension_for_class(x509.SubjectAlternativeName)
            builder = builder.add_extension(held.value, critical=held.critical)
            names = tuple(str(name.value) for name in held.value)
        made = builder.sign(signer, hashes.SHA256())
        chain = [made] if own else [made, self._certificate]
        return Leaf(
            chain=b"".join(one.public_bytes(serialization.Encoding.PEM) for one in chain),
            key=key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            subject=model.subject.rfc4514_string(),
            issuer=issuer.rfc4514_string(),
            names=names,
            fingerprint=made.fingerprint(hashes.SHA256()).hex(),
        )


@cache
def authority(name: str) -> Authority:
    """Return the authority of that name; there is one a process."""
    return Authority(name)
