"""Signatures, public keys and key agreement, by boto3 against a running server and by OpenSSL offline."""

import hashlib
import shutil
import subprocess

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key

MESSAGE = b"what is signed"
OPENSSL = shutil.which("openssl")
needs_openssl = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")

SIGNERS = {
    "RSA_2048": [
        "RSASSA_PSS_SHA_256",
        "RSASSA_PSS_SHA_384",
        "RSASSA_PSS_SHA_512",
        "RSASSA_PKCS1_V1_5_SHA_256",
        "RSASSA_PKCS1_V1_5_SHA_384",
        "RSASSA_PKCS1_V1_5_SHA_512",
    ],
    "ECC_NIST_P256": ["ECDSA_SHA_256"],
    "ECC_NIST_P384": ["ECDSA_SHA_384"],
    "ECC_NIST_P521": ["ECDSA_SHA_512"],
    "ECC_SECG_P256K1": ["ECDSA_SHA_256"],
    "ECC_NIST_EDWARDS25519": ["ED25519_SHA_512", "ED25519_PH_SHA_512"],
    "ML_DSA_44": ["ML_DSA_SHAKE_256"],
    "ML_DSA_87": ["ML_DSA_SHAKE_256"],
}
HASHED = {
    spec: algorithms
    for spec, algorithms in SIGNERS.items()
    if spec.startswith(("RSA", "ECC_NIST_P", "ECC_SECG"))
}


def digest_of(algorithm):
    return hashlib.new("sha" + algorithm.rpartition("_")[2], MESSAGE).digest()


@pytest.fixture
def signer(new_key):
    return lambda spec="ECC_NIST_P256": new_key(KeySpec=spec, KeyUsage="SIGN_VERIFY")


def pairs(table):
    return [(spec, algorithm) for spec, algorithms in table.items() for algorithm in algorithms]


# ------------------------------------------------------------------------------- Sign, Verify


@pytest.mark.parametrize(("spec", "algorithm"), pairs(SIGNERS))
def test_what_is_signed_verifies_and_nothing_else(kms, signer, refused, spec, algorithm):
    key = signer(spec)
    only_digest = algorithm == "ED25519_PH_SHA_512"
    message = hashlib.sha512(MESSAGE).digest() if only_digest else MESSAGE
    asked = {
        "KeyId": key["KeyId"],
        "SigningAlgorithm": algorithm,
        "MessageType": "DIGEST" if only_digest else "RAW",
    }
    signed = kms.sign(Message=message, **asked)
    assert (signed["KeyId"], signed["SigningAlgorithm"]) == (key["Arn"], algorithm)
    verified = kms.verify(Message=message, Signature=signed["Signature"], **asked)
    assert (verified["SignatureValid"], verified["KeyId"]) == (True, key["Arn"])
    other = bytes([message[0] ^ 1]) + message[1:]
    with refused("KMSInvalidSignatureException", ""):
        kms.verify(Message=other, Signature=signed["Signature"], **asked)
    with refused("KMSInvalidSignatureException", ""):
        kms.verify(Message=message, Signature=signed["Signature"][:-1], **asked)


@pytest.mark.parametrize(("spec", "algorithm"), pairs(HASHED))
def test_a_digest_is_never_hashed_again(kms, signer, spec, algorithm):
    key = signer(spec)
    asked = {"KeyId": key["KeyId"], "SigningAlgorithm": algorithm}
    signature = kms.sign(Message=digest_of(algorithm), MessageType="DIGEST", **asked)["Signature"]
    assert kms.verify(Message=MESSAGE, Signature=signature, **asked)["SignatureValid"]


@pytest.mark.parametrize(
    ("spec", "algorithm"), [*pairs(HASHED), ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512")]
)
def test_a_digest_of_another_length_is_refused_in_both(kms, signer, refused, spec, algorithm):
    asked = {
        "KeyId": signer(spec)["KeyId"],
        "SigningAlgorithm": algorithm,
        "MessageType": "DIGEST",
        "Message": b"short",
    }
    said = f"Digest is invalid length for algorithm {algorithm}."
    with refused("ValidationException", said):
        kms.sign(**asked)
    with refused("ValidationException", said):
        kms.verify(Signature=b"s", **asked)


def test_external_mu_of_ml_dsa(kms, signer, refused):
    key = signer("ML_DSA_65")
    spki = kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]
    raw = load_der_public_key(spki).public_bytes_raw()
    prefix = hashlib.shake_256(raw).digest(64) + b"\0\0"
    mu = hashlib.shake_256(prefix + MESSAGE).digest(64)
    asked = {"KeyId": key["KeyId"], "SigningAlgorithm": "ML_DSA_SHAKE_256"}
    signature = kms.sign(Message=mu, MessageType="EXTERNAL_MU", **asked)["Signature"]
    assert kms.verify(Message=MESSAGE, Signature=signature, **asked)["SignatureValid"]
    with refused("ValidationException", "Digest is invalid length for algorithm ML_DSA_SHAKE_256."):
        kms.sign(Message=mu[1:], MessageType="EXTERNAL_MU", **asked)


