import hashlib

import pytest
from Crypto.Hash import SHA256, SHA384, SHA512
from Crypto.PublicKey import ECC
from Crypto.Signature import DSS
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
)

from keystead.crypto import Agreement, Signer, ecc, eddsa
from keystead.errors import BadDigestLength, BadKeyMaterial, BadPublicKey, VerificationFailed

# AWS KMS: each curve signs with one algorithm.
ALGORITHMS = {
    "ECC_NIST_P256": "ECDSA_SHA_256",
    "ECC_NIST_P384": "ECDSA_SHA_384",
    "ECC_NIST_P521": "ECDSA_SHA_512",
    "ECC_SECG_P256K1": "ECDSA_SHA_256",
}
THEIR_HASH = {"ECDSA_SHA_256": SHA256, "ECDSA_SHA_384": SHA384, "ECDSA_SHA_512": SHA512}
NIST = [spec for spec in ALGORITHMS if "NIST" in spec]
MESSAGE = b"what was agreed"


@pytest.fixture(params=ALGORITHMS)
def spec(request):
    return request.param


def test_signatures_verify_raw_and_digest(spec, key):
    signer, algorithm = key(spec), ALGORITHMS[spec]
    assert isinstance(signer, Signer)
    digest = hashlib.new(algorithm.replace("ECDSA_SHA_", "sha"), MESSAGE).digest()
    for body, message_type in ((MESSAGE, "RAW"), (digest, "DIGEST")):
        signature = signer.sign(body, algorithm, message_type)
        assert signature[0] == 0x30, "DER"
        signer.verify(MESSAGE, signature, algorithm, "RAW")
        signer.verify(digest, signature, algorithm, "DIGEST")


@pytest.mark.parametrize("spec", NIST)
def test_signatures_agree_with_a_second_implementation(spec, key, material):
    algorithm = ALGORITHMS[spec]
    module = THEIR_HASH[algorithm]
    theirs = DSS.new(ECC.import_key(material(spec)), "fips-186-3", encoding="der")
    theirs.verify(module.new(MESSAGE), key(spec).sign(MESSAGE, algorithm, "RAW"))
    key(spec).verify(MESSAGE, theirs.sign(module.new(MESSAGE)), algorithm, "RAW")


def test_wrong_signatures_raise(spec, key):
    signer, algorithm = key(spec), ALGORITHMS[spec]
    signature = signer.sign(MESSAGE, algorithm, "RAW")
    changed = signature[:-1] + bytes([signature[-1] ^ 1])
    for bad in (b"", b"\x30\x00", signature[:-1], signature + b"\0", changed, bytes(64)):
        with pytest.raises(VerificationFailed):
            signer.verify(MESSAGE, bad, algorithm, "RAW")
    with pytest.raises(VerificationFailed):
        signer.verify(MESSAGE + b"!", signature, algorithm, "RAW")


def test_a_digest_has_the_algorithms_length(spec, key):
    signer, algorithm = key(spec), ALGORITHMS[spec]
    for length in {0, 20, 32, 48, 64} - {THEIR_HASH[algorithm].digest_size}:
        with pytest.raises(BadDigestLength):
            signer.sign(bytes(length), algorithm, "DIGEST")
        with pytest.raises(BadDigestLength):
            signer.verify(bytes(length), b"", algorithm, "DIGEST")


# ----------------------------------------------------------------------------- agreement


def test_two_parties_agree(spec, key):
    mine, peer = key(spec), ecc.EccKey(ecc.generate(spec))
    assert isinstance(mine, Agreement)
    secret = mine.derive(peer.public_der)
    assert secret == peer.derive(mine.public_der)
    assert len(secret) == {"ECC_NIST_P384": 48, "ECC_NIST_P521": 66}.get(spec, 32)


@pytest.mark.parametrize("spec", NIST)
def test_the_secret_is_the_raw_x_coordinate(spec, material, key):
    peer = ecc.generate(spec)
    point = ECC.import_key(key(spec).public_der).pointQ * ECC.import_key(peer).d
    length = len(key(spec).derive(ecc.EccKey(peer).public_der))
    assert key(spec).derive(ecc.EccKey(peer).public_der) == int(point.x).to_bytes(length, "big")


def _scalar_key(scalar):
    return ec.derive_private_key(scalar, ec.SECP256R1())


def test_leading_zeros_of_the_secret_are_kept():
    # The first multiple of the generator whose x-coordinate starts with a zero byte.
    short = next(n for n in range(2, 5000) if _scalar_key(n).public_key().public_numbers().x < 1 << 248)
    mine = ecc.EccKey(_pkcs8(_scalar_key(short)))
    generator = _scalar_key(1).public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    secret = mine.derive(generator)
    assert len(secret) == 32
    assert secret[0] == 0


def test_peers_of_another_kind_are_refused(spec, key):
    peers = [ecc.EccKey(ecc.generate(other)).public_der for other in ALGORITHMS if other != spec]
    peers += [eddsa.Ed25519Key(eddsa.generate()).public_der, key("RSA_2048").public_der]
    good = ecc.EccKey(ecc.generate(spec)).public_der
    off_curve = good[:-1] + bytes([good[-1] ^ 1])
    peers += [b"", b"junk", good[:-1], good + b"\0", off_curve, ecc.generate(spec)]
    for peer in peers:
        with pytest.raises(BadPublicKey):
            key(spec).derive(peer)


# ------------------------------------------------------------------------------ material


def _pkcs8(key):
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def test_material_lies_on_its_specs_curve(spec, material):
    assert ecc.check(material(spec), spec) == material(spec)
    for other in set(ALGORITHMS) - {spec}:
        with pytest.raises(BadKeyMaterial):
            ecc.check(material(spec), other)
    with pytest.raises(BadKeyMaterial):
        ecc.check(_pkcs8(ec.generate_private_key(ec.BrainpoolP256R1())), spec)


def test_material_without_its_public_key_gets_it_back(material):
    full = material("ECC_NIST_P256")
    scalar = load_der_private_key(full, None).private_numbers().private_value.to_bytes(32, "big")
    # RFC 5915 makes the public key optional; Java and some HSMs leave it out.
    algorithm = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")
    inner = bytes.fromhex("30250201010420") + scalar
    body = b"\x02\x01\x00" + algorithm + b"\x04" + bytes([len(inner)]) + inner
    bare = b"\x30" + bytes([len(body)]) + body
    assert bare != full
    assert ecc.check(bare, "ECC_NIST_P256") == full


def test_material_in_the_older_form_is_refused(spec, material):
    key = load_der_private_key(material(spec), None)
    sec1 = key.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    with pytest.raises(BadKeyMaterial, match="PKCS#8"):
        ecc.check(sec1, spec)


def test_material_with_anothers_public_key_is_refused(spec, material, key):
    other = ecc.EccKey(ecc.generate(spec)).public_der
    start = {"ECC_NIST_P384": -97, "ECC_NIST_P521": -133}.get(spec, -65)
    mixed = material(spec).replace(key(spec).public_der[start:], other[start:])
    assert mixed != material(spec)
    with pytest.raises(BadKeyMaterial):
        ecc.check(mixed, spec)
