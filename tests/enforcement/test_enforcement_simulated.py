"""What `keystead policy simulate` derives and decides, against what the server had and did, for every operation."""

import base64
import json

import botocore
import pytest
from botocore.exceptions import ClientError
from operations import CALLS, CONTEXT, Scene, needed
from principals import set_policies, statement

from keystead.api.decisions import Decisions
from keystead.keyring import Keyring
from keystead.policy.simulate import simulate
from keystead.testing import RunningServer

TRANSPORT = (
    "aws:SourceIp",
    "aws:SecureTransport",
    "aws:CurrentTime",
    "aws:EpochTime",
    "aws:UserAgent",
    "aws:RequestedRegion",
)
SERVER_ONLY = {
    "kms:trailingdayswithoutkeyusage": CALLS,
    "kms:reencryptonsamekey": {"ReEncrypt"},
}
"""What no member of a case tells, and where: when a key was last used, and with which one a ciphertext was made."""
TAGS = {"Team": "storage", "Stage": "test"}
TAGGED = {"Tags": [{"TagKey": "a", "TagValue": "b"}]}
REQUESTS = {
    **CALLS,
    "CreateKey (ECC)": lambda _: {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY", "MultiRegion": True, **TAGGED},
    "ReplicateKey (tags)": lambda scene: {
        "KeyId": scene.key("multi"), "ReplicaRegion": "eu-central-1", **TAGGED,
    },
    "Encrypt (alias)": lambda scene: {"KeyId": scene.alias(), "Plaintext": b"x", "EncryptionContext": CONTEXT},
    "CreateGrant (terms)": lambda scene: {
        "KeyId": scene.key(), "GranteePrincipal": f"arn:aws:iam::{scene.account}:root", "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": CONTEXT},
    },
    "ReEncrypt (named)": lambda scene: {
        "CiphertextBlob": scene.blob(key := scene.key()), "SourceEncryptionContext": CONTEXT, "SourceKeyId": key,
        "DestinationKeyId": key, "DestinationEncryptionContext": {"other": "context"},
    },
    "PutKeyPolicy (unchecked)": lambda scene: {**CALLS["PutKeyPolicy"](scene), "BypassPolicyLockoutSafetyCheck": True},
}  # fmt: skip
"""Calls by operation, and in brackets what is particular about some."""
MORE = {"ReplicateKey (tags)": ("kms:TagResource",)}
CASES = [
    (name, action) for name in sorted(REQUESTS) for action in (*needed(name.split()[0]), *MORE.get(name, ()))
]


class World:
    def __init__(self, server):
        self.server, self.scene = server, Scene(server)
        self.user = server.user("alice", path="/staff/", tags=TAGS)
        self.client = self.user.client("kms")
        keyring = Keyring.open(server.store, server.entropy)
        self.decisions = Decisions(server.data_dir, "test", keyring)

    def refused(self, name, request, documents):
        """The message and the record of a call that is refused under these policies."""
        set_policies(self.server.store, self.user.arn, **{f"p{n}": each for n, each in enumerate(documents)})
        with pytest.raises(ClientError) as caught:
            getattr(self.client, botocore.xform_name(name))(**request)
        error = caught.value.response
        assert error["Error"]["Code"] == "AccessDeniedException", error
        found = self.decisions.find(error["ResponseMetadata"]["RequestId"])
        return error["Error"]["Message"], found.refused.request

    def key(self, arn):
        """The attributes of a key, as its account's root is told them; and its policy."""
        if ":key/" not in arn:
            return {}, None
        kms = self.server.client("kms", region=arn.split(":")[3])
        said = kms.describe_key(KeyId=arn)["KeyMetadata"]
        described = {
            "keyManager": said["KeyManager"],
            "keySpec": said["KeySpec"],
            "keyUsage": said["KeyUsage"],
            "origin": said["Origin"],
            "multiRegion": said["MultiRegion"],
            "multiRegionKeyType": said.get("MultiRegionConfiguration", {}).get("MultiRegionKeyType"),
            "aliases": [alias["AliasName"] for alias in kms.list_aliases(KeyId=arn)["Aliases"]],
            "tags": {tag["TagKey"]: tag["TagValue"] for tag in kms.list_resource_tags(KeyId=arn)["Tags"]},
        }
        return described, kms.get_key_policy(KeyId=arn)["Policy"]


@pytest.fixture(scope="module")
def world():
    with RunningServer() as server:
        yield World(server)


