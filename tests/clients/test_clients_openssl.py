"""Other implementations as the other party: the openssl command, and two Python libraries for ML-DSA and ML-KEM.

Our signatures are verified with our public keys, offline; what is encrypted offline is decrypted by KMS.
"""

import hashlib
import os
import subprocess

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_der_public_key

pytestmark = pytest.mark.client

MESSAGE = b"what was agreed"
OTHER = b"what was not agreed"
PSS = ["-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:digest"]
SIGNING = [
    *[("RSA_2048", f"RSASSA_PKCS1_V1_5_SHA_{bits}", []) for bits in (256, 384, 512)],
    *[(spec, "RSASSA_PSS_SHA_256", PSS) for spec in ("RSA_2048", "RSA_3072", "RSA_4096")],
    ("RSA_2048", "RSASSA_PSS_SHA_384", PSS),
    ("RSA_2048", "RSASSA_PSS_SHA_512", PSS),
    ("ECC_NIST_P256", "ECDSA_SHA_256", []),
    ("ECC_NIST_P384", "ECDSA_SHA_384", []),
    ("ECC_NIST_P521", "ECDSA_SHA_512", []),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256", []),
]
SIGNER = {"KeyUsage": "SIGN_VERIFY"}


@pytest.fixture
def openssl(program, tmp_path):
    """`openssl(*arguments, name=bytes)`: the finished process; `{name}` is the path of that value's file."""
    found = program("openssl")

    def call(*arguments, **files):
        for name, content in files.items():
            (tmp_path / name).write_bytes(content)
        filled = [argument.format(**{name: tmp_path / name for name in files}) for argument in arguments]
        return subprocess.run([found, *filled], capture_output=True, check=False)

    return call


def public_key(kms, key):
    return kms.get_public_key(KeyId=key["KeyId"])["PublicKey"]


def sign(kms, key, algorithm, **members):
    asked = {"Message": MESSAGE, **members}
    return kms.sign(KeyId=key["KeyId"], SigningAlgorithm=algorithm, **asked)["Signature"]


@pytest.mark.parametrize(("spec", "algorithm", "options"), SIGNING)
@pytest.mark.parametrize("message_type", ["RAW", "DIGEST"])
def test_openssl_verifies_our_signatures(kms, new_key, openssl, spec, algorithm, options, message_type):
    key, digest = new_key(KeySpec=spec, **SIGNER), "sha" + algorithm[-3:]
    signed = MESSAGE if message_type == "RAW" else hashlib.new(digest, MESSAGE).digest()
    files = {
        "public": public_key(kms, key),
        "signature": sign(kms, key, algorithm, Message=signed, MessageType=message_type),
    }
    verify = ["dgst", f"-{digest}", "-keyform", "DER", "-verify", "{public}", *options]
    verify += ["-signature", "{signature}", "{message}"]
    assert b"Verified OK" in openssl(*verify, message=MESSAGE, **files).stdout
    assert openssl(*verify, message=OTHER, **files).returncode != 0


def test_openssl_verifies_our_ed25519_signatures(kms, new_key, openssl):
    key = new_key(KeySpec="ECC_NIST_EDWARDS25519", **SIGNER)
    files = {
        "public": public_key(kms, key),
        "signature": sign(kms, key, "ED25519_SHA_512", MessageType="RAW"),
    }
    verify = ["pkeyutl", "-verify", "-rawin", "-pubin", "-keyform", "DER", "-inkey", "{public}"]
    verify += ["-sigfile", "{signature}", "-in", "{message}"]
    assert b"Verified Successfully" in openssl(*verify, message=MESSAGE, **files).stdout
    assert openssl(*verify, message=OTHER, **files).returncode != 0


@pytest.mark.parametrize("digest", ["sha1", "sha256"])
def test_what_openssl_encrypts_kms_decrypts(kms, new_key, openssl, digest):
    key = new_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    algorithm = "RSAES_OAEP_" + digest.upper().replace("SHA", "SHA_")
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "{public}", "-in", "{message}"]
    for option in ("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}"):
        encrypt += ["-pkeyopt", option]
    blob = openssl(*encrypt, public=public_key(kms, key), message=MESSAGE).stdout
    answer = kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=blob, EncryptionAlgorithm=algorithm)
    assert answer["Plaintext"] == MESSAGE


@pytest.mark.parametrize("spec", ["ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521"])
def test_openssl_derives_the_same_secret(kms, new_key, openssl, spec):
    key = new_key(KeySpec=spec, KeyUsage="KEY_AGREEMENT")
    curve = {"ECC_NIST_P256": "P-256", "ECC_NIST_P384": "P-384", "ECC_NIST_P521": "P-521"}[spec]
    private = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{curve}").stdout
    theirs = openssl("pkey", "-in", "{private}", "-pubout", "-outform", "DER", private=private).stdout
    derive = ["pkeyutl", "-derive", "-inkey", "{private}", "-peerform", "DER", "-peerkey", "{public}"]
    secret = openssl(*derive, private=private, public=public_key(kms, key)).stdout
    answer = kms.derive_shared_secret(KeyId=key["KeyId"], KeyAgreementAlgorithm="ECDH", PublicKey=theirs)
    assert answer["SharedSecret"] == secret != b""


