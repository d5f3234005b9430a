"""Certificates as OpenSSL servers show them, against cryptography's reading of the same bytes."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st

from censor.dissect.certificate import Certificate, dissect
from censor.dissect.outcome import Foreign, Incomplete
from censor.engine.decision import Verdict
from censor.policy.loader import problems
from topologies.services.certificate import Authority

NAMES = ["www.Blocked.example", "*.blocked.example"]
PAIR = Authority().issue(NAMES, ["9.9.9.9", "2600::9"], "valid")


@pytest.fixture(scope="module")
def talk(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Return what client and server say first, by the latest version they may speak."""
    file = tmp_path_factory.mktemp("tls") / "leaf.pem"
    file.write_bytes(PAIR.key + PAIR.certificate)
    return {
        version: _shake(file, version)
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
    }


def _shake(file: Path, most: ssl.TLSVersion) -> tuple[bytes, bytes]:
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.maximum_version = most
    client = context.wrap_bio(back, there, server_hostname="www.blocked.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    server = context.wrap_bio(there, back, server_side=True)
    with pytest.raises(ssl.SSLWantReadError):
        client.do_handshake()
    hello = there.read()
    there.write(hello)
    with pytest.raises(ssl.SSLWantReadError):
        server.do_handshake()
    return hello, back.read()


@pytest.fixture
def said(talk: Any) -> bytes:
    answer: bytes = talk[ssl.TLSVersion.TLSv1_2][1]
    return answer


def test_a_leaf_is_read(said: bytes) -> None:
    found = dissect(said)
    assert isinstance(found, Certificate)
    assert found.names == ("www.blocked.example", "*.blocked.example", "9.9.9.9", "2600::9")
    assert found.issuer == ("filterbed testbed authority",)


def test_one_that_is_encrypted_is_not(talk: Any) -> None:
    found = dissect(talk[ssl.TLSVersion.TLSv1_3][1])
    assert isinstance(found, Foreign)
    size = int.from_bytes(talk[ssl.TLSVersion.TLSv1_3][1][3:5], "big")
    alone = dissect(talk[ssl.TLSVersion.TLSv1_3][1][: 5 + size])
    assert isinstance(alone, Foreign)
    assert "1.3" in alone.reason


def test_every_prefix_is_incomplete_and_no_more_is_asked_for_than_there_is(said: bytes) -> None:
    whole = next(n for n in range(len(said) + 1) if isinstance(dissect(said[:n]), Certificate))
    for end in range(whole):
        found = dissect(said[:end])
        assert isinstance(found, Incomplete), end
        assert end + found.need <= whole


def test_over_records_of_any_size(said: bytes) -> None:
    message, place = b"", 0
    while place < len(said):
        size = int.from_bytes(said[place + 3 : place + 5], "big")
        message += said[place + 5 : place + 5 + size]
        place += 5 + size
    for size in (7, 100, 1000):
        cut = [message[at : at + size] for at in range(0, len(message), size)]
        records = b"".join(b"\x16\x03\x03" + len(c).to_bytes(2, "big") + c for c in cut)
        found = dissect(records)
        assert isinstance(found, Certificate)
        assert found.names[0] == "www.blocked.example"


def _der(subject: list[x509.NameAttribute[str]], names: list[str]) -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    pem = x509.load_pem_x509_certificate(PAIR.certificate)
    builder = (
        x509.CertificateBuilder().subject_name(x509.Name(subject)).public_key(key.public_key())
        .issuer_name(x509.Name(subject)).serial_number(9)
        .not_valid_before(pem.not_valid_before_utc).not_valid_after(pem.not_valid_after_utc)
    )  # fmt: skip
    if names:
        held = x509.SubjectAlternativeName([x509.DNSName(name) for name in names])
        builder = builder.add_extension(held, critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def wrap(der: bytes) -> bytes:
    body = len(der).to_bytes(3, "big") + der
    body = len(body).to_bytes(3, "big") + body
    message = b"\2\0\0\x26" + bytes(38) + b"\x0b" + len(body).to_bytes(3, "big") + body
    return b"\x16\x03\x03" + len(message).to_bytes(2, "big") + message


@pytest.mark.parametrize("names", [[], ["a.example"], [f"n{i}.example" for i in range(300)]])
def test_common_names_organisations_and_alternative_names(names: list[str]) -> None:
    subject = [
        x509.NameAttribute(NameOID.COUNTRY_NAME, "KZ"),
        x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Société Ünique"),
        x509.NameAttribute(NameOID.COMMON_NAME, "Common.example"),
    ]
    found = dissect(wrap(_der(subject, names)))
    assert isinstance(found, Certificate)
    assert found.names == (*names, "common.example")
    assert found.issuer == ("Société Ünique", "Common.example")


@given(st.data())
def test_any_bytes_are_read_or_not(data: st.DataObject) -> None:
    der = bytearray(x509.load_pem_x509_certificate(PAIR.certificate).public_bytes(
        serialization.Encoding.DER))  # fmt: skip
    for _ in range(data.draw(st.integers(0, 8))):
        der[data.draw(st.integers(0, len(der) - 1))] = data.draw(st.integers(0, 255))
    assert isinstance(dissect(wrap(bytes(der))), Certificate)
    dissect(data.draw(st.binary(max_size=80)))
    dissect(b"\x16\x03\x03" + data.draw(st.binary(max_size=80)))


# --- through the engine -----------------------------------------------------------------------

NAME = {"tls.certificate": {"suffix": ["blocked.example"]}}


def heard(Talk: Any, talk: Any, when: Any, version: ssl.TLSVersion, step: int, **more: Any) -> Any:
    rule = {"id": "r", "when": when, "then": {"drop": "flow"}}
    made = Talk({"position": "in-path", "rules": [rule], **more})
    hello, answer = talk[version]
    tcp = made.connection(port=443)
    assert tcp.say(hello).verdict is Verdict.ACCEPT
    for at in range(0, len(answer), step):
        if tcp.say(answer[at : at + step], back=True).verdict is Verdict.DROP:
            return made.events()[-1].trigger
    return None


@pytest.mark.parametrize("step", [50, 600, 5000])
@pytest.mark.parametrize(
    ("when", "hit"),
    [
        (NAME, True),
        ({"tls.certificate": {"exact": ["9.9.9.9"]}}, True),
        ({"tls.certificate": {"suffix": ["other.example"]}}, False),
        ({"tls.issuer": {"substring": ["Testbed"]}}, True),
        ({"tls.issuer": {"substring": ["Testbed"], "case": True}}, False),
        ({**NAME, "tls.sni": {"exact": ["www.blocked.example"]}, "tls.version": ["1.2"]}, True),
        ({**NAME, "tls.sni": {"exact": ["free.example"]}}, False),
        ({"tls": True, "not": NAME}, False),
        ({"tls": True, "not": {"tls.certificate": {"exact": ["free.example"]}}}, True),
        ({**NAME, "not": {"tls.sni": {"exact": ["free.example"]}}}, True),
    ],
)
def test_rules_ask_for_it(Talk: Any, talk: Any, when: Any, hit: bool, step: int) -> None:
    trigger = heard(Talk, talk, when, ssl.TLSVersion.TLSv1_2, step)
    assert (trigger is not None) is hit
    if hit:
        said = {"tls.sni": "www.blocked.example", "tls.certificate": "www.blocked.example"}
        assert trigger == said


def test_of_later_versions_nobody_sees_one(Talk: Any, talk: Any) -> None:
    assert heard(Talk, talk, NAME, ssl.TLSVersion.TLSv1_3, 600) is None


def test_a_box_that_joins_nothing_reads_what_one_segment_holds(Talk: Any, talk: Any) -> None:
    alone = {"tcp": {"reassemble": False}}
    assert heard(Talk, talk, NAME, ssl.TLSVersion.TLSv1_2, 5000, **alone) is not None
    assert heard(Talk, talk, NAME, ssl.TLSVersion.TLSv1_2, 50, **alone) is None


def test_a_rule_about_the_hello_acts_once(Talk: Any, talk: Any) -> None:
    rules = [
        {"id": "hello", "when": {"tls.sni": {"suffix": ["example"]}}, "then": {"inject": "reset"}},
        {"id": "leaf", "when": NAME, "then": {"inject": "reset"}},
    ]
    made = Talk({"position": "on-path", "rules": rules})
    hello, answer = talk[ssl.TLSVersion.TLSv1_2]
    tcp = made.connection(port=443)
    tcp.say(hello)
    tcp.say(answer, back=True)
    tcp.say(b"more", back=True)
    assert [e.rule for e in made.events() if e.event == "matched"] == ["hello", "leaf"]


def test_nothing_is_taken_over_so_late() -> None:
    rule = {"id": "r", "when": {"tls": True, **NAME}, "then": {"intercept": "tls"}}
    (problem,) = problems({"position": "in-path", "rules": [rule]})
    assert problem.path == ("rules", 0, "then", "intercept")
    assert "the ClientHello has passed" in problem.expected
