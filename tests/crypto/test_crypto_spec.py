import pytest
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
)

from keystead.crypto import (
    KEY_TYPES,
    MESSAGE_TYPES,
    Agreement,
    Encrypter,
    Kem,
    Mac,
    Signer,
    aead,
    ecc,
    eddsa,
    rsa,
)
from keystead.errors import BadKeyMaterial

ABILITIES = (Agreement, Encrypter, Kem, Mac, Signer)
ASYMMETRIC = sorted(spec for spec in KEY_TYPES if not spec.startswith(("HMAC", "SYMMETRIC")))


@pytest.fixture(params=sorted(KEY_TYPES))
def spec(request):
    return request.param


def test_every_spec_of_aws_but_two_is_there():
    # botocore's KeySpec enumeration; SM2 is for China Regions, for ML_KEM_512 see keystead.crypto.mlkem.
    assert set(KEY_TYPES) == {
        *("SYMMETRIC_DEFAULT", "RSA_2048", "RSA_3072", "RSA_4096"),
        *("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521", "ECC_SECG_P256K1", "ECC_NIST_EDWARDS25519"),
        *("HMAC_224", "HMAC_256", "HMAC_384", "HMAC_512"),
        *("ML_DSA_44", "ML_DSA_65", "ML_DSA_87", "ML_KEM_768", "ML_KEM_1024"),
    }


def test_each_spec_has_its_abilities(spec, key):
    kinds = {"RSA": {Encrypter, Signer}, "ECC": {Signer, Agreement}, "HMA": {Mac}, "SYM": set()}
    kinds |= {"ML_D": {Signer}, "ML_K": {Kem}, "ECC_NIST_EDWARDS25519": {Signer}}
    expected = kinds.get(spec) or kinds.get(spec[:4]) or kinds.get(spec[:3])
    assert {ability for ability in ABILITIES if isinstance(key(spec), ability)} == (expected or set())
    assert isinstance(key(spec), aead.Aead) == (spec == "SYMMETRIC_DEFAULT")


def test_what_is_generated_passes_its_own_check_and_no_other_familys(spec, material):
    assert KEY_TYPES[spec].check(material(spec)) == material(spec)
    # Raw keys are told apart by their length alone, which test_crypto_mac and test_crypto_aead look at.
    for other in set(ASYMMETRIC) - {spec}:
        with pytest.raises(BadKeyMaterial):
            KEY_TYPES[other].check(material(spec))


@pytest.mark.parametrize("spec", ASYMMETRIC)
def test_the_public_key_is_the_private_keys(spec, key, material):
    expected = load_der_private_key(material(spec), None).public_key()
    assert load_der_public_key(key(spec).public_der) == expected


@pytest.mark.parametrize("spec", ASYMMETRIC)
def test_only_plain_pkcs8_is_material(spec, material, key):
    good = material(spec)
    private = load_der_private_key(good, None)
    bad = [b"", b"\x30", bytes(64), good[:-1], good + b"\0", key(spec).public_der]
    bad.append(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    if not spec.startswith("ML"):
        bad.append(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, BestAvailableEncryption(b"x")))
    if spec.startswith("RSA"):
        bad.append(private.private_bytes(Encoding.DER, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    for material_ in bad:
        with pytest.raises(BadKeyMaterial):
            KEY_TYPES[spec].check(material_)
        with pytest.raises(BadKeyMaterial):
            KEY_TYPES[spec].load(material_)


@pytest.mark.parametrize("spec", ASYMMETRIC)
def test_another_familys_material_does_not_load(spec, material):
    other = "ECC_NIST_P256" if not spec.startswith(("ECC_NIST_P", "ECC_SECG")) else "RSA_2048"
    with pytest.raises(BadKeyMaterial):
        KEY_TYPES[spec].load(material(other))


def test_message_types_cover_every_signing_algorithm(key):
    assert set(MESSAGE_TYPES) == {*rsa.SIGNING, *ecc.SIGNING, *eddsa.SIGNING, "ML_DSA_SHAKE_256"}
    tries = {"ECDSA_SHA_256": "ECC_NIST_P256", "ED25519_SHA_512": "ECC_NIST_EDWARDS25519"}
    tries |= {"ED25519_PH_SHA_512": "ECC_NIST_EDWARDS25519", "ML_DSA_SHAKE_256": "ML_DSA_44"}
    tries |= {"RSASSA_PSS_SHA_512": "RSA_2048"}
    for algorithm, spec in tries.items():
        for message_type in ("RAW", "DIGEST", "EXTERNAL_MU"):
            body = bytes(32 if algorithm == "ECDSA_SHA_256" else 64)
            if message_type in MESSAGE_TYPES[algorithm]:
                key(spec).verify(body, key(spec).sign(body, algorithm, message_type), algorithm, message_type)
            else:
                with pytest.raises(ValueError, match="message type"):
                    key(spec).sign(body, algorithm, message_type)
