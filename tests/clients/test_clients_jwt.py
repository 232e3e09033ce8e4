"""jwt-kms: tokens signed with our keys, verified offline with their public halves."""

import base64
import json

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import load_pem_public_key

jwk = pytest.importorskip("jwt_kms.jwk", reason="jwt-kms is not installed")
jws = pytest.importorskip("jwt_kms.jws", reason="jwt-kms is not installed")

pytestmark = pytest.mark.client

PAYLOAD = {"sub": "alice", "admin": False}
HASHES = {"256": hashes.SHA256(), "384": hashes.SHA384(), "512": hashes.SHA512()}
ALGORITHMS = [
    ("RSA_2048", "RS256"),
    ("RSA_2048", "RS384"),
    ("RSA_3072", "RS512"),
    ("RSA_2048", "PS256"),
    ("RSA_2048", "PS384"),
    ("RSA_2048", "PS512"),
    ("ECC_NIST_P256", "ES256"),
    ("ECC_NIST_P384", "ES384"),
]
"""jwt-kms 0.1.4 knows P-521 by a wrong name, so it has no ES512."""


def decoded(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def verify(public, signature, signed, algorithm):
    """Raises InvalidSignature; as RFC 7518, section 3, has it, independently of jwt-kms."""
    digest = HASHES[algorithm[2:]]
    if algorithm.startswith("ES"):
        half = len(signature) // 2
        r, s = (int.from_bytes(part) for part in (signature[:half], signature[half:]))
        public.verify(encode_dss_signature(r, s), signed, ec.ECDSA(digest))
    elif algorithm.startswith("PS"):
        public.verify(signature, signed, padding.PSS(padding.MGF1(digest), digest.digest_size), digest)
    else:
        public.verify(signature, signed, padding.PKCS1v15(), digest)


@pytest.mark.parametrize(("spec", "algorithm"), ALGORITHMS)
def test_a_token_signed_by_kms_verifies_offline(kms, new_key, spec, algorithm):
    key = jwk.Key(kms, new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")["KeyId"])
    token = jws.JWS(PAYLOAD).add_signature(key, algorithm).serialize(compact=True)
    header, payload, signature = token.split(".")
    assert json.loads(decoded(header))["alg"] == algorithm
    assert json.loads(decoded(payload)) == PAYLOAD
    public = load_pem_public_key(key.public_key_pem)
    verify(public, decoded(signature), f"{header}.{payload}".encode(), algorithm)
    with pytest.raises(InvalidSignature):
        verify(public, decoded(signature), f"{header}.{payload}x".encode(), algorithm)


def test_a_key_that_encrypts_signs_no_token(kms, new_key):
    key = jwk.Key(kms, new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyId"])
    with pytest.raises(jwk.JWKError, match="not for signing"):
        jws.JWS(PAYLOAD).add_signature(key, "RS256")
