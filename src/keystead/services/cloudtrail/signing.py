"""The keys that sign an account's digests: RSA of 2048 bits, a new one each year, old public halves kept for ever."""

from __future__ import annotations

from hashlib import md5
from typing import Final

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from keystead.keyring import Keyring
from keystead.services.cloudtrail.tables import SIGNING_KEYS, SigningKey
from keystead.storage import Store, Transaction

LATE: Final = 2 * 3600
"""Seconds by which a digest may be signed after the time that it is about."""
_YEAR: Final = 365 * 86400
_KIND: Final = "trail signing key"


def signing_key(store: Store, keyring: Keyring, account: str, now: float) -> SigningKey:
    """The account's key of this year, made if there is none.

    Raises:
        errors.StorageError: the store cannot be read or written.
    """

    def current(tx: Transaction) -> SigningKey:
        keys = [key for _, key in tx.scan(SIGNING_KEYS, f"{account}/")]
        if keys and keys[-1].ends > now:
            return keys[-1]
        made = _new(keyring, account, float(int(now)))
        tx.insert(SIGNING_KEYS, f"{account}/{int(now):012d}", made)
        return made

    return store.run(current)


def _new(keyring: Keyring, account: str, now: float) -> SigningKey:
    private = rsa.generate_private_key(65537, 2048)
    public = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    secret = private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    # A name, as CloudTrail gives it; nothing rests on it that MD5 would have to hold.
    fingerprint = md5(public, usedforsecurity=False).hexdigest()
    return SigningKey(fingerprint, keyring.seal_token(_KIND, secret, account), public, now, now + _YEAR)


def sign(keyring: Keyring, account: str, key: SigningKey, text: str) -> str:
    """The signature in hex: RSASSA-PKCS1-v1_5 with SHA-256 (CloudTrail User Guide, "digest file structure").

    Raises:
        errors.DecryptionFailed: the key is not one of the account's.
    """
    private = load_der_private_key(keyring.open_token(_KIND, key.sealed, account), None)
    assert isinstance(private, rsa.RSAPrivateKey)
    return private.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()).hex()
