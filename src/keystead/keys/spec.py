"""Key specs: which usages each allows and which algorithms each usage offers.

Source: AWS KMS Developer Guide, "Key spec reference". SM2 is for China Regions only and
ML_KEM_512 has no well-kept library here; both are refused by name.
"""

from __future__ import annotations

from functools import cached_property

import msgspec

from keystead import errors

ENCRYPT_DECRYPT = "ENCRYPT_DECRYPT"
SIGN_VERIFY = "SIGN_VERIFY"
GENERATE_VERIFY_MAC = "GENERATE_VERIFY_MAC"
KEY_AGREEMENT = "KEY_AGREEMENT"
ENCAPSULATE_DECAPSULATE = "ENCAPSULATE_DECAPSULATE"

SYMMETRIC_DEFAULT = "SYMMETRIC_DEFAULT"

RSA_ENCRYPTION = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
RSA_SIGNING = (
    "RSASSA_PKCS1_V1_5_SHA_256",
    "RSASSA_PKCS1_V1_5_SHA_384",
    "RSASSA_PKCS1_V1_5_SHA_512",
    "RSASSA_PSS_SHA_256",
    "RSASSA_PSS_SHA_384",
    "RSASSA_PSS_SHA_512",
)


class KeySpec(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One key spec: its name, and the algorithms of each usage it allows."""

    name: str
    algorithms: dict[str, tuple[str, ...]]
    symmetric: bool = False
    material_lengths: tuple[int, ...] = ()
    """Lengths in bytes that imported symmetric material may have; empty for key pairs."""

    @cached_property
    def is_encryption_key(self) -> bool:
        """True for the symmetric encryption key, the only one with rotation and encryption context."""
        return self.name == SYMMETRIC_DEFAULT


def _rsa(name: str) -> KeySpec:
    return KeySpec(name=name, algorithms={ENCRYPT_DECRYPT: RSA_ENCRYPTION, SIGN_VERIFY: RSA_SIGNING})


def _nist(name: str, signing: str) -> KeySpec:
    return KeySpec(name=name, algorithms={SIGN_VERIFY: (signing,), KEY_AGREEMENT: ("ECDH",)})


def _sign_only(name: str, *signing: str) -> KeySpec:
    return KeySpec(name=name, algorithms={SIGN_VERIFY: signing})


def _mac(bits: int) -> KeySpec:
    return KeySpec(
        name=f"HMAC_{bits}",
        algorithms={GENERATE_VERIFY_MAC: (f"HMAC_SHA_{bits}",)},
        symmetric=True,
        material_lengths=(bits // 8,),
    )


def _kem(name: str) -> KeySpec:
    return KeySpec(name=name, algorithms={ENCAPSULATE_DECAPSULATE: ("ML_KEM",)})


KEY_SPECS: dict[str, KeySpec] = {
    spec.name: spec
    for spec in (
        KeySpec(
            name=SYMMETRIC_DEFAULT,
            algorithms={ENCRYPT_DECRYPT: (SYMMETRIC_DEFAULT,)},
            symmetric=True,
            material_lengths=(32,),
        ),
        _rsa("RSA_2048"),
        _rsa("RSA_3072"),
        _rsa("RSA_4096"),
        _nist("ECC_NIST_P256", "ECDSA_SHA_256"),
        _nist("ECC_NIST_P384", "ECDSA_SHA_384"),
        _nist("ECC_NIST_P521", "ECDSA_SHA_512"),
        _sign_only("ECC_SECG_P256K1", "ECDSA_SHA_256"),
        _sign_only("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "ED25519_PH_SHA_512"),
        _mac(224),
        _mac(256),
        _mac(384),
        _mac(512),
        _sign_only("ML_DSA_44", "ML_DSA_SHAKE_256"),
        _sign_only("ML_DSA_65", "ML_DSA_SHAKE_256"),
        _sign_only("ML_DSA_87", "ML_DSA_SHAKE_256"),
        _kem("ML_KEM_768"),
        _kem("ML_KEM_1024"),
    )
}

UNSUPPORTED_SPECS = {
    "SM2": "SM2 keys are available in China Regions only.",
    "ML_KEM_512": "ML_KEM_512 keys are not supported by this server.",
}
"""Specs of the AWS model that Keystead refuses, with the message it gives."""


def spec_named(name: str) -> KeySpec:
    """The key spec called `name` (a member of the API's enum).

    Raises:
        errors.UnsupportedOperation: AWS names the spec, Keystead has no implementation of it.
    """
    if name in UNSUPPORTED_SPECS:
        raise errors.UnsupportedOperation(UNSUPPORTED_SPECS[name])
    return KEY_SPECS[name]


def check_usage(spec: KeySpec, usage: str | None) -> str:
    """The key usage to create a key of `spec` with, its default filled in.

    Raises:
        errors.Validation: no usage given where AWS asks for one, or one the spec does not allow.
    """
    if usage is None:
        if spec.is_encryption_key:
            return ENCRYPT_DECRYPT
        raise errors.Validation(
            "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys."
        )
    if usage not in spec.algorithms:
        raise errors.Validation(f"KeyUsage {usage} is not compatible with KeySpec {spec.name}")
    return usage
