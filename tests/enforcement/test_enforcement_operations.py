"""Every KMS operation is denied unless it is allowed: cases generated from the table of actions."""

import json

import botocore
import msgspec
import pytest
from botocore.exceptions import ClientError
from callers import client_with
from operations import CALLS, Scene, needed
from principals import access_key, put_principals, set_policies, statement

from keystead.api.decisions import Decisions
from keystead.keyring import Keyring
from keystead.policy.actions import ACTIONS, KEY_CHECK_KEYS
from keystead.testing import RunningServer

ALICE = "arn:aws:iam::000000000000:user/alice"
CAROL = "arn:aws:iam::444455556666:user/carol"
UNKNOWN = "arn:aws:kms:us-east-1:{}:key/00000000-0000-4000-8000-000000000000"

OPERATIONS = sorted(CALLS)
ON_KEYS = sorted(
    name for name in OPERATIONS if all("key" in ACTIONS[action].targets for action in needed(name))
)
BY_GRANT = {"RetireGrant"}
"""Where the grant decides and identity policies, not the key policy: see `test_enforcement_values`."""
BY_KEY_POLICY = [name for name in ON_KEYS if name not in BY_GRANT]
BY_ARN = [name for name in ON_KEYS if not name.endswith("Alias")]
"""Alias operations act on the caller's own aliases, whatever keys they name."""
FOUND_BY_CIPHERTEXT = {"Decrypt", "ReEncrypt"}


