"""Derive the keys of QUIC Initial packets, which anybody can, and open the packets with them.

The one module of the censor that deciphers anything.
"""

from __future__ import annotations

from hmac import digest
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import ECB

from censor.dissect.quic_habit import V1, V2

__all__ = ["SAMPLE", "SCHEDULES", "TAG", "V1", "V2", "Keys", "Schedule", "derive"]

#: What hides the packet number is made from this many bytes of ciphertext (RFC 9001, 5.4.2).
SAMPLE: Final = 16

#: The AEAD's authentication tag, at the end of every packet, in bytes (RFC 9001 section 5.3).
TAG: Final = 16


class Schedule(NamedTuple):
    """What a version puts into its key derivation: the salt, and the labels' HkdfLabel."""

    salt: bytes
    key: bytes
    iv: bytes
    hp: bytes


class Keys:
    """One direction's Initial keys. Source: RFC 9001 sections 5.2 to 5.4."""

    __slots__ = ("_aead", "_mask", "hp", "iv", "key")

    def __init__(self, key: bytes, iv: bytes, hp: bytes) -> None:
        self.key = key
        self.iv = iv
        self.hp = hp
        self._aead = AESGCM(key)
        self._mask = Cipher(AES(hp), ECB()).encryptor()  # ECB: every sample stands alone

    def mask(self, sample: bytes) -> bytes:
        """Return what hides the header; `sample` has exactly `SAMPLE` bytes."""
        return self._mask.update(sample)[:5]

    def open(self, number: int, header: bytes, sealed: bytes) -> bytes | None:
        """Decipher a payload, None if it was not sealed with these keys over this header."""
        nonce = (int.from_bytes(self.iv, "big") ^ number).to_bytes(12, "big")
        try:
            return self._aead.decrypt(nonce, sealed, header)
        except InvalidTag:
            return None


def _label(text: bytes, length: int) -> bytes:
    """Build an HkdfLabel, and HKDF-Expand's counter behind it (RFC 8446 section 7.1)."""
    text = b"tls13 " + text
    return length.to_bytes(2, "big") + bytes((len(text),)) + text + b"\0\1"


#: Versions whose Initials can be opened. Source: RFC 9001 section 5.2, RFC 9369 section 3.3.
SCHEDULES: Final = {
    V1: Schedule(
        bytes.fromhex("38762cf7f55934b34d179ae6a4c80cadccbb7f0a"),
        _label(b"quic key", 16),
        _label(b"quic iv", 12),
        _label(b"quic hp", 16),
    ),
    V2: Schedule(
        bytes.fromhex("0dede3def700a6db819381be6e269dcbf9bd2ed9"),
        _label(b"quicv2 key", 16),
        _label(b"quicv2 iv", 12),
        _label(b"quicv2 hp", 16),
    ),
}

_CLIENT: Final = _label(b"client in", 32)
_SERVER: Final = _label(b"server in", 32)


def derive(version: int, dcid: bytes, *, server: bool = False) -> Keys:
    """Derive the keys for one direction.

    Args: version: one of `SCHEDULES`. dcid: the destination connection id of the client's first
        Initial (after a Retry: of its first behind that), for both directions.
    """
    schedule = SCHEDULES[version]
    initial = digest(schedule.salt, dcid, "sha256")
    secret = digest(initial, _SERVER if server else _CLIENT, "sha256")
    return Keys(
        digest(secret, schedule.key, "sha256")[:16],
        digest(secret, schedule.iv, "sha256")[:12],
        digest(secret, schedule.hp, "sha256")[:16],
    )
