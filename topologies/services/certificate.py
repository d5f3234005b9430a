"""Issue the testbed's certificates: one authority, and leaves that are right or wrong on purpose.

Limits: EC P-256 keys, made anew for each run; validity is counted from now.
Source: RFC 5280; names that a certificate must hold, RFC 6125.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from topologies.service import Certificate

#: The name a `wrong-name` certificate is for: a hosting company's default.
WRONG_NAME = "default.hosting-panel.com"
DAY = timedelta(days=1)
YEAR = 365 * DAY


@dataclass(frozen=True, slots=True)
class Pair:
    """A certificate and its key, both PEM."""

    certificate: bytes
    key: bytes


class Authority:
    """The testbed's certificate authority; `pem` is what its hosts trust."""

    def __init__(self, now: datetime | None = None) -> None:
        self._now = now or datetime.now(UTC)
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("filterbed testbed authority")
        builder = self._builder(self._name, self._name, self._key, begun=5 * YEAR, ended=-10 * YEAR)
        constraints = x509.BasicConstraints(ca=True, path_length=0)
        usage = _usage(key_cert_sign=True, crl_sign=True)
        self._certificate = (
            builder.add_extension(constraints, critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.pem = self._certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str], addresses: Sequence[str], kind: Certificate) -> Pair:
        """Issue a leaf for names and addresses, good or wrong in the way `kind` says."""
        key = ec.generate_private_key(ec.SECP256R1())
        held = [WRONG_NAME] if kind == "wrong-name" else [*names]
        subject = _name(held[0] if held else addresses[0])
        own = kind == "self-signed"
        begun, ended = (120 * DAY, 30 * DAY) if kind == "expired" else (DAY, -YEAR)
        signer = key if own else self._key
        alternative: list[x509.GeneralName] = [x509.DNSName(name) for name in held]
        if kind != "wrong-name":
            alternative += [x509.IPAddress(ip_address(address)) for address in addresses]
        certificate = (
            self._builder(subject, subject if own else self._name, key, begun=begun, ended=ended)
            .add_extension(x509.SubjectAlternativeName(alternative), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()),
                critical=False,
            )
            .sign(signer, hashes.SHA256())
        )
        return Pair(certificate.public_bytes(serialization.Encoding.PEM), _private(key))

    def _builder(
        self,
        subject: x509.Name,
        issuer: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        *,
        begun: timedelta,
        ended: timedelta,
    ) -> x509.CertificateBuilder:
        """Begin a certificate valid from `begun` ago until `ended` ago; negative is to come."""
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self._now - begun)
            .not_valid_after(self._now - ended)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
        )


def _name(common: str) -> x509.Name:
    # RFC 5280 appendix A.1: a common name has at most 64 characters.
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common[:64])])


def _usage(
    *, digital_signature: bool = False, key_cert_sign: bool = False, crl_sign: bool = False
) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=digital_signature,
        key_cert_sign=key_cert_sign,
        crl_sign=crl_sign,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
