"""Attested callers on a running server: what their document says decides, and only they can read the answer."""

import base64
import json
import time

import pytest
from cryptography.hazmat.primitives import serialization

from keystead import errors
from keystead.settings import load
from keystead.testing import RunningServer
from keystead.testing.enclave import Enclave

IMAGE, OTHER = bytes(range(48)), bytes(reversed(range(48)))
ATTESTED = ("Decrypt", "GenerateDataKey", "GenerateDataKeyPair", "DeriveSharedSecret")
PREFIX = "The attestation document is refused: "


@pytest.fixture(scope="module")
def enclave():
    return Enclave({0: IMAGE, 4: OTHER, 8: bytes(48)})


@pytest.fixture(scope="module")
def strangers():
    """Another enclave, under a root that is not pinned."""
    return Enclave({0: IMAGE})


@pytest.fixture(scope="module")
def server(enclave, tmp_path_factory):
    path = tmp_path_factory.mktemp("roots") / "own.pem"
    path.write_bytes(enclave.root_pem)
    with RunningServer(attestation_roots=(str(path),)) as running:
        yield running


@pytest.fixture(scope="module")
def key(server):
    return server.client().create_key()["KeyMetadata"]


def statement(effect, actions, **condition):
    said = {"Effect": effect, "Principal": {"AWS": "*"}, "Action": actions, "Resource": "*"}
    return {**said, "Condition": condition} if condition else said


@pytest.fixture
def guarded(kms, server):
    """A key that an attested use is allowed for, under a condition."""

    def create(operator, condition_key, value, **members):
        manage = [
            "kms:PutKeyPolicy",
            "kms:Encrypt",
            "kms:DescribeKey",
            "kms:ScheduleKeyDeletion",
            "kms:GetPublicKey",
        ]
        use = statement("Allow", [f"kms:{name}" for name in ATTESTED], **{operator: {condition_key: value}})
        policy = json.dumps({"Version": "2012-10-17", "Statement": [statement("Allow", manage), use]})
        return kms.create_key(Policy=policy, **members)["KeyMetadata"]["KeyId"]

    return create


# ------------------------------------------------------------------------------ answers


def test_decrypt_answers_the_enclave_only(kms, key, enclave):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"for the enclave")["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
    assert "Plaintext" not in answer
    assert enclave.open(answer["CiphertextForRecipient"]) == b"for the enclave"
    assert answer["KeyId"] == key["Arn"]


def test_decrypt_of_an_rsa_key_too(kms, enclave):
    key_id = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    how = {"KeyId": key_id, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    blob = kms.encrypt(Plaintext=b"short", **how)["CiphertextBlob"]
    answer = kms.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient(), **how)
    assert enclave.open(answer["CiphertextForRecipient"]) == b"short"


def test_a_data_key_is_the_one_that_is_encrypted(kms, key, enclave):
    answer = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", Recipient=enclave.recipient())
    assert "Plaintext" not in answer
    plaintext = kms.decrypt(CiphertextBlob=answer["CiphertextBlob"])["Plaintext"]
    assert len(plaintext) == 32
    assert enclave.open(answer["CiphertextForRecipient"]) == plaintext


def test_a_data_key_pairs_private_half_too(kms, key, enclave):
    answer = kms.generate_data_key_pair(
        KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256", Recipient=enclave.recipient()
    )
    assert "PrivateKeyPlaintext" not in answer
    private = serialization.load_der_private_key(enclave.open(answer["CiphertextForRecipient"]), None)
    public = private.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert public == answer["PublicKey"]
    blob = answer["PrivateKeyCiphertextBlob"]
    assert enclave.open(answer["CiphertextForRecipient"]) == kms.decrypt(CiphertextBlob=blob)["Plaintext"]


def test_random_bytes_too(kms, enclave):
    answer = kms.generate_random(NumberOfBytes=1024, Recipient=enclave.recipient())
    assert "Plaintext" not in answer
    assert len(enclave.open(answer["CiphertextForRecipient"])) == 1024


def test_a_shared_secret_too(kms, enclave):
    ours, theirs = (
        kms.create_key(KeySpec="ECC_NIST_P384", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
        for _ in range(2)
    )

    def derive(key_id, peer, **members):
        public = kms.get_public_key(KeyId=peer)["PublicKey"]
        return kms.derive_shared_secret(
            KeyId=key_id, KeyAgreementAlgorithm="ECDH", PublicKey=public, **members
        )

    answer = derive(ours, theirs, Recipient=enclave.recipient())
    assert "SharedSecret" not in answer
    assert enclave.open(answer["CiphertextForRecipient"]) == derive(theirs, ours)["SharedSecret"]


def test_without_a_document_nothing_changes(kms, key):
    answer = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_128")
    assert len(answer["Plaintext"]) == 16
    assert "CiphertextForRecipient" not in answer


def test_a_dry_run_is_one_for_an_enclave_too(kms, key, enclave, refused):
    with refused("DryRunOperationException"):
        kms.generate_data_key(
            KeyId=key["KeyId"], KeySpec="AES_128", Recipient=enclave.recipient(), DryRun=True
        )


# --------------------------------------------------------------------------- conditions


@pytest.mark.parametrize(
    ("condition_key", "value", "meets"),
    [
        ("kms:RecipientAttestation:ImageSha384", IMAGE.hex(), True),
        ("kms:RecipientAttestation:ImageSha384", IMAGE.hex().upper(), True),
        ("kms:RecipientAttestation:PCR0", IMAGE.hex(), True),
        ("kms:RecipientAttestation:PCR4", OTHER.hex(), True),
        ("kms:recipientattestation:pcr4", OTHER.hex(), True),
        ("kms:RecipientAttestation:PCR8", bytes(48).hex(), True),
        ("kms:RecipientAttestation:ImageSha384", OTHER.hex(), False),
        ("kms:RecipientAttestation:PCR0", OTHER.hex(), False),
        ("kms:RecipientAttestation:PCR0", IMAGE.hex()[:-2], False),
        ("kms:RecipientAttestation:PCR1", IMAGE.hex(), False),
        ("kms:RecipientAttestation:PCR04", OTHER.hex(), False),
        ("kms:RecipientAttestation:NitroTPMPCR4", OTHER.hex(), False),
    ],
)
def test_a_key_policy_asks_what_was_measured(kms, guarded, enclave, refused, condition_key, value, meets):
    key_id = guarded("StringEqualsIgnoreCase", condition_key, value)
    blob = kms.encrypt(KeyId=key_id, Plaintext=b"sealed")["CiphertextBlob"]
    if meets:
        answer = kms.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
        assert enclave.open(answer["CiphertextForRecipient"]) == b"sealed"
    else:
        with refused("AccessDeniedException"):
            kms.decrypt(CiphertextBlob=blob, Recipient=enclave.recipient())
    with refused("AccessDeniedException"):
        kms.decrypt(CiphertextBlob=blob)


def test_the_enclaves_own_claim_decides_not_its_root(kms, guarded, enclave, refused):
    key_id = guarded("StringEqualsIgnoreCase", "kms:RecipientAttestation:ImageSha384", IMAGE.hex())
    with refused("AccessDeniedException"):
        kms.generate_data_key(
            KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient(pcrs={0: OTHER, 1: IMAGE})
        )
    with refused("AccessDeniedException"):
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient(pcrs={1: IMAGE}))
    assert kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient())


