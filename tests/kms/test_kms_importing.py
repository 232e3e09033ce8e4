"""Imported key material, by boto3 against a running server whose clock is advanced."""

import datetime as dt
import os

import pytest
from cryptography.hazmat.primitives import hashes, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_public_key,
)

DAY = 86_400
ALGORITHMS = [
    "RSAES_OAEP_SHA_1",
    "RSAES_OAEP_SHA_256",
    "RSA_AES_KEY_WRAP_SHA_1",
    "RSA_AES_KEY_WRAP_SHA_256",
]
FOREVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}


def oaep(algorithm):
    digest = hashes.SHA256() if algorithm.endswith("256") else hashes.SHA1()
    return padding.OAEP(padding.MGF1(digest), digest, None)


def wrap(public_der, material, algorithm):
    public = load_der_public_key(public_der)
    if algorithm.startswith("RSAES"):
        return public.encrypt(material, oaep(algorithm))
    key = os.urandom(32)
    return public.encrypt(key, oaep(algorithm)) + keywrap.aes_key_wrap_with_padding(key, material)


def offer(kms, key, algorithm="RSAES_OAEP_SHA_256", spec="RSA_2048"):
    return kms.get_parameters_for_import(
        KeyId=key["KeyId"], WrappingAlgorithm=algorithm, WrappingKeySpec=spec
    )


def bring(kms, key, material, algorithm="RSAES_OAEP_SHA_256", **members):
    given = offer(kms, key, algorithm)
    return kms.import_key_material(
        KeyId=key["KeyId"],
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=wrap(given["PublicKey"], material, algorithm),
        **(members or FOREVER),
    )


def describe(kms, key):
    return kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]


