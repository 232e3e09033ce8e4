"""A user whose policies are set anew for each case, and calls that have this or that value of a condition key."""

import botocore
from botocore.exceptions import ClientError
from callers import client_with
from operations import Scene
from principals import access_key, put_principals, set_policies, statement

ALICE = "arn:aws:iam::000000000000:user/alice"
ROOT = "arn:aws:iam::000000000000:root"


class World:
    """A server that trusts two enclaves of one root, and a user whose policies are set anew for each case."""

    def __init__(self, server, enclave):
        self.server, self.scene, self.enclave = server, Scene(server), enclave
        put_principals(server.store, ALICE)
        self.pair = access_key(server.store, ALICE)
        self.alice = client_with(server, *self.pair, region="us-east-1")

    def allow(self, *documents):
        set_policies(self.server.store, ALICE, **{f"p{n}": text for n, text in enumerate(documents)})

    def denied(self, operation, request, client=None):
        try:
            getattr(client or self.alice, botocore.xform_name(operation))(**request)
        except ClientError as error:
            if error.response["Error"]["Code"] == "AccessDeniedException":
                return True
            raise
        return False

    def attested(self, image):
        """The Recipient of a machine with this image, signed by the root that the server trusts."""
        pcrs = self.enclave.pcrs | {0: image}
        return self.enclave.recipient(pcrs=pcrs)


def grant(scene, **members):
    return {
        "KeyId": scene.key(),
        "GranteePrincipal": ROOT,
        "Operations": ["Encrypt", "Decrypt"],
        **members,
    }


def put_policy(scene, **members):
    key = scene.key()
    return {"KeyId": key, "Policy": scene.kms.get_key_policy(KeyId=key)["Policy"], **members}


def of(kind="plain", **members):
    return lambda world: {"KeyId": world.scene.key(kind), **members}


def encrypt(**members):
    return of(Plaintext=b"x", **members)


def granting(**members):
    return lambda world: grant(world.scene, **members)


def serving(service, source):
    """A grant to a service, for what it does on behalf of one resource."""

    def request(world):
        terms = grant(world.scene, RetiringPrincipal=ROOT, Constraints={"SourceArn": source})
        del terms["GranteePrincipal"]
        return {**terms, "GranteeServicePrincipal": service}

    return request


def rsa(usage, **members):
    def request(world):
        key = world.scene.kms.create_key(KeySpec="RSA_2048", KeyUsage=usage)["KeyMetadata"]["KeyId"]
        return {"KeyId": key, **members}

    return request


def replicated(region):
    return lambda world: {
        "KeyId": world.scene.replica_of(world.scene.key("multi"), region),
        "PrimaryRegion": region,
    }


def unused_for(days):
    """A key that was made so many days ago, and not used since."""

    def request(world):
        key = world.scene.key()
        world.server.advance(days * 86_400.0)
        return {"KeyId": key}

    return request


def creating(**members):
    return lambda _world: members


def reencrypt(*, same):
    def request(world):
        key = world.scene.key()
        return {
            "CiphertextBlob": world.scene.kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"],
            "DestinationKeyId": key if same else world.scene.key(),
        }

    return request


def aliased(world):
    key = world.scene.key()
    world.scene.kms.create_alias(AliasName=f"alias/fixed-{key[:8]}", TargetKeyId=key)
    return {"KeyId": key, "Plaintext": b"x"}


def by_alias(world):
    return {"KeyId": world.scene.alias(), "Plaintext": b"x"}


def by_alias_arn(world):
    return {"KeyId": f"arn:aws:kms:us-east-1:000000000000:{world.scene.alias()}", "Plaintext": b"x"}


def material(**members):
    return lambda world: {**world.scene.material(world.scene.key("external")), **members}


def attested(image):
    return lambda world: {"NumberOfBytes": 32, "Recipient": world.attested(image)}


def tagged(value):
    def request(world):
        key = world.scene.key()
        world.scene.kms.tag_resource(KeyId=key, Tags=[{"TagKey": "Team", "TagValue": value}])
        return {"KeyId": key, "Plaintext": b"x"}

    return request


def tags(key, value):
    return {"Tags": [{"TagKey": key, "TagValue": value}]}


def needed(operation):
    halves = ["kms:ReEncryptFrom", "kms:ReEncryptTo"]
    return halves if operation == "ReEncrypt" else [f"kms:{operation}"]


def beside(operation):
    """What the call takes on top, which the condition is not about."""
    more = {"CreateKey": ["kms:TagResource", "kms:PutKeyPolicy"], "ReplicateKey": ["kms:CreateKey"]}
    return [statement(action=more[operation])] if operation in more else []