def test_a_nitrotpm_has_keys_of_its_own(kms, guarded, enclave, refused):
    key_id = guarded("StringEqualsIgnoreCase", "kms:RecipientAttestation:NitroTPMPCR7", OTHER.hex())
    members = {"pcrs": None, "nitrotpm_pcrs": {4: IMAGE, 7: OTHER}}
    answer = kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient(**members))
    assert len(enclave.open(answer["CiphertextForRecipient"])) == 32
    with refused("AccessDeniedException"):
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient(pcrs={7: OTHER}))


def test_an_attested_pair_and_secret_are_decided_by_it(kms, guarded, enclave, refused):
    wanted = ("StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR0", IMAGE.hex())
    key_id = guarded(*wanted)
    with refused("AccessDeniedException"):
        kms.generate_data_key_pair(KeyId=key_id, KeyPairSpec="ECC_NIST_P256")
    assert kms.generate_data_key_pair(
        KeyId=key_id, KeyPairSpec="ECC_NIST_P256", Recipient=enclave.recipient()
    )
    agreeing = guarded(*wanted, KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
    public = kms.get_public_key(KeyId=agreeing)["PublicKey"]
    how = {"KeyId": agreeing, "KeyAgreementAlgorithm": "ECDH", "PublicKey": public}
    with refused("AccessDeniedException"):
        kms.derive_shared_secret(**how)
    assert kms.derive_shared_secret(**how, Recipient=enclave.recipient())


def test_only_an_enclave_may_when_others_are_denied(kms, guarded, enclave, refused):
    # Null asks that there be no document at all.
    key_id = guarded("Null", "kms:RecipientAttestation:ImageSha384", "false")
    with refused("AccessDeniedException"):
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256")
    assert kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient())


# ----------------------------------------------------------------------------- refusals


def attested_calls(kms, key):
    blob = kms.encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    agreeing = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")["KeyMetadata"]["KeyId"]
    public = kms.get_public_key(KeyId=agreeing)["PublicKey"]
    return {
        "Decrypt": lambda r: kms.decrypt(CiphertextBlob=blob, Recipient=r),
        "GenerateDataKey": lambda r: kms.generate_data_key(
            KeyId=key["KeyId"], KeySpec="AES_256", Recipient=r
        ),
        "GenerateDataKeyPair": lambda r: kms.generate_data_key_pair(
            KeyId=key["KeyId"], KeyPairSpec="ECC_NIST_P256", Recipient=r
        ),
        "GenerateRandom": lambda r: kms.generate_random(NumberOfBytes=8, Recipient=r),
        "DeriveSharedSecret": lambda r: kms.derive_shared_secret(
            KeyId=agreeing, KeyAgreementAlgorithm="ECDH", PublicKey=public, Recipient=r
        ),
    }