@pytest.mark.parametrize(
    ("spec", "algorithm", "message_type"),
    [
        ("ECC_NIST_EDWARDS25519", "ED25519_SHA_512", "DIGEST"),
        ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "RAW"),
        ("ML_DSA_44", "ML_DSA_SHAKE_256", "DIGEST"),
        ("ECC_NIST_P256", "ECDSA_SHA_256", "EXTERNAL_MU"),
    ],
)
def test_message_types_that_an_algorithm_does_not_take(kms, signer, refused, spec, algorithm, message_type):
    with refused("ValidationException"):
        kms.sign(
            KeyId=signer(spec)["KeyId"],
            SigningAlgorithm=algorithm,
            MessageType=message_type,
            Message=b"m" * 64,
        )


def test_wrong_usage_wrong_algorithm_and_states(kms, new_key, signer, refused):
    plain, key = new_key(), signer()
    asked = {"Message": MESSAGE, "SigningAlgorithm": "ECDSA_SHA_256"}
    with refused(
        "InvalidKeyUsageException",
        f"{plain['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for Sign.",
    ):
        kms.sign(KeyId=plain["KeyId"], **asked)
    with refused(
        "InvalidKeyUsageException",
        f"{plain['Arn']} key usage is ENCRYPT_DECRYPT which is not valid for Verify.",
    ):
        kms.verify(KeyId=plain["KeyId"], Signature=b"s", **asked)
    with refused(
        "InvalidKeyUsageException", "Algorithm ECDSA_SHA_384 is incompatible with key spec ECC_NIST_P256."
    ):
        kms.sign(KeyId=key["KeyId"], Message=MESSAGE, SigningAlgorithm="ECDSA_SHA_384")
    with refused("DryRunOperationException"):
        kms.sign(KeyId=key["KeyId"], DryRun=True, **asked)
    kms.disable_key(KeyId=key["KeyId"])
    with refused("DisabledException", f"{key['Arn']} is disabled."):
        kms.sign(KeyId=key["KeyId"], **asked)


# -------------------------------------------------------------------------------- public keys


@pytest.mark.parametrize(
    ("spec", "usage", "member"),
    [
        ("RSA_2048", "ENCRYPT_DECRYPT", "EncryptionAlgorithms"),
        ("RSA_2048", "SIGN_VERIFY", "SigningAlgorithms"),
        ("ECC_NIST_P384", "KEY_AGREEMENT", "KeyAgreementAlgorithms"),
        ("ML_KEM_768", "ENCAPSULATE_DECAPSULATE", "EncapsulationAlgorithms"),
    ],
)
def test_a_public_key_comes_with_what_it_is_for(kms, new_key, spec, usage, member):
    key = new_key(KeySpec=spec, KeyUsage=usage)
    answer = kms.get_public_key(KeyId=key["KeyId"])
    answer.pop("ResponseMetadata")
    load_der_public_key(answer.pop("PublicKey"))
    assert answer == {
        "KeyId": key["Arn"],
        "KeySpec": spec,
        "CustomerMasterKeySpec": spec,
        "KeyUsage": usage,
        member: key[member],
    }


@pytest.mark.parametrize("members", [{}, {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}])
def test_symmetric_keys_have_no_public_key(kms, new_key, refused, members):
    with refused("UnsupportedOperationException"):
        kms.get_public_key(KeyId=new_key(**members)["KeyId"])


