"""Seed files with identities and an organization: whoever stands there may do what the file says, and no more."""

import pytest
from botocore.exceptions import ClientError

from keystead.api import directory
from keystead.api.directory import ACCOUNTS, ORGANIZATIONS, UNITS, role_named
from keystead.errors import SettingsError
from keystead.keyring import Keyring
from keystead.seed import apply_seed, read_seed
from keystead.services.organizations import tree
from keystead.testing import Person

SEED = """
accounts:
  - id: "111122223333"
    name: main
    root_credentials: {access_key_id: seeded, secret_access_key: seededsecret}
    keys:
      - id: 1234abcd-12ab-34cd-56ef-1234567890ab
        aliases: [alias/demo]
        policy:
          Version: 2012-10-17
          Statement:
            - {Effect: Allow, Principal: {AWS: "arn:aws:iam::111122223333:root"}, Action: "kms:*", Resource: "*"}
            - {Effect: Allow, Principal: {AWS: "arn:aws:iam::444455556666:role/app/Worker"},
               Action: "kms:Encrypt", Resource: "*"}
    policies:
      - name: ListKeys
        path: /shared/
        document: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "kms:ListKeys", Resource: "*"}}
    groups:
      - name: readers
        attached: ["arn:aws:iam::111122223333:policy/shared/ListKeys"]
    users:
      - name: alice
        path: /staff/
        credentials: {access_key_id: AKIAEXAMPLEALICE0000, secret_access_key: alicesecret}
        policies:
          use-keys: {Version: "2012-10-17", Statement: [{Effect: Allow, Action: "kms:Encrypt", Resource: "*"}]}
        groups: [readers]
        tags: {team: blue}
      - name: bounded
        credentials: {access_key_id: AKIAEXAMPLEBOUNDED00, secret_access_key: boundedsecret}
        policies:
          all: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "kms:*", Resource: "*"}}
        boundary: arn:aws:iam::111122223333:policy/shared/ListKeys
  - id: "444455556666"
    roles:
      - name: Worker
        path: /app/
        max_session: 7200
        trust: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "sts:AssumeRole",
                Principal: {AWS: "arn:aws:iam::111122223333:user/staff/alice"}}}
        policies:
          work: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "kms:*", Resource: "*"}}
organization:
  id: o-exampleorgid
  management_account: "111122223333"
  policies:
    - name: no-tags
      document: {Version: "2012-10-17", Statement: {Effect: Deny, Action: "kms:TagResource", Resource: "*"}}
  units:
    - name: workloads
      policies:
        - name: in-europe
          type: RCP
          document: {Version: "2012-10-17", Statement: {Effect: Deny, Principal: "*", Action: "kms:Encrypt",
                     Resource: "*", Condition: {StringNotEquals: {"aws:RequestedRegion": eu-west-1}}}}
      units:
        - name: production
          id: ou-abcd-12345678
          full_access: false
          policies:
            - {name: only-keys, document: {Version: "2012-10-17", Statement: {Effect: Allow, Action: "kms:*",
               Resource: "*"}}}
            - {name: no-tags}
          accounts: ["444455556666", {id: "777788889999"}]
"""


@pytest.fixture
def seeded(fresh_server, tmp_path):
    file = tmp_path / "seed.yaml"

    def apply(text=SEED):
        file.write_text(text)
        keyring = Keyring.open(fresh_server.store, fresh_server.entropy)
        apply_seed(
            fresh_server.store, keyring, read_seed(file), fresh_server.clock.now(), fresh_server.entropy
        )
        return fresh_server

    return apply


def person(server, access_key_id, secret):
    return Person(arn="", account="", access_key_id=access_key_id, secret_access_key=secret, home=server)


def refused(call, **request):
    with pytest.raises(ClientError) as refusal:
        call(**request)
    error = refusal.value.response["Error"]
    assert error["Code"] == "AccessDeniedException"
    return error["Message"]


def role(server, account, name):
    return role_named(server.store.transaction(), account, name)


def test_users_of_a_seed_may_do_what_it_says(seeded):
    server = seeded()
    alice = person(server, "AKIAEXAMPLEALICE0000", "alicesecret").client()
    assert alice.encrypt(KeyId="alias/demo", Plaintext=b"x")["CiphertextBlob"]
    assert [key["KeyId"] for key in alice.list_keys()["Keys"]] == ["1234abcd-12ab-34cd-56ef-1234567890ab"]
    assert "user/staff/alice" in refused(alice.list_aliases)
    bounded = person(server, "AKIAEXAMPLEBOUNDED00", "boundedsecret").client()
    assert bounded.list_keys()["Keys"]
    assert "permissions boundary" in refused(bounded.list_aliases)