def test_a_bad_document_is_an_error_everywhere(kms, key, enclave, strangers, refused):
    good = enclave.recipient()
    flipped = bytearray(good["AttestationDocument"])
    flipped[-1] ^= 1
    bad = {
        "it is not strict CBOR.": b"made up",
        "its signature is not its certificate's.": bytes(flipped),
        "its chain does not start at a pinned root.": strangers.document(),
        "it is too old.": enclave.document(timestamp=int((time.time() - 600) * 1000)),
        "its PCR0 is zero, as in debug mode.": enclave.document(pcrs={0: bytes(48)}),
        "it has no public key to answer to.": enclave.document(public_key=None),
    }
    for call in attested_calls(kms, key).values():
        for reason, document in bad.items():
            with refused("ValidationException", PREFIX + reason):
                call({**good, "AttestationDocument": document})
        assert call(good)["CiphertextForRecipient"]


def test_members_of_recipient(kms, key, enclave, refused):
    document = enclave.document()
    for recipient in (
        {},
        {"AttestationDocument": document},
        {"KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_256"},
    ):
        with refused("ValidationException"):
            kms.generate_random(NumberOfBytes=8, Recipient=recipient)
    with refused("ValidationException"):
        kms.generate_random(
            NumberOfBytes=8,
            Recipient={"AttestationDocument": document, "KeyEncryptionAlgorithm": "RSAES_OAEP_SHA_1"},
        )


def test_no_policy_is_asked_about_a_bad_document(kms, guarded, strangers, refused):
    key_id = guarded("StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR0", IMAGE.hex())
    with refused("ValidationException"):
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=strangers.recipient())


def test_documents_are_dated_by_the_hosts_clock(server, enclave):
    kms = server.client()
    server.advance(86_400)
    assert kms.generate_random(NumberOfBytes=8, Recipient=enclave.recipient())


# ----------------------------------------------------------------------------- evidence


def test_the_event_names_the_machine_and_shows_no_document(server, kms, key, enclave):
    recipient = enclave.recipient()
    kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256", Recipient=recipient)
    event = server.events()[-1]
    assert event["additionalEventData"]["recipient"] == {
        "attestationDocumentModuleId": enclave.module_id,
        "attestationDocumentEnclaveImageDigest": IMAGE.hex(),
    }
    assert event["additionalEventData"]["keyMaterialId"]
    assert base64.b64encode(recipient["AttestationDocument"]).decode()[:64] not in json.dumps(event)
    assert set(event["requestParameters"]) == {"keyId", "keySpec"}


def test_a_denied_machine_is_named_too(server, kms, guarded, enclave, refused):
    key_id = guarded("StringEqualsIgnoreCase", "kms:RecipientAttestation:PCR0", OTHER.hex())
    with refused("AccessDeniedException"):
        kms.generate_data_key(KeyId=key_id, KeySpec="AES_256", Recipient=enclave.recipient())
    event = server.events()[-1]
    assert event["errorCode"] == "AccessDenied"
    assert event["additionalEventData"]["recipient"]["attestationDocumentModuleId"] == enclave.module_id


def test_an_unverified_machine_is_not_named(server, kms, strangers, refused):
    with refused("ValidationException"):
        kms.generate_random(NumberOfBytes=8, Recipient=strangers.recipient())
    assert "additionalEventData" not in server.events()[-1]


# ----------------------------------------------------------------------------- settings


def test_without_a_pinned_root_every_document_is_refused(enclave, refused):
    with (
        RunningServer() as running,
        refused(
            "ValidationException",
            PREFIX + "no attestation root is pinned here, so no document can be verified.",
        ),
    ):
        running.client().generate_random(NumberOfBytes=8, Recipient=enclave.recipient())


def test_debug_mode_counts_only_if_a_setting_says_so(enclave, tmp_path):
    path = tmp_path / "own.pem"
    path.write_bytes(enclave.root_pem)
    with RunningServer(attestation_roots=(str(path),), attestation_allow_debug=True) as running:
        recipient = enclave.recipient(pcrs={0: bytes(48)})
        answer = running.client().generate_random(NumberOfBytes=8, Recipient=recipient)
        assert len(enclave.open(answer["CiphertextForRecipient"])) == 8


def test_roots_are_listed_in_a_variable():
    loaded = load(
        {}, {"KEYSTEAD_ATTESTATION_ROOTS": "a.pem,b.pem", "KEYSTEAD_ATTESTATION_ALLOW_DEBUG": "true"}
    )
    assert loaded.attestation_roots == ("a.pem", "b.pem")
    assert loaded.attestation_allow_debug is True
    assert load({}, {}).attestation_roots == ()
    assert load({}, {}).attestation_allow_debug is False


@pytest.mark.parametrize("content", [None, b"", b"not PEM"])
def test_a_root_that_cannot_be_read_stops_the_start(tmp_path, content):
    path = tmp_path / "root.pem"
    if content is not None:
        path.write_bytes(content)
    with (
        pytest.raises(errors.SettingsError, match=r"attestation_roots: .*root\.pem"),
        RunningServer(attestation_roots=(str(path),)),
    ):
        pass
