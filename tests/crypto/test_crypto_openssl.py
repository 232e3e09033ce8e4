"""The `openssl` command as the other party, both ways."""

import hashlib
import shutil
import subprocess

import pytest

from keystead.crypto import ecc, eddsa, keywrap, rsa
from keystead.errors import BadPublicKey

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="the openssl command is not installed")

MESSAGE = b"what was agreed"
CURVES = {
    "ECC_NIST_P256": ("prime256v1", "ECDSA_SHA_256"),
    "ECC_NIST_P384": ("secp384r1", "ECDSA_SHA_384"),
    "ECC_NIST_P521": ("secp521r1", "ECDSA_SHA_512"),
    "ECC_SECG_P256K1": ("secp256k1", "ECDSA_SHA_256"),
}


@pytest.fixture
def openssl(tmp_path):
    """`openssl(*arguments, name=bytes)`: stdout; each named value is a file, and `{name}` its path."""

    def run(*arguments, **files):
        paths = {name: tmp_path / name for name in files}
        for name, content in files.items():
            paths[name].write_bytes(content)
        filled = [argument.format(**paths) for argument in arguments]
        return subprocess.run([OPENSSL, *filled], capture_output=True, check=True).stdout

    return run


def options(*pairs):
    return [part for pair in pairs for part in ("-pkeyopt", pair)]


def rsa_options(algorithm):
    digest = "sha" + algorithm.rpartition("_")[2]
    if "PSS" in algorithm:
        return digest, options(f"digest:{digest}", "rsa_padding_mode:pss", "rsa_pss_saltlen:digest")
    return digest, options(f"digest:{digest}", "rsa_padding_mode:pkcs1")


@pytest.mark.parametrize("algorithm", rsa.SIGNING)
def test_rsa_signatures(algorithm, openssl, key, material):
    signer = key("RSA_2048")
    name, how = rsa_options(algorithm)
    digest = hashlib.new(name, MESSAGE).digest()
    sign = ["pkeyutl", "-sign", "-keyform", "DER", "-inkey", "{private}", "-in", "{digest}"]
    theirs = openssl(*sign, *how, private=material("RSA_2048"), digest=digest)
    signer.verify(MESSAGE, theirs, algorithm, "RAW")
    verify = ["pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "{public}", "-in", "{digest}"]
    ours = signer.sign(MESSAGE, algorithm, "RAW")
    out = openssl(*verify, "-sigfile", "{ours}", *how, public=signer.public_der, digest=digest, ours=ours)
    assert b"Success" in out


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
@pytest.mark.parametrize("algorithm", rsa.ENCRYPTION)
def test_rsa_ciphertexts_made_offline(spec, algorithm, openssl, key, material):
    digest = "sha" + algorithm.rpartition("_")[2]
    how = options("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}")
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "{public}", "-in", "{plain}"]
    theirs = openssl(*encrypt, *how, public=key(spec).public_der, plain=MESSAGE)
    assert key(spec).decrypt(theirs, algorithm) == MESSAGE
    decrypt = ["pkeyutl", "-decrypt", "-keyform", "DER", "-inkey", "{private}", "-in", "{ours}"]
    ours = key(spec).encrypt(MESSAGE, algorithm)
    assert openssl(*decrypt, *how, private=material(spec), ours=ours) == MESSAGE


@pytest.mark.parametrize("spec", CURVES)
def test_ecdsa_signatures(spec, openssl, key, material):
    signer, algorithm = key(spec), CURVES[spec][1]
    digest = algorithm.replace("ECDSA_SHA_", "-sha")
    sign = ["dgst", digest, "-keyform", "DER", "-sign", "{private}", "{message}"]
    signer.verify(MESSAGE, openssl(*sign, private=material(spec), message=MESSAGE), algorithm, "RAW")
    verify = ["dgst", digest, "-keyform", "DER", "-verify", "{public}", "-signature", "{ours}", "{message}"]
    ours = signer.sign(MESSAGE, algorithm, "RAW")
    assert b"OK" in openssl(*verify, public=signer.public_der, ours=ours, message=MESSAGE)


