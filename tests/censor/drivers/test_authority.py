"""Forged leaves say what the real ones say, and are signed by somebody else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from censor.drivers.authority import authority

KEY = ec.generate_private_key(ec.SECP256R1())
SUBJECT = x509.Name(
    [
        x509.NameAttribute(x509.NameOID.COUNTRY_NAME, "KZ"),
        x509.NameAttribute(x509.NameOID.COMMON_NAME, "vk.com"),
    ]
)
BEGUN = datetime(2019, 7, 1, tzinfo=UTC)


def real(*names: str) -> bytes:
    builder = (
        x509.CertificateBuilder().subject_name(SUBJECT).issuer_name(SUBJECT).serial_number(5)
        .public_key(KEY.public_key()).not_valid_before(BEGUN)
        .not_valid_after(BEGUN + timedelta(days=90))
    )  # fmt: skip
    if names:
        held: list[Any] = [x509.DNSName(name) for name in names]
        builder = builder.add_extension(x509.SubjectAlternativeName(held), critical=False)
    return builder.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_leaf_copies_subject_names_and_validity() -> None:
    leaf = authority("Qaznet Trust Network").forge(real("vk.com", "*.vk.com"), own=False)
    made, above = x509.load_pem_x509_certificates(leaf.chain)
    assert made.subject == SUBJECT
    held = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert held.get_values_for_type(x509.DNSName) == ["vk.com", "*.vk.com"]
    assert (made.not_valid_before_utc, made.not_valid_after_utc - BEGUN) == (
        BEGUN, timedelta(days=90))  # fmt: skip
    assert made.issuer.rfc4514_string() == "CN=Qaznet Trust Network" == leaf.issuer
    made.verify_directly_issued_by(above)
    assert leaf.fingerprint == made.fingerprint(hashes.SHA256()).hex()
    assert leaf.names == ("vk.com", "*.vk.com")


def test_its_key_is_another() -> None:
    leaf = authority("Qaznet Trust Network").forge(real(), own=False)
    made = x509.load_pem_x509_certificates(leaf.chain)[0]
    key: Any = serialization.load_pem_private_key(leaf.key, None)
    assert made.public_key() == key.public_key() != KEY.public_key()
    assert leaf.names == ()


def test_what_cannot_be_copied_is_said() -> None:
    """The library has other words for some that break the rules: its caller knows this one."""
    version = real().replace(bytes.fromhex("a003020102"), bytes.fromhex("a003020177"), 1)
    for wrong in (b"", b"no certificate", version):
        with pytest.raises(ValueError, match=r"."):
            authority("any").forge(wrong, own=False)


def test_a_leaf_may_sign_itself() -> None:
    leaf = authority("Qaznet Trust Network").forge(real("vk.com"), own=True)
    (made,) = x509.load_pem_x509_certificates(leaf.chain)
    assert made.issuer == SUBJECT
    made.verify_directly_issued_by(made)


def test_there_is_one_authority_a_name() -> None:
    assert authority("a") is authority("a") is not authority("b")


def test_what_is_no_certificate_is_refused() -> None:
    with pytest.raises(ValueError, match=r"."):
        authority("a").forge(b"junk", own=False)