def test_a_policy_names_a_role_further_down_and_a_role_trusts_a_user_further_up(seeded):
    server = seeded()
    worker = role(server, "444455556666", "worker")
    assert [name for name, _ in worker.trusted] == ["arn:aws:iam::111122223333:user/staff/alice"]
    assert worker.max_session == 7200
    key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
    session = server.assume(worker).client()
    assert session.encrypt(KeyId=key, Plaintext=b"x")["KeyId"] == key
    refused(session.decrypt, KeyId=key, CiphertextBlob=b"x" * 100)


def test_the_organization_of_a_seed_binds_its_members(seeded):
    server = seeded()
    member = server.root("444455556666")
    home, away = member.client(region="eu-west-1"), member.client(region="us-east-1")
    key = home.create_key()["KeyMetadata"]["KeyId"]
    assert "service control policy" in refused(
        home.tag_resource, KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}]
    )
    abroad = away.create_key()["KeyMetadata"]["KeyId"]
    assert "resource control policy" in refused(away.encrypt, KeyId=abroad, Plaintext=b"x")
    assert home.encrypt(KeyId=key, Plaintext=b"x")
    assert person(server, "seeded", "seededsecret").client().create_key()


def test_a_seed_applied_again_changes_nothing(seeded):
    server = seeded()

    def everything():
        tables = ("USERS", "GROUPS", "ROLES", "POLICIES", "ACCOUNTS", "CREDENTIALS", "UNITS", "ORG_POLICIES")
        return {name: server.store.transaction().scan(getattr(directory, name), "") for name in tables}

    before = everything()
    server.advance(10)
    seeded()
    assert everything() == before


def test_what_was_detached_since_stays_detached_and_what_is_new_is_added(seeded):
    server = seeded()

    def detach(tx):
        organization = tx.get(ORGANIZATIONS, "o-exampleorgid")
        node = tree.node_at(tx, organization, "ou-abcd-12345678")
        tree.replace_node(tx, organization, node, policies=node.policies[:1])

    server.store.run(detach)
    more = """
    - name: sandbox
      policies: [{name: no-tags}]
"""
    seeded(SEED.rstrip() + more)
    tx = server.store.transaction()
    found = {unit.name: unit for _, unit in tx.scan(UNITS, "o-exampleorgid/")}
    assert set(found) == {"workloads", "production", "sandbox"}
    assert len(found["production"].policies) == 1
    assert len(found["sandbox"].policies) == 3  # AWS's two, and the one that is named


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("groups: [readers]", "groups: [writers]", "bad seed: account 111122223333: user alice: no such group"),
        ("boundary: arn:aws:iam::1", "boundary: arn:aws:iam::2", "user bounded: no such managed policy"),
        ("user/staff/alice", "user/alice", "role Worker: its trust policy names principals that do not exist"),
        ("role/app/Worker", "role/Worker", "key 1234abcd.*invalid principals.*role/Worker"),
        ('Action: "kms:ListKeys"', "Nonsense: x", "account 111122223333: policy ListKeys"),
        ("- {name: no-tags}", "- {name: other}", "unit workloads: unit production: policy other"),
        ("type: RCP", "type: TAG_POLICY", r"organization.units\[0\].policies\[0\].type"),
        ("AKIAEXAMPLEBOUNDED00", "AKIAEXAMPLEALICE0000", "user bounded: access key id .* in use"),
        ('- id: "444455556666"', '- id: "44"', "12 digits"),
        ("- name: alice", "- name: alice cooper", r"users\[0\].name"),
        ("path: /app/", "path: app", r"roles\[0\].path"),
        ("use-keys:", "use keys:", r"users\[0\].policies"),
    ],
)  # fmt: skip
def test_an_error_says_where_it_is_and_nothing_is_written(seeded, fresh_server, old, new, said):
    assert old in SEED
    with pytest.raises(SettingsError, match=said):
        seeded(SEED.replace(old, new))
    assert fresh_server.store.transaction().get(ACCOUNTS, "111122223333") is None
