"""Certificates that are right, and wrong in exactly one way."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.verification import PolicyBuilder, Store, VerificationError

from topologies.service import Certificate
from topologies.services.certificate import WRONG_NAME, Authority

NOW = datetime(2026, 3, 1, tzinfo=UTC)
AUTHORITY = Authority(NOW)
STORE = Store([x509.load_pem_x509_certificate(AUTHORITY.pem)])


def verify(kind: Certificate, name: str, when: datetime = NOW) -> str:
    pair = AUTHORITY.issue(("www.example.net", "example.net"), ("31.13.70.36",), kind)
    leaf = x509.load_pem_x509_certificate(pair.certificate)
    verifier = PolicyBuilder().store(STORE).time(when).build_server_verifier(x509.DNSName(name))
    try:
        verifier.verify(leaf, [])
    except VerificationError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("name", ["www.example.net", "example.net"])
def test_a_valid_one_is_valid_for_all_names(name: str) -> None:
    assert verify("valid", name) == ""


def test_an_expired_one_was_valid_once() -> None:
    assert "not valid at validation time" in verify("expired", "example.net")
    assert verify("expired", "example.net", NOW - timedelta(days=60)) == ""


def test_a_wrong_name_is_right_for_another() -> None:
    assert "subject" in verify("wrong-name", "example.net")
    assert verify("wrong-name", WRONG_NAME) == ""


def test_a_self_signed_one_has_no_issuer() -> None:
    assert verify("self-signed", "example.net") != ""
    pair = AUTHORITY.issue(("example.net",), (), "self-signed")
    leaf = x509.load_pem_x509_certificate(pair.certificate)
    leaf.verify_directly_issued_by(leaf)


@pytest.mark.parametrize("kind", ["valid", "expired", "self-signed", "wrong-name"])
def test_the_key_fits(kind: Certificate) -> None:
    pair = AUTHORITY.issue(("example.net",), (), kind)
    key = serialization.load_pem_private_key(pair.key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    leaf = x509.load_pem_x509_certificate(pair.certificate)
    assert leaf.public_key() == key.public_key()


def test_a_service_known_by_address_alone_has_a_certificate() -> None:
    pair = AUTHORITY.issue((), ("31.13.70.36",), "valid")
    leaf = x509.load_pem_x509_certificate(pair.certificate)
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(a) for a in names.get_values_for_type(x509.IPAddress)] == ["31.13.70.36"]