def plain(value):
    """Parameters in JSON, as a case has them."""
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def case_of(world, name, request, asked, documents):
    described, policy = world.key(asked.resource)
    if name == "ReplicateKey":
        described, _ = world.key(f"arn:aws:kms:us-east-1:{asked.account}:key/{request['KeyId']}")
    context = {key: asked.context[key.lower()] for key in TRANSPORT if key.lower() in asked.context}
    case = {
        "principal": {"type": "user", "arn": world.user.arn, "userId": world.user.id, "tags": TAGS},
        "request": {
            "action": asked.action,
            "resource": asked.resource,
            "resourceAccount": asked.account,
            "parameters": plain(request),
            "context": context,
        },
        "resource": described,
        "identityPolicies": [{"name": f"p{n}", "document": each} for n, each in enumerate(documents)],
        "options": {"deriveContext": True},
    }
    if policy is not None:
        case["resourcePolicy"] = {"name": "default", "document": policy}
    if name == "RetireGrant":
        (grant,) = world.server.client("kms").list_grants(KeyId=asked.resource)["Grants"]
        members = ("GrantId", "GranteePrincipal", "RetiringPrincipal", "Operations")
        case["grants"] = [{member: grant[member] for member in members}]
    return case


def lists(context):
    return {
        name.lower(): sorted(value) if isinstance(value, (list, tuple)) else value
        for name, value in context.items()
    }


@pytest.mark.parametrize("effect", ["Allow", "Deny"])
@pytest.mark.parametrize(("name", "action"), CASES)
def test_a_case_has_the_context_the_decision_and_the_words_of_the_request(world, name, action, effect):
    """Allow: everything but this permission is allowed. Deny: everything is, and this one is denied."""
    others = statement()
    if effect == "Allow":
        others["Statement"][0]["NotAction"] = [others["Statement"][0].pop("Action"), action][1:]
    documents = [others, *([statement("Deny", action)] if effect == "Deny" else [])]
    request = REQUESTS[name](world.scene)
    name = name.split()[0]
    message, asked = world.refused(name, request, documents)
    assert asked.action == action
    told = json.loads(simulate(json.dumps(case_of(world, name, request, asked, documents))))
    assert told["decision"] == ("explicitDeny" if effect == "Deny" else "implicitDeny")
    assert told["message"] == message
    had, derived = lists(asked.context), lists(told["context"])
    known = {
        key: value for key, value in had.items() if key in derived or name not in SERVER_ONLY.get(key, ())
    }
    assert known == derived


def test_a_session_s_case_has_the_context_of_its_request(world):
    server, key = world.server, world.scene.key()
    role = server.role("work", {"p": statement(action="kms:Encrypt")}, path="/team/", tags=TAGS)
    session = server.assume(role, "shift", tags={"Task": "t1"}, transitive=("Task",), source_identity="ann")
    with pytest.raises(ClientError) as caught:
        session.client("kms").describe_key(KeyId=key)
    asked = world.decisions.find(caught.value.response["ResponseMetadata"]["RequestId"]).refused.request
    case = case_of(world, "DescribeKey", {"KeyId": key}, asked, [statement(action="kms:Encrypt")])
    case["principal"] = {
        "type": "assumedRole",
        "arn": session.arn,
        "roleArn": role.arn,
        "userId": f"{role.id}:shift",
        "tags": TAGS | {"Task": "t1"},
        "tokenIssueTime": asked.context["aws:tokenissuetime"],
        "mfaPresent": False,
        "sourceIdentity": "ann",
    }
    told = json.loads(simulate(json.dumps(case)))
    assert told["message"] == caught.value.response["Error"]["Message"]
    assert lists(told["context"]) == lists(asked.context)


@pytest.mark.parametrize("documents", [[], [statement()]], ids=["nothing", "everything"])
@pytest.mark.parametrize("name", ["Encrypt", "Decrypt", "DescribeKey", "PutKeyPolicy", "ListGrants"])
def test_a_stranger_s_case_is_refused_in_the_words_of_its_request(world, name, documents):
    """The key's own account is all that its policy lets in; of it nothing is told to others."""
    stranger = world.server.user("carol", account="444455556666")
    set_policies(world.server.store, stranger.arn, **{f"p{n}": each for n, each in enumerate(documents)})
    request = CALLS[name](world.scene)
    if "KeyId" in request:
        request["KeyId"] = f"arn:aws:kms:us-east-1:{world.scene.account}:key/{request['KeyId']}"
    with pytest.raises(ClientError) as caught:
        getattr(stranger.client("kms"), botocore.xform_name(name))(**request)
    asked = world.decisions.find(caught.value.response["ResponseMetadata"]["RequestId"]).refused.request
    case = case_of(world, name, request, asked, documents)
    case["principal"] = {"type": "user", "arn": stranger.arn, "userId": stranger.id}
    told = json.loads(simulate(json.dumps(case)))
    assert told["decision"] == "implicitDeny"
    assert told["message"] == caught.value.response["Error"]["Message"]
    had, derived = lists(asked.context), lists(told["context"])
    assert had == {key: value for key, value in derived.items() if key in had}
    of_key = {"kms:keyspec", "kms:keyorigin", "kms:keyusage", "kms:multiregion"}
    # Of a key that the caller named, the server looks at nothing for the words; a ciphertext is known to have one.
    assert of_key & had.keys() == (of_key if name == "Decrypt" else set())
