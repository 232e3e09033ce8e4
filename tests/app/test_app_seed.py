import base64
from pathlib import Path

import pytest

from keystead.errors import SettingsError
from keystead.keyring import Keyring
from keystead.seed import apply_seed, read_seed
from keystead.testing import RunningServer

EXAMPLE = Path(__file__).parents[2] / "examples/seed/seed.yaml"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
SEED = f"""
accounts:
  - id: "111122223333"
    name: main
    root_credentials: {{access_key_id: seeded, secret_access_key: seededsecret}}
    keys:
      - id: {KEY}
        region: eu-west-1
        aliases: [alias/demo]
        tags: {{stage: test}}
        policy: {{Version: "2012-10-17", Statement: [{{Effect: Allow, Principal: {{AWS: "111122223333"}},
                  Action: "kms:*", Resource: "*"}}]}}
        material: {base64.b64encode(bytes(range(32))).decode()}
      - {{id: 1234abcd-12ab-34cd-56ef-1234567890ac, spec: ECC_NIST_P256, usage: SIGN_VERIFY}}
"""


def seeded(server, file):
    keyring = Keyring.open(server.store, server.entropy)
    apply_seed(server.store, keyring, read_seed(file), server.clock.now(), server.entropy)


@pytest.fixture
def seed(tmp_path):
    def write(text):
        file = tmp_path / "seed.yaml"
        file.write_text(text)
        return file

    return write


def test_a_seed_makes_fixed_keys_and_is_idempotent(fresh_server, seed):
    file = seed(SEED)
    seeded(fresh_server, file)
    options = {"aws_access_key_id": "seeded", "aws_secret_access_key": "seededsecret"}
    import boto3

    kms = boto3.client("kms", endpoint_url=fresh_server.url, region_name="eu-west-1", **options)
    sealed = kms.encrypt(KeyId="alias/demo", Plaintext=b"x")
    assert sealed["KeyId"] == f"arn:aws:kms:eu-west-1:111122223333:key/{KEY}"
    before = kms.describe_key(KeyId=KEY)["KeyMetadata"]
    seeded(fresh_server, file)
    assert kms.describe_key(KeyId=KEY)["KeyMetadata"] == before
    assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"x"
    assert kms.list_resource_tags(KeyId=KEY)["Tags"] == [{"TagKey": "stage", "TagValue": "test"}]
    kms.close()


def test_the_example_of_the_documentation_is_one_and_idempotent(fresh_server):
    for _ in range(2):
        seeded(fresh_server, EXAMPLE)
    import boto3

    alice = {"aws_access_key_id": "AKIAEXAMPLEALICE0000", "aws_secret_access_key": "alice-secret"}
    kms = boto3.client("kms", endpoint_url=fresh_server.url, region_name="us-east-1", **alice)
    sealed = kms.encrypt(KeyId="alias/demo", Plaintext=b"x")
    assert kms.decrypt(CiphertextBlob=sealed["CiphertextBlob"])["Plaintext"] == b"x"
    kms.close()


def test_one_material_gives_one_material_id_in_every_deployment_key_of_that_id_only(fresh_server, seed):
    seeded(fresh_server, seed(SEED))
    with RunningServer() as other:
        seeded(other, seed(SEED))
        ids = [
            s.store.transaction().get(_keys(), f"111122223333/eu-west-1/{KEY}").materials[0].id
            for s in (fresh_server, other)
        ]
    assert ids[0] != ids[1]  # keyed by each deployment's own secret: an id tells nothing of the material


def _keys():
    from keystead.services.kms.tables import KEYS

    return KEYS


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("- a list", "bad seed file"),
        ("accounts: [{id: '1'}]", "12 digits"),
        ("accounts: [{id: '111122223333', colour: red}]", "colour"),
        ("organization: {id: o-1}", "organization"),
        ("accounts: [{id: '111122223333', keys: [{id: short}]}]", "key short"),
        (f"accounts: [{{id: '111122223333', keys: [{{id: {KEY}, spec: SM2}}]}}]", "key spec"),
        (f"accounts: [{{id: '111122223333', keys: [{{id: {KEY}, region: US}}]}}]", r"keys\[0\].region"),
        (f"accounts: [{{id: '111122223333', keys: [{{id: {KEY}, material: AAAA}}]}}]", KEY),
        (f"accounts: [{{id: '111122223333', keys: [{{id: {KEY}, policy: nonsense}}]}}]", KEY),
        (
            f"accounts: [{{id: '111122223333', keys: [{{id: {KEY}, tags: {{a: '?'}}}}]}}]",
            f"{KEY}.*Invalid tag",
        ),
        (f"accounts: [{{id: '111122223333', keys: [{{id: {KEY.upper()}}}]}}]", "in lower case"),
        ("{unclosed", "not YAML: line 1, column 10"),
        ("accounts: [{id: 111122223333}]", r"accounts\[0\].id must be text, .*: put it in quotation marks"),
        ("accounts: 3", "accounts must be a list, not a whole number"),
        ("colour: red", "there is no `colour`"),
    ],
)
def test_a_bad_seed_says_what_is_wrong(fresh_server, seed, text, said):
    with pytest.raises(SettingsError, match=said):
        seeded(fresh_server, seed(text))


def test_a_missing_seed_file(tmp_path):
    with pytest.raises(SettingsError, match="cannot read"):
        read_seed(tmp_path / "none.yaml")
