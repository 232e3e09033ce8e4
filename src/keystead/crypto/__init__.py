"""Every cryptographic primitive that Keystead uses, each in one module, on vetted libraries.

This room owns how bytes become keys, ciphertexts, signatures and MACs: the sealed message form, the
published ciphertext blob, and one row for each KMS key spec with one shape for all families. It refuses
to know which key a caller may use, what state a key is in, where material is stored and what AWS
answers: it takes and returns bytes, and raises `errors.CryptoError` with nothing secret in it.
"""

from keystead.crypto.abilities import Agreement, Encrypter, Kem, Mac, Signer
from keystead.crypto.aead import SALT_BYTES, Aead
from keystead.crypto.derive import subkey
from keystead.crypto.secret import SECRET_ACCESS, Opaque, Secret, SecretAccess
from keystead.crypto.spec import KEY_TYPES, MESSAGE_TYPES, Key, KeyType

__all__ = [
    "KEY_TYPES",
    "MESSAGE_TYPES",
    "SALT_BYTES",
    "SECRET_ACCESS",
    "Aead",
    "Agreement",
    "Encrypter",
    "Kem",
    "Key",
    "KeyType",
    "Mac",
    "Opaque",
    "Secret",
    "SecretAccess",
    "Signer",
    "subkey",
]
