"""What a key can do, whichever family it is of; what the key ring lends."""

from __future__ import annotations

from typing import Protocol, runtime_checkable


@runtime_checkable
class Signer(Protocol):
    """Signs and verifies: RSA, ECC, Ed25519, ML-DSA."""

    public_der: bytes

    def sign(self, message: bytes, algorithm: str, message_type: str) -> bytes:
        """The signature of `message`."""
        ...

    def verify(self, message: bytes, signature: bytes, algorithm: str, message_type: str) -> None:
        """Nothing, if `signature` is the message's; else VerificationFailed is raised."""
        ...


@runtime_checkable
class Encrypter(Protocol):
    """Encrypts to a public key: RSA."""

    public_der: bytes

    def encrypt(self, plaintext: bytes, algorithm: str) -> bytes:
        """The ciphertext of `plaintext`."""
        ...

    def decrypt(self, ciphertext: bytes, algorithm: str) -> bytes:
        """The plaintext of `ciphertext`."""
        ...


@runtime_checkable
class Agreement(Protocol):
    """Agrees on a secret with the holder of another key: ECC."""

    public_der: bytes

    def derive(self, peer_spki: bytes) -> bytes:
        """The shared secret."""
        ...


@runtime_checkable
class Kem(Protocol):
    """Makes and opens encapsulated secrets: ML-KEM."""

    public_der: bytes

    def encapsulate(self) -> tuple[bytes, bytes]:
        """A shared secret and its ciphertext."""
        ...

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """The shared secret."""
        ...


@runtime_checkable
class Mac(Protocol):
    """Makes and checks message authentication codes: HMAC."""

    def generate_mac(self, message: bytes, algorithm: str) -> bytes:
        """The MAC of `message`."""
        ...

    def verify_mac(self, message: bytes, mac: bytes, algorithm: str) -> None:
        """Nothing, if `mac` is the message's; else VerificationFailed is raised."""
        ...