class World:
    """A server, a user whose policies are set anew for each case, and a user of another account."""

    def __init__(self, server):
        self.server, self.scene = server, Scene(server)
        put_principals(server.store, ALICE, CAROL)
        self.alice = client_with(server, *access_key(server.store, ALICE), region="us-east-1")
        self.carol = client_with(server, *access_key(server.store, CAROL), region="us-east-1")
        keyring = Keyring.open(server.store, server.entropy)
        self.decisions = Decisions(server.data_dir, "test", keyring)

    def allow(self, *documents, who=ALICE):
        set_policies(self.server.store, who, **{f"p{n}": text for n, text in enumerate(documents)})

    def request(self, name):
        """A valid call; the keys that it needs are made, and are in `scene.made` then."""
        self.scene.made.clear()
        return CALLS[name](self.scene)

    def call(self, name, request, client=None):
        """None for an answer or an error that is no denial, else the denial."""
        method = getattr(client or self.alice, botocore.xform_name(name))
        try:
            method(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return error.response
        return None

    def context_of(self, denial):
        """Every condition key and its value, as the refused call had them."""
        return self.decisions.find(denial["ResponseMetadata"]["RequestId"]).refused.request.context


@pytest.fixture(scope="module")
def world():
    with RunningServer() as server:
        yield World(server)


def message_of(denial):
    return denial["Error"]["Message"]


# --------------------------------------------------------------------------- permissions


@pytest.mark.parametrize("name", OPERATIONS)
def test_without_any_permission(world, name):
    world.allow()
    denial = world.call(name, world.request(name))
    assert denial is not None
    assert f"User: {ALICE} is not authorized to perform: kms:" in message_of(denial)
    assert "because no identity-based policy allows the kms:" in message_of(denial)


@pytest.mark.parametrize("name", OPERATIONS)
def test_under_deny_all(world, name):
    world.allow(statement(), statement("Deny", "*"))
    denial = world.call(name, world.request(name))
    assert denial is not None
    assert "with an explicit deny in an identity-based policy" in message_of(denial)


@pytest.mark.parametrize(
    ("name", "action"), [(name, action) for name in OPERATIONS for action in needed(name)]
)
def test_with_every_permission_but_its_own(world, name, action):
    document = statement()
    document["Statement"][0]["NotAction"] = [action]
    del document["Statement"][0]["Action"]
    world.allow(document)
    denial = world.call(name, world.request(name))
    assert denial is not None
    assert action in message_of(denial)


@pytest.mark.parametrize("name", OPERATIONS)
def test_with_just_its_own(world, name):
    world.allow(statement(action=list(needed(name))))
    assert world.call(name, world.request(name)) is None


@pytest.mark.parametrize("name", ON_KEYS)
def test_with_its_own_on_another_key(world, name):
    world.allow(statement(action=list(needed(name)), resource=UNKNOWN.format("000000000000")))
    assert world.call(name, world.request(name)) is not None


@pytest.mark.parametrize("name", BY_KEY_POLICY)
def test_a_key_policy_that_delegates_nothing_makes_permissions_worthless(world, name):
    request = world.request(name)
    keys = world.scene.made
    _have_policies(world, keys, statement(Principal={"AWS": "arn:aws:iam::444455556666:root"}))
    world.allow(statement())
    denial = world.call(name, request)
    assert denial is not None
    assert "because no resource-based policy allows the kms:" in message_of(denial)


@pytest.mark.parametrize("name", ON_KEYS)
def test_a_deny_in_the_key_policy_wins(world, name):
    request = world.request(name)
    document = statement(Principal={"AWS": ALICE})
    document["Statement"] += statement("Deny", Principal="*")["Statement"]
    _have_policies(world, world.scene.made, document)
    world.allow(statement())
    denial = world.call(name, request)
    assert denial is not None
    assert "with an explicit deny in a resource-based policy" in message_of(denial)


@pytest.mark.parametrize("name", BY_KEY_POLICY)
def test_a_key_policy_that_names_the_caller_is_enough(world, name):
    request = world.request(name)
    _have_policies(world, world.scene.made, statement(action=list(needed(name)), Principal={"AWS": ALICE}))
    elsewhere = [action for action in needed(name) if "key" not in ACTIONS[action].targets]
    world.allow(*([statement(action=elsewhere)] if elsewhere else []), *_on_aliases(name))
    assert world.call(name, request) is None


def _on_aliases(name):
    """Alias operations take their permission on the alias as well, which only identity policies give."""
    if "alias" not in ACTIONS[needed(name)[0]].targets:
        return []
    return [statement(action=f"kms:{name}", resource="arn:aws:kms:*:*:alias/*")]


# ------------------------------------------------------------------------------ accounts


def _have_policies(world, keys, document):
    """Put a key policy by hand, past the check that somebody can still change it."""
    from keystead.services.kms.tables import KEYS

    def put(tx):
        for where, key in tx.scan(KEYS, ""):
            if key.id in keys:
                changed = msgspec.structs.replace(key, policy=json.dumps(document), principals=())
                tx.put(KEYS, where, changed)

    world.server.store.run(put)


def by_arn(world, request):
    """The request with its keys named by ARN, as another account must name them."""
    named = dict(request)
    for member in ("KeyId", "DestinationKeyId"):
        if member in named and not named[member].startswith("arn:"):
            named[member] = f"arn:aws:kms:us-east-1:000000000000:key/{named[member]}"
    return named


@pytest.mark.parametrize("name", BY_ARN)
def test_another_account_has_no_access_by_its_own_policies_alone(world, name):
    world.allow(statement(), who=CAROL)
    request = by_arn(world, world.request(name))
    denial = world.call(name, request, world.carol)
    assert denial is not None
    assert "because the resource does not exist in this Region, no resource-based" in message_of(denial)


@pytest.mark.parametrize("name", sorted(set(BY_ARN) - BY_GRANT))
def test_across_accounts_both_must_allow_and_the_operation_must_be_made_for_it(world, name):
    request = by_arn(world, world.request(name))
    keep = statement(Principal={"AWS": "arn:aws:iam::000000000000:root"})
    keep["Statement"] += statement(Principal={"AWS": "arn:aws:iam::444455556666:root"})["Statement"]
    _have_policies(world, world.scene.made, keep)
    world.allow(who=CAROL)
    assert world.call(name, request, world.carol) is not None
    world.allow(statement(), who=CAROL)
    crosses = all(ACTIONS[action].cross_account for action in needed(name))
    assert (world.call(name, request, world.carol) is None) is crosses


@pytest.mark.parametrize("name", sorted(set(BY_ARN) - FOUND_BY_CIPHERTEXT))
def test_a_key_that_is_not_there(world, name):
    """In the own account it is not found; in another it cannot be told from one that is closed."""
    request = world.request(name)
    world.allow(statement())
    own = {**request, "KeyId": UNKNOWN.format("000000000000")}
    with pytest.raises(ClientError) as caught:
        getattr(world.alice, botocore.xform_name(name))(**own)
    assert caught.value.response["Error"]["Code"] == "NotFoundException"
    foreign = {**request, "KeyId": UNKNOWN.format("444455556666")}
    denial = world.call(name, foreign)
    assert denial is not None
    assert "because the resource does not exist in this Region, no resource-based" in message_of(denial)


# ---------------------------------------------------------------------------- conditions


def _rows():
    for name in OPERATIONS:
        for action in needed(name):
            row = ACTIONS[action]
            keys = [*row.keys, *(KEY_CHECK_KEYS if "key" in row.targets else ())]
            yield from ((name, action, key) for key in dict.fromkeys(keys))


def _operator(value):
    return "ForAnyValue:StringEquals" if isinstance(value, (list, tuple)) else "StringEquals"


def _members(context, key):
    """The keys of the context that a row of the table stands for."""
    if not key.endswith("*"):
        return [key.lower()] if key.lower() in context else []
    return [name for name in context if name.startswith(key[:-1].lower())]


ON_BOTH = {
    ("UpdateAlias", "kms:ResourceAliases"): {"ForAllValues:StringLike": {"kms:ResourceAliases": "alias/*"}},
    ("UpdatePrimaryRegion", "kms:MultiRegionKeyType"): {
        "StringEquals": {"kms:MultiRegionKeyType": ["PRIMARY", "REPLICA"]}
    },
}
"""What both keys of a call meet, where they differ: the permission is needed on each."""


@pytest.mark.parametrize(("name", "action", "key"), list(_rows()))
def test_each_condition_key_decides(world, name, action, key):
    """With its value the call is allowed, with another one denied; absent, by whether it must be there."""
    rest = [statement(action=[other for other in needed(name) if other != action] or ["kms:None"])]
    rest += _on_aliases(name)
    world.allow(*rest)
    request = world.request(name)
    context = world.context_of(world.call(name, request))
    members = _members(context, key)
    if members:
        value = context[members[0]]
        met = {_operator(value): {members[0].upper(): value}}
        unmet = {_operator(value): {members[0]: ["no such value"]}}
    else:
        absent = key.replace("*", "other")
        met, unmet = {"Null": {absent: "true"}}, {"Null": {absent: "false"}}
    met = ON_BOTH.get((name, key), met)
    world.allow(*rest, statement(action=action, Condition=unmet))
    assert world.call(name, request) is not None
    world.allow(*rest, statement(action=action, Condition=met))
    assert world.call(name, request) is None