@pytest.mark.parametrize("spec", CURVES)
def test_ecdh(spec, openssl, key):
    peer = openssl(
        "genpkey", "-algorithm", "EC", "-pkeyopt", f"ec_paramgen_curve:{CURVES[spec][0]}", "-outform", "DER"
    )
    peer = openssl(
        "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", "{peer}", "-outform", "DER", peer=peer
    )
    assert ecc.check(peer, spec)
    public = openssl("pkey", "-inform", "DER", "-in", "{peer}", "-pubout", "-outform", "DER", peer=peer)
    agree = [
        "pkeyutl",
        "-derive",
        "-keyform",
        "DER",
        "-inkey",
        "{peer}",
        "-peerform",
        "DER",
        "-peerkey",
        "{ours}",
    ]
    assert openssl(*agree, peer=peer, ours=key(spec).public_der) == key(spec).derive(public)


def test_a_peer_that_brings_its_own_generator_is_refused(openssl, key):
    # Explicit parameters that look like P-256 but for the generator (the attack of CVE-2020-0601).
    how = options("ec_paramgen_curve:prime256v1", "ec_param_enc:explicit")
    peer = openssl("genpkey", "-algorithm", "EC", *how, "-outform", "DER")
    public = openssl("pkey", "-inform", "DER", "-in", "{peer}", "-pubout", "-outform", "DER", peer=peer)
    y = bytes.fromhex("4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5")
    minus_y = (2**256 - 2**224 + 2**192 + 2**96 - 1 - int.from_bytes(y, "big")).to_bytes(32, "big")
    assert y in public
    with pytest.raises(BadPublicKey):
        key("ECC_NIST_P256").derive(public.replace(y, minus_y))


def test_ed25519_signatures(openssl, key, material):
    spec = "ECC_NIST_EDWARDS25519"
    sign = ["pkeyutl", "-sign", "-rawin", "-keyform", "DER", "-inkey", "{private}", "-in", "{message}"]
    theirs = openssl(*sign, private=material(spec), message=MESSAGE)
    assert theirs == key(spec).sign(MESSAGE, "ED25519_SHA_512", "RAW")


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_generated_rsa_material_is_taken(bits, openssl):
    made = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", f"rsa_keygen_bits:{bits}", "-outform", "DER")
    pkcs8 = openssl(
        "pkcs8", "-topk8", "-nocrypt", "-inform", "DER", "-in", "{made}", "-outform", "DER", made=made
    )
    stored = rsa.check(pkcs8, bits)
    signer = rsa.RsaKey(stored)
    signer.verify(MESSAGE, signer.sign(MESSAGE, "RSASSA_PSS_SHA_256", "RAW"), "RSASSA_PSS_SHA_256", "RAW")


def test_generated_ed25519_material_is_taken(openssl):
    assert eddsa.check(openssl("genpkey", "-algorithm", "ED25519", "-outform", "DER"))


@pytest.mark.parametrize("algorithm", ["RSA_AES_KEY_WRAP_SHA_1", "RSA_AES_KEY_WRAP_SHA_256"])
def test_material_wrapped_as_the_guide_shows(algorithm, openssl, key, material):
    # AWS KMS developer guide, "Encrypt the key material", the RSA_AES_KEY_WRAP example
    wrapping, aes_key = key("RSA_2048"), bytes(range(32))
    digest = "sha" + algorithm.rpartition("_")[2]
    how = options("rsa_padding_mode:oaep", f"rsa_oaep_md:{digest}", f"rsa_mgf1_md:{digest}")
    body = ["enc", "-id-aes256-wrap-pad", "-iv", "A65959A6", "-K", aes_key.hex(), "-in", "{plain}"]
    encrypt = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "{public}", "-in", "{aes_key}"]
    sealed_key = openssl(*encrypt, *how, public=wrapping.public_der, aes_key=aes_key)
    wrapped = sealed_key + openssl(*body, plain=material("RSA_4096"))
    assert keywrap.unwrap(wrapping, wrapped, algorithm) == material("RSA_4096")