def materials(kms, key):
    listed = kms.list_key_rotations(KeyId=key["KeyId"], IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    return {entry["KeyMaterialId"]: entry for entry in listed}


@pytest.fixture
def external(new_key):
    return lambda **members: new_key(Origin="EXTERNAL", **members)


# --------------------------------------------------------------------- GetParametersForImport


@pytest.mark.parametrize("spec", ["RSA_2048", "RSA_3072", "RSA_4096"])
def test_parameters_are_a_key_and_its_token_for_a_day(kms, external, spec):
    key = external()
    answer = offer(kms, key, spec=spec)
    assert answer["KeyId"] == key["Arn"]
    assert load_der_public_key(answer["PublicKey"]).key_size == int(spec[4:])
    assert len(answer["ImportToken"]) <= 6144
    assert answer["ParametersValidTo"] - key["CreationDate"] >= dt.timedelta(days=1)


def test_keys_made_here_take_no_material(kms, new_key, refused):
    key = new_key()
    said = f"{key['Arn']} origin is AWS_KMS which is not valid for this operation."
    with refused("UnsupportedOperationException", said):
        offer(kms, key)
    with refused("UnsupportedOperationException", said):
        kms.import_key_material(KeyId=key["KeyId"], ImportToken=b"t", EncryptedKeyMaterial=b"m")
    with refused("UnsupportedOperationException", said):
        kms.delete_imported_key_material(KeyId=key["KeyId"])


@pytest.mark.parametrize(
    ("algorithm", "spec"),
    [("RSAES_PKCS1_V1_5", "RSA_2048"), ("SM2PKE", "SM2"), ("RSAES_OAEP_SHA_256", "SM2")],
)
def test_wrappings_that_are_not_done(kms, external, refused, algorithm, spec):
    with refused("UnsupportedOperationException"):
        offer(kms, external(), algorithm, spec)


@pytest.mark.parametrize(
    ("members", "fits"),
    [
        ({"KeySpec": "RSA_2048", "KeyUsage": "SIGN_VERIFY"}, False),
        ({"KeySpec": "ECC_NIST_P521", "KeyUsage": "SIGN_VERIFY"}, False),
        ({"KeySpec": "ECC_NIST_P384", "KeyUsage": "SIGN_VERIFY"}, True),
    ],
)
def test_material_that_does_not_fit_a_wrapping(kms, external, refused, members, fits):
    key = external(**members)
    if fits:
        offer(kms, key)
        return
    with refused("UnsupportedOperationException"):
        offer(kms, key)


# ------------------------------------------------------------------------- ImportKeyMaterial


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_waits_for_its_material_and_then_works(kms, external, refused, algorithm):
    key = external()
    assert key["KeyState"] == "PendingImport"
    assert not {"CurrentKeyMaterialId", "ExpirationModel", "ValidTo"} & set(key)
    with refused("KMSInvalidStateException", f"{key['Arn']} is pending import."):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")
    answer = bring(kms, key, b"m" * 32, algorithm)
    shown = describe(kms, key)
    assert answer["KeyId"] == key["Arn"]
    assert answer["KeyMaterialId"] == shown["CurrentKeyMaterialId"]
    assert (shown["KeyState"], shown["ExpirationModel"]) == ("Enabled", "KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert "ValidTo" not in shown
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"p"


def pkcs8(private):
    return private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def spki(private):
    return private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


@pytest.mark.parametrize(
    ("spec", "made"),
    [
        ("RSA_2048", lambda: rsa.generate_private_key(65537, 2048)),
        ("ECC_NIST_P256", lambda: ec.generate_private_key(ec.SECP256R1())),
        ("ECC_NIST_P521", lambda: ec.generate_private_key(ec.SECP521R1())),
        ("ECC_SECG_P256K1", lambda: ec.generate_private_key(ec.SECP256K1())),
        ("ECC_NIST_EDWARDS25519", ed25519.Ed25519PrivateKey.generate),
    ],
)
def test_private_keys_are_taken_in_and_only_for_their_spec(kms, external, refused, spec, made):
    private = made()
    key = external(KeySpec=spec, KeyUsage="SIGN_VERIFY")
    assert key["SigningAlgorithms"]
    answer = bring(kms, key, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256")
    assert "KeyMaterialId" not in answer
    assert kms.get_public_key(KeyId=key["KeyId"])["PublicKey"] == spki(private)
    other = external(KeySpec="ECC_NIST_P384", KeyUsage="SIGN_VERIFY")
    with refused("IncorrectKeyMaterialException"):
        bring(kms, other, pkcs8(private), "RSA_AES_KEY_WRAP_SHA_256")


@pytest.mark.parametrize(("bits", "length"), [(224, 28), (256, 32), (384, 48), (512, 64)])
def test_hmac_material_has_one_length(kms, external, refused, bits, length):
    key = external(KeySpec=f"HMAC_{bits}", KeyUsage="GENERATE_VERIFY_MAC")
    with refused("IncorrectKeyMaterialException"):
        bring(kms, key, b"m" * (length + 1))
    bring(kms, key, b"m" * length)
    kms.generate_mac(KeyId=key["KeyId"], Message=b"m", MacAlgorithm=f"HMAC_SHA_{bits}")


def test_keys_that_cannot_rotate_take_the_same_material_only(kms, external, refused):
    key = external(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
    bring(kms, key, b"m" * 32)
    bring(kms, key, b"m" * 32)
    with refused("IncorrectKeyMaterialException"):
        bring(kms, key, b"n" * 32)
    with refused("UnsupportedOperationException"):
        bring(kms, key, b"m" * 32, ImportType="NEW_KEY_MATERIAL", **FOREVER)


def test_tokens(server, kms, external, refused):
    key, other = external(), external()
    given = offer(kms, key)
    wrapped = wrap(given["PublicKey"], b"m" * 32, "RSAES_OAEP_SHA_256")
    asked = {"EncryptedKeyMaterial": wrapped, **FOREVER}
    with refused("InvalidImportTokenException"):
        kms.import_key_material(KeyId=other["KeyId"], ImportToken=given["ImportToken"], **asked)
    with refused("InvalidImportTokenException"):
        kms.import_key_material(KeyId=key["KeyId"], ImportToken=given["ImportToken"][:-1], **asked)
    with refused("InvalidCiphertextException", ""):
        # Token and public key are a pair.
        kms.import_key_material(KeyId=key["KeyId"], ImportToken=offer(kms, key)["ImportToken"], **asked)
    for _ in range(2):
        kms.import_key_material(KeyId=key["KeyId"], ImportToken=given["ImportToken"], **asked)
    server.advance(DAY + 1)
    with refused("ExpiredImportTokenException"):
        kms.import_key_material(KeyId=key["KeyId"], ImportToken=given["ImportToken"], **asked)


def test_expiry_is_asked_in_one_way(kms, external, refused):
    key = external()
    now = key["CreationDate"]
    expires = {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    said = "A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES"
    with refused("ValidationException", said):
        bring(kms, key, b"m" * 32, ImportType="NEW_KEY_MATERIAL")
    with refused("ValidationException", said):
        bring(kms, key, b"m" * 32, **expires)
    for valid_to in (now - dt.timedelta(days=1), now + dt.timedelta(days=366)):
        with refused("ValidationException"):
            bring(kms, key, b"m" * 32, ValidTo=valid_to, **expires)
    with refused("ValidationException"):
        bring(kms, key, b"m" * 32, ValidTo=now + dt.timedelta(days=1), **FOREVER)


# ------------------------------------------------------------------ deletion, expiry, again


def test_deleted_material_comes_back_under_its_id(kms, external, refused):
    key = external()
    first = bring(kms, key, b"m" * 32)["KeyMaterialId"]
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    answer = kms.delete_imported_key_material(KeyId=key["KeyId"])
    assert (answer["KeyId"], answer["KeyMaterialId"]) == (key["Arn"], first)
    shown = describe(kms, key)
    assert (shown["KeyState"], shown["CurrentKeyMaterialId"]) == ("PendingImport", first)
    assert "ExpirationModel" not in shown
    with refused("KMSInvalidStateException", f"{key['Arn']} is pending import."):
        kms.decrypt(CiphertextBlob=blob)
    with refused("IncorrectKeyMaterialException"):
        bring(kms, key, b"n" * 32)
    with refused("IncorrectKeyMaterialException"):
        bring(kms, key, b"m" * 32, KeyMaterialId="0" * 64, **FOREVER)
    assert bring(kms, key, b"m" * 32, KeyMaterialId=first, **FOREVER)["KeyMaterialId"] == first
    assert kms.decrypt(CiphertextBlob=blob)["KeyMaterialId"] == first


def test_material_ids_belong_to_their_key(kms, external):
    assert (
        bring(kms, external(), b"m" * 32)["KeyMaterialId"]
        != bring(kms, external(), b"m" * 32)["KeyMaterialId"]
    )


def test_deleting_what_is_not_there(kms, external, refused):
    key = external()
    kms.delete_imported_key_material(KeyId=key["KeyId"])
    with refused("NotFoundException"):
        kms.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId="0" * 64)


def test_a_key_pending_deletion_stays_so_without_its_material(kms, external):
    key = external()
    bring(kms, key, b"m" * 32)
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    kms.delete_imported_key_material(KeyId=key["KeyId"])
    assert describe(kms, key)["KeyState"] == "PendingDeletion"
    kms.cancel_key_deletion(KeyId=key["KeyId"])
    assert describe(kms, key)["KeyState"] == "PendingImport"


def test_material_expires_on_its_date_and_not_before(server, kms, external, eventually):
    key = external()
    valid_to = key["CreationDate"] + dt.timedelta(days=10)
    first = bring(kms, key, b"m" * 32, ValidTo=valid_to)["KeyMaterialId"]
    shown = describe(kms, key)
    assert (shown["ExpirationModel"], shown["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", valid_to)
    server.advance(9 * DAY)
    assert describe(kms, key)["KeyState"] == "Enabled"
    server.advance(DAY + 1)
    shown = eventually(lambda: describe(kms, key), lambda shown: shown["KeyState"] == "PendingImport")
    assert not {"ExpirationModel", "ValidTo"} & set(shown)
    assert materials(kms, key)[first]["ImportState"] == "PENDING_IMPORT"
    bring(kms, key, b"m" * 32)
    assert describe(kms, key)["KeyState"] == "Enabled"


def test_importing_again_moves_the_date(server, kms, external, eventually):
    key, other = external(), external()
    soon = key["CreationDate"] + dt.timedelta(days=10)
    bring(kms, key, b"m" * 32, ValidTo=soon)
    bring(kms, key, b"m" * 32, ValidTo=soon + dt.timedelta(days=20))
    bring(kms, other, b"m" * 32, ValidTo=soon)
    server.advance(11 * DAY)
    eventually(lambda: describe(kms, other)["KeyState"], lambda state: state == "PendingImport")
    assert describe(kms, key)["KeyState"] == "Enabled"


# -------------------------------------------------------------- new material for symmetric keys


def test_new_material_waits_for_a_rotation(kms, external, refused):
    key = external()
    first = bring(kms, key, b"m" * 32)["KeyMaterialId"]
    old = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"old")["CiphertextBlob"]
    with refused(
        "KMSInvalidStateException", f"No available key material pending rotation for the key: {key['Arn']}."
    ):
        kms.rotate_key_on_demand(KeyId=key["KeyId"])
    new = {"ImportType": "NEW_KEY_MATERIAL", **FOREVER}
    second = bring(kms, key, b"n" * 32, KeyMaterialDescription="the second", **new)["KeyMaterialId"]
    listed = materials(kms, key)
    assert (listed[first]["KeyMaterialState"], listed[second]["KeyMaterialState"]) == (
        "CURRENT",
        "PENDING_ROTATION",
    )
    assert listed[second]["KeyMaterialDescription"] == "the second"
    assert "RotationDate" not in listed[second]
    assert kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"] == []
    with refused("IncorrectKeyMaterialException"):
        bring(kms, key, b"m" * 32, **new)
    with refused("ValidationException"):
        bring(kms, key, b"o" * 32, KeyMaterialId=second, **new)
    third = bring(kms, external(), b"o" * 32)["KeyMaterialId"]
    assert third != second
    assert kms.rotate_key_on_demand(KeyId=key["KeyId"])["KeyId"] == key["Arn"]
    assert describe(kms, key)["CurrentKeyMaterialId"] == second
    assert kms.decrypt(CiphertextBlob=old)["KeyMaterialId"] == first
    assert [entry["KeyMaterialId"] for entry in kms.list_key_rotations(KeyId=key["KeyId"])["Rotations"]] == [
        second
    ]


def test_one_material_waits_at_a_time_and_can_be_withdrawn(kms, external, refused):
    key = external()
    bring(kms, key, b"m" * 32)
    new = {"ImportType": "NEW_KEY_MATERIAL", **FOREVER}
    waiting = bring(kms, key, b"n" * 32, **new)["KeyMaterialId"]
    with pytest.raises(kms.exceptions.KMSInvalidStateException) as caught:
        bring(kms, key, b"o" * 32, **new)
    message = caught.value.response["Error"]["Message"]
    assert message.startswith("New key material (id: ")
    assert message.endswith(
        f") cannot be imported into KMS key {key['KeyId']}, because another key material (id: {waiting}) is "
        "pending rotation."
    )
    kms.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId=waiting)
    assert describe(kms, key)["KeyState"] == "Enabled"
    assert waiting not in materials(kms, key)
    bring(kms, key, b"o" * 32, **new)


def test_a_key_needs_every_material_it_has_used(kms, external):
    key = external()
    first = bring(kms, key, b"m" * 32)["KeyMaterialId"]
    bring(kms, key, b"n" * 32, ImportType="NEW_KEY_MATERIAL", **FOREVER)
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    kms.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId=first)
    assert describe(kms, key)["KeyState"] == "PendingImport"
    bring(kms, key, b"m" * 32)
    assert describe(kms, key)["KeyState"] == "Enabled"


def test_a_key_shows_the_first_date_on_which_material_that_it_has_used_expires(server, kms, external):
    key = external()
    now = dt.datetime.fromtimestamp(int(server.clock.now()), dt.UTC)
    soon, later = now + dt.timedelta(days=10), now + dt.timedelta(days=20)
    expires = {"ExpirationModel": "KEY_MATERIAL_EXPIRES"}
    first = bring(kms, key, b"m" * 32, **expires, ValidTo=later)["KeyMaterialId"]
    bring(kms, key, b"n" * 32, ImportType="NEW_KEY_MATERIAL", **expires, ValidTo=soon)
    assert describe(kms, key)["ValidTo"] == later  # what waits for a rotation may still be withdrawn
    kms.rotate_key_on_demand(KeyId=key["KeyId"])
    assert describe(kms, key)["ValidTo"] == soon
    bring(kms, key, b"n" * 32, **FOREVER)
    shown = describe(kms, key)
    assert (shown["ExpirationModel"], shown["ValidTo"]) == ("KEY_MATERIAL_EXPIRES", later)
    bring(kms, key, b"m" * 32, **FOREVER)
    shown = describe(kms, key)
    assert shown["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    assert "ValidTo" not in shown
    kms.delete_imported_key_material(KeyId=key["KeyId"], KeyMaterialId=first)
    assert describe(kms, key)["ExpirationModel"] == "KEY_MATERIAL_DOES_NOT_EXPIRE"
    kms.delete_imported_key_material(KeyId=key["KeyId"])
    assert "ExpirationModel" not in describe(kms, key)