def bring(kms, key, openssl, material, algorithm="RSAES_OAEP_SHA_256"):
    """Import material that openssl wrapped, as AWS's guide for importing shows it."""
    given = kms.get_parameters_for_import(
        KeyId=key["KeyId"], WrappingAlgorithm=algorithm, WrappingKeySpec="RSA_4096"
    )
    wrapped = b""
    if algorithm.startswith("RSA_AES_KEY_WRAP"):
        transport = os.urandom(32)
        wrap = ["enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", transport.hex(), "-in", "{material}"]
        material, wrapped = transport, openssl(*wrap, material=material).stdout
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "{public}", "-in", "{material}"]
    for option in ("rsa_padding_mode:oaep", "rsa_oaep_md:sha256", "rsa_mgf1_md:sha256"):
        encrypt += ["-pkeyopt", option]
    wrapped = openssl(*encrypt, public=given["PublicKey"], material=material).stdout + wrapped
    kms.import_key_material(
        KeyId=key["KeyId"],
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrapped,
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )


def test_openssl_computes_the_mac_of_an_imported_key(kms, new_key, openssl):
    key = new_key(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC", Origin="EXTERNAL")
    material = os.urandom(32)
    bring(kms, key, openssl, material)
    mac = ["dgst", "-sha256", "-mac", "HMAC", "-macopt", f"hexkey:{material.hex()}", "-binary", "{message}"]
    theirs = openssl(*mac, message=MESSAGE).stdout
    asked = {"KeyId": key["KeyId"], "MacAlgorithm": "HMAC_SHA_256", "Message": MESSAGE}
    assert kms.generate_mac(**asked)["Mac"] == theirs
    assert kms.verify_mac(Mac=theirs, **asked)["MacValid"]


def test_kms_verifies_what_openssl_signed_with_an_imported_key(kms, new_key, openssl):
    key = new_key(KeySpec="RSA_2048", Origin="EXTERNAL", **SIGNER)
    private = openssl(
        "genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-outform", "DER"
    ).stdout
    material = openssl(
        "pkcs8",
        "-topk8",
        "-nocrypt",
        "-inform",
        "DER",
        "-outform",
        "DER",
        "-in",
        "{private}",
        private=private,
    )
    bring(kms, key, openssl, material.stdout, "RSA_AES_KEY_WRAP_SHA_256")
    public = openssl(
        "pkey", "-inform", "DER", "-in", "{private}", "-pubout", "-outform", "DER", private=private
    )
    assert public_key(kms, key) == public.stdout
    signature = openssl(
        "dgst",
        "-sha256",
        "-keyform",
        "DER",
        "-sign",
        "{private}",
        "{message}",
        private=private,
        message=MESSAGE,
    )
    asked = {"KeyId": key["KeyId"], "SigningAlgorithm": "RSASSA_PKCS1_V1_5_SHA_256", "Message": MESSAGE}
    assert kms.verify(Signature=signature.stdout, **asked)["SignatureValid"]


@pytest.mark.parametrize("spec", ["ML_DSA_44", "ML_DSA_65", "ML_DSA_87"])
def test_others_verify_our_ml_dsa_signatures(kms, new_key, spec):
    key = new_key(KeySpec=spec, **SIGNER)
    public = load_der_public_key(public_key(kms, key))
    signature = sign(kms, key, "ML_DSA_SHAKE_256", MessageType="RAW")
    public.verify(signature, MESSAGE)
    with pytest.raises(InvalidSignature):
        public.verify(signature, OTHER)
    theirs = getattr(pytest.importorskip("dilithium_py.ml_dsa", reason="dilithium-py is not installed"), spec)
    assert theirs.verify(public.public_bytes_raw(), MESSAGE, signature)
    assert not theirs.verify(public.public_bytes_raw(), OTHER, signature)


@pytest.mark.parametrize("spec", ["ML_KEM_768", "ML_KEM_1024"])
def test_others_encapsulate_to_our_ml_kem_key(kms, new_key, spec):
    key = new_key(KeySpec=spec, KeyUsage="ENCAPSULATE_DECAPSULATE")["KeyId"]

    def decapsulated(blob):
        answer = kms.decapsulate(KeyId=key, SharedSecretCiphertextBlob=blob, EncapsulationAlgorithm="ML_KEM")
        return answer["SharedSecret"]

    public = load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    secret, blob = public.encapsulate()
    assert decapsulated(blob) == secret
    theirs = getattr(pytest.importorskip("kyber_py.ml_kem", reason="kyber-py is not installed"), spec)
    secret, blob = theirs.encaps(public.public_bytes_raw())
    assert decapsulated(blob) == secret
