"""CiphertextForRecipient: a CMS enveloped message (RFC 5652 section 6) for one RSA key.

What the Nitro Enclaves SDK reads: EnvelopedData version 2 with one KeyTransRecipientInfo version 2, which names
its key by a subject key identifier; RSAES-OAEP with SHA-256 and its parameters stated (RFC 4055 section 4.1);
AES-256-CBC with PKCS #7 padding (RFC 3565). AWS writes BER, this is DER, which is BER too.

CBC shows no tampering. The message goes back to its recipient inside the answer's TLS, as with AWS.
"""

from __future__ import annotations

from asn1crypto import algos, cms
from cryptography import x509
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from keystead.crypto import der, rsa
from keystead.entropy import Entropy

ALGORITHM = "RSAES_OAEP_SHA_256"
"""The only one that KMS offers to a recipient."""

_KEY_BYTES = 32
_IV_BYTES = 16
_BLOCK_BITS = 128


def envelop(spki: bytes, plaintext: bytes, entropy: Entropy) -> bytes:
    """A ContentInfo in DER that only the private half of the RSA key `spki` opens.

    Raises:
        BadPublicKey: `spki` is not an RSA public key.
        PlaintextTooLong: The RSA key is too short for an AES key.
    """
    key, iv = entropy.random(_KEY_BYTES), entropy.random(_IV_BYTES)
    recipient = cms.KeyTransRecipientInfo(
        {
            "version": "v2",
            "rid": cms.RecipientIdentifier("subject_key_identifier", _key_identifier(spki)),
            "key_encryption_algorithm": _oaep_sha_256(),
            "encrypted_key": rsa.encrypt_to(spki, key, ALGORITHM),
        }
    )
    content = cms.EncryptedContentInfo(
        {
            "content_type": "data",
            "content_encryption_algorithm": {"algorithm": "aes256_cbc", "parameters": iv},
            "encrypted_content": _encrypt(key, iv, plaintext),
        }
    )
    enveloped = cms.EnvelopedData(
        {
            "version": "v2",
            "recipient_infos": [cms.RecipientInfo("ktri", recipient)],
            "encrypted_content_info": content,
        }
    )
    message: bytes = cms.ContentInfo({"content_type": "enveloped_data", "content": enveloped}).dump()
    return message


def _key_identifier(spki: bytes) -> bytes:
    """RFC 5280 section 4.2.1.2, method (1)."""
    return x509.SubjectKeyIdentifier.from_public_key(der.load_public(spki)).digest  # type: ignore[arg-type]  # RSA


def _oaep_sha_256() -> cms.KeyEncryptionAlgorithm:
    sha_256 = algos.DigestAlgorithm({"algorithm": "sha256"})
    mask = algos.MaskGenAlgorithm({"algorithm": "mgf1", "parameters": sha_256})
    parameters = algos.RSAESOAEPParams({"hash_algorithm": sha_256.copy(), "mask_gen_algorithm": mask})
    return cms.KeyEncryptionAlgorithm({"algorithm": "rsaes_oaep", "parameters": parameters})


def _encrypt(key: bytes, iv: bytes, plaintext: bytes) -> bytes:
    padder = padding.PKCS7(_BLOCK_BITS).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(padder.update(plaintext) + padder.finalize()) + encryptor.finalize()
