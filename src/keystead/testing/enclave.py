"""An enclave with a root of its own: what tests of policies about attested callers call from.

It signs attestation documents as a Nitro Secure Module does and opens what comes back. Name `root_pem` in the
setting `attestation_roots` of the server under test only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import cbor2
from asn1crypto import cms
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives import padding as blocks
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.x509.oid import NameOID

_DER = serialization.Encoding.DER
_PROTECTED = cbor2.dumps({1: -35})  # ES384
_VALID = timedelta(days=1)


class Enclave:
    """An attested machine; `pcrs` are its measurements by register, 48 bytes each."""

    def __init__(
        self, pcrs: Mapping[int, bytes], module_id: str = "i-0123456789abcdef0-enc0123456789abcdef"
    ) -> None:
        self.pcrs = dict(pcrs)
        self.module_id = module_id
        self._answers = rsa.generate_private_key(65537, 2048)
        root_key, self._signer = (ec.generate_private_key(ec.SECP384R1()) for _ in range(2))
        self._root = _certificate("test root", root_key, root_key, authority=True)
        self._leaf = _certificate(module_id, self._signer, root_key, authority=False)
        self.root_pem = self._root.public_bytes(serialization.Encoding.PEM)

    def document(self, **members: Any) -> bytes:
        """A signed attestation document of now, with `members` of its payload in place of the true ones."""
        public = self._answers.public_key()
        payload = {
            "module_id": self.module_id,
            "digest": "SHA384",
            "timestamp": int(time.time() * 1000),
            "pcrs": self.pcrs,
            "certificate": self._leaf.public_bytes(_DER),
            "cabundle": [self._root.public_bytes(_DER)],
            "public_key": public.public_bytes(_DER, serialization.PublicFormat.SubjectPublicKeyInfo),
            "user_data": None,
            "nonce": None,
        }
        said = cbor2.dumps(payload | members)
        return cbor2.dumps([_PROTECTED, {}, said, self._sign(said)])

    def recipient(self, **members: Any) -> dict[str, Any]:
        """The `Recipient` of a call, with a document as `document` makes it."""
        return {
            "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
            "AttestationDocument": self.document(**members),
        }

    def open(self, ciphertext_for_recipient: bytes) -> bytes:
        """What the server encrypted to this enclave.

        Raises:
            ValueError: It is not a message for this enclave.
        """
        enveloped = cms.ContentInfo.load(ciphertext_for_recipient, strict=True)["content"]
        wrapped = enveloped["recipient_infos"][0].chosen["encrypted_key"].native
        sha_256 = hashes.SHA256()
        key = self._answers.decrypt(wrapped, padding.OAEP(padding.MGF1(sha_256), sha_256, None))
        content = enveloped["encrypted_content_info"]
        iv = content["content_encryption_algorithm"]["parameters"].native
        decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
        padded = decryptor.update(content["encrypted_content"].native) + decryptor.finalize()
        unpadder = blocks.PKCS7(128).unpadder()
        return unpadder.update(padded) + unpadder.finalize()

    def _sign(self, payload: bytes) -> bytes:
        signed = cbor2.dumps(["Signature1", _PROTECTED, b"", payload])
        pair = decode_dss_signature(self._signer.sign(signed, ec.ECDSA(hashes.SHA384())))
        return b"".join(number.to_bytes(48, "big") for number in pair)


def _certificate(
    subject: str, key: ec.EllipticCurvePrivateKey, issuer: ec.EllipticCurvePrivateKey, *, authority: bool
) -> x509.Certificate:
    """The root's own certificate, or one that the root issues."""
    now = datetime.now(UTC)
    usage = x509.KeyUsage(
        digital_signature=not authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=authority,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name("test root"))
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _VALID)
        .not_valid_after(now + _VALID)
        .public_key(key.public_key())
        .add_extension(x509.BasicConstraints(authority, None), critical=True)
        .add_extension(usage, critical=True)
        .sign(issuer, hashes.SHA384())
    )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