@pytest.mark.parametrize("algorithm", HASHED["RSA_2048"])
def test_rsa_signatures_verify_offline(kms, signer, algorithm):
    key = signer("RSA_2048")
    public = load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    signature = kms.sign(KeyId=key["KeyId"], Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
    digest = getattr(hashes, "SHA" + algorithm.rpartition("_")[2])()
    pss = padding.PSS(padding.MGF1(digest), digest.digest_size)
    public.verify(
        signature, digest_of(algorithm), pss if "PSS" in algorithm else padding.PKCS1v15(), Prehashed(digest)
    )


@pytest.mark.parametrize("algorithm", ["RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"])
def test_what_was_encrypted_offline_decrypts(kms, new_key, refused, algorithm):
    key = new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    public = load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    assert isinstance(public, rsa.RSAPublicKey)
    digest = getattr(hashes, "SHA" + algorithm.rpartition("_")[2])()
    blob = public.encrypt(MESSAGE, padding.OAEP(padding.MGF1(digest), digest, None))
    asked = {"KeyId": key["KeyId"], "CiphertextBlob": blob}
    assert kms.decrypt(EncryptionAlgorithm=algorithm, **asked)["Plaintext"] == MESSAGE
    other = "RSAES_OAEP_SHA_1" if algorithm.endswith("256") else "RSAES_OAEP_SHA_256"
    with refused("InvalidCiphertextException", ""):
        kms.decrypt(EncryptionAlgorithm=other, **asked)


@needs_openssl
@pytest.mark.parametrize(
    ("spec", "algorithm", "options"),
    [
        ("ECC_NIST_P256", "ECDSA_SHA_256", []),
        ("ECC_SECG_P256K1", "ECDSA_SHA_256", []),
        (
            "RSA_3072",
            "RSASSA_PSS_SHA_256",
            ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"],
        ),
    ],
)
def test_openssl_verifies_signatures(kms, signer, tmp_path, spec, algorithm, options):
    key = signer(spec)
    (tmp_path / "key.der").write_bytes(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    (tmp_path / "signature").write_bytes(
        kms.sign(KeyId=key["KeyId"], Message=MESSAGE, SigningAlgorithm=algorithm)["Signature"]
    )
    (tmp_path / "message").write_bytes(MESSAGE)
    verify = [
        OPENSSL,
        "dgst",
        "-sha256",
        "-verify",
        "key.der",
        "-keyform",
        "DER",
        *options,
        "-signature",
        "signature",
    ]
    done = subprocess.run([*verify, "message"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "Verified OK" in done.stdout, done.stderr


@needs_openssl
def test_what_openssl_encrypted_decrypts(kms, new_key, tmp_path):
    key = new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    (tmp_path / "key.der").write_bytes(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    options = ["rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"]
    command = [OPENSSL, "pkeyutl", "-encrypt", "-pubin", "-inkey", "key.der", "-keyform", "DER"]
    for option in options:
        command += ["-pkeyopt", option]
    done = subprocess.run(command, cwd=tmp_path, input=MESSAGE, capture_output=True, check=True)
    answer = kms.decrypt(
        KeyId=key["KeyId"], CiphertextBlob=done.stdout, EncryptionAlgorithm="RSAES_OAEP_SHA_256"
    )
    assert answer["Plaintext"] == MESSAGE


# ------------------------------------------------------------------------- DeriveSharedSecret

CURVES = {"ECC_NIST_P256": ec.SECP256R1(), "ECC_NIST_P384": ec.SECP384R1(), "ECC_NIST_P521": ec.SECP521R1()}


def spki(private):
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize("spec", CURVES)
def test_both_sides_derive_the_same_secret(kms, new_key, spec):
    key = new_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
    peer = ec.generate_private_key(CURVES[spec])
    answer = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=spki(peer))
    ours = load_der_public_key(kms.get_public_key(KeyId=key["KeyId"])["PublicKey"])
    assert answer["SharedSecret"] == peer.exchange(ec.ECDH(), ours)
    assert (answer["KeyId"], answer["KeyAgreementAlgorithm"]) == (key["Arn"], "ECDH")
    assert answer["KeyOrigin"] == "AWS_KMS"


@pytest.mark.parametrize("public", [b"no key", spki(ec.generate_private_key(ec.SECP384R1()))])
def test_a_public_key_that_does_not_fit_is_refused_without_a_word(kms, new_key, refused, public):
    key = new_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    with refused("ValidationException", ""):
        kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=public)


@pytest.mark.parametrize("members", [{}, {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}])
def test_only_agreement_keys_agree(kms, new_key, refused, members):
    key = new_key(**members)
    said = f"{key['Arn']} key usage is {key['KeyUsage']} which is not valid for DeriveSharedSecret."
    with refused("InvalidKeyUsageException", said):
        kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=b"k")
