"""One row for each KMS key spec: how its material is made, checked and loaded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import MappingProxyType
from typing import TypeAlias

import msgspec

from keystead.crypto import aead, ecc, eddsa, mac, message, mldsa, mlkem, rsa

Key: TypeAlias = (
    aead.Aead | rsa.RsaKey | ecc.EccKey | eddsa.Ed25519Key | mac.MacKey | mldsa.MlDsaKey | mlkem.MlKemKey
)


class KeyType(msgspec.Struct, frozen=True):
    """What can be done with the material of one key spec.

    Material is raw bytes for symmetric and HMAC keys and PKCS#8 DER for all others. `generate` makes
    it; `check` takes imported material, gives it back in the one form that is stored, and raises
    BadKeyMaterial; `load` takes what the other two returned and gives a key with its abilities.
    `slow` keys use more than about 0.2 ms for one operation, or far more to be generated: their work
    belongs off the event loop. A `long_check` holds the interpreter for up to a third of a second.
    """

    generate: Callable[[], bytes]
    check: Callable[[bytes], bytes]
    load: Callable[[bytes], Key]
    slow: bool
    long_check: bool = False


def _rsa(bits: int) -> KeyType:
    make, check = partial(rsa.generate, bits), partial(rsa.check, bits=bits)
    return KeyType(make, check, rsa.RsaKey, slow=True, long_check=True)


def _ecc(spec: str, *, slow: bool) -> KeyType:
    return KeyType(partial(ecc.generate, spec), partial(ecc.check, spec=spec), ecc.EccKey, slow)


def _hmac(spec: str) -> KeyType:
    return KeyType(partial(mac.generate, spec), partial(mac.check, spec=spec), mac.MacKey, slow=False)


def _ml_dsa(spec: str) -> KeyType:
    return KeyType(partial(mldsa.generate, spec), partial(mldsa.check, spec=spec), mldsa.MlDsaKey, slow=True)


def _ml_kem(spec: str) -> KeyType:
    return KeyType(partial(mlkem.generate, spec), partial(mlkem.check, spec=spec), mlkem.MlKemKey, slow=False)


KEY_TYPES: MappingProxyType[str, KeyType] = MappingProxyType(
    {
        "SYMMETRIC_DEFAULT": KeyType(aead.generate, aead.check, aead.Aead, slow=False),
        "RSA_2048": _rsa(2048),
        "RSA_3072": _rsa(3072),
        "RSA_4096": _rsa(4096),
        # OpenSSL has fast constant-time code for P-256 and Ed25519 only.
        "ECC_NIST_P256": _ecc("ECC_NIST_P256", slow=False),
        "ECC_NIST_P384": _ecc("ECC_NIST_P384", slow=True),
        "ECC_NIST_P521": _ecc("ECC_NIST_P521", slow=True),
        "ECC_SECG_P256K1": _ecc("ECC_SECG_P256K1", slow=True),
        "ECC_NIST_EDWARDS25519": KeyType(eddsa.generate, eddsa.check, eddsa.Ed25519Key, slow=False),
        "HMAC_224": _hmac("HMAC_224"),
        "HMAC_256": _hmac("HMAC_256"),
        "HMAC_384": _hmac("HMAC_384"),
        "HMAC_512": _hmac("HMAC_512"),
        "ML_DSA_44": _ml_dsa("ML_DSA_44"),
        "ML_DSA_65": _ml_dsa("ML_DSA_65"),
        "ML_DSA_87": _ml_dsa("ML_DSA_87"),
        "ML_KEM_768": _ml_kem("ML_KEM_768"),
        "ML_KEM_1024": _ml_kem("ML_KEM_1024"),
    }
)
"""By AWS's KeySpec name. SM2 exists in AWS's China Regions only; for ML_KEM_512 see `mlkem`."""

_HASHED = frozenset({message.RAW, message.DIGEST})

MESSAGE_TYPES: MappingProxyType[str, frozenset[str]] = MappingProxyType(
    dict.fromkeys((*rsa.SIGNING, *ecc.SIGNING), _HASHED)
    | {algorithm: frozenset({only}) for algorithm, only in eddsa.SIGNING.items()}
    | {mldsa.ALGORITHM: frozenset({message.RAW, message.EXTERNAL_MU})}
)
"""The message types that each signing algorithm takes; a key given another raises ValueError."""
