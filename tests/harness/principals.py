"""Users and roles for tests that only need somebody to be there, written straight to a server's store."""

import json

import msgspec

from keystead import arn
from keystead.api.accounts import put_account
from keystead.api.directory import CREDENTIALS, NAMES, ROLES, USERS, Name, name_place, principal_id_of
from keystead.entropy import SystemEntropy
from keystead.identity import Credential, Role, User
from keystead.identity import names as ids
from keystead.identity.credential import new_access_key

TRUST_NOBODY = (
    '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}'
)
_KINDS = {"user": (USERS, User, ids.USER, {}), "role": (ROLES, Role, ids.ROLE, {"trust": TRUST_NOBODY})}


def put_principals(store, *arns):
    """Have the users and roles with these ARNs exist, and their accounts."""

    def put(tx):
        for name in arns:
            parts = arn.parse(name)
            kind, *path, last = parts.resource.split("/")
            table, record, prefix, members = _KINDS[kind]
            if tx.get(NAMES, name_place(kind, parts.account, last)) is not None:
                continue
            put_account(tx, parts.account, "test", 0.0)
            made = record(
                account=parts.account,
                name=last,
                id=ids.new_unique_id(prefix, SystemEntropy()),
                created=0.0,
                path="/" + "".join(f"{part}/" for part in path),
                **members,
            )
            tx.put(table, f"{made.account}/{made.id}", made)
            tx.put(NAMES, name_place(kind, made.account, last), Name(made.id))

    store.run(put)


def set_policies(store, name, **documents):
    """Have the user or role with this ARN have these inline policies and no others."""

    def put(tx):
        parts = arn.parse(name)
        kind, last = parts.resource.split("/")[0], parts.resource.rpartition("/")[2]
        table = _KINDS[kind][0]
        place = f"{parts.account}/{tx.get(NAMES, name_place(kind, parts.account, last)).id}"
        inline = {title: json.dumps(document) for title, document in documents.items()}
        tx.put(table, place, msgspec.structs.replace(tx.get(table, place), inline=inline))

    store.run(put)


def access_key(store, name):
    """A new access key (id, secret) of the user with this ARN."""
    pair = new_access_key(SystemEntropy())

    def put(tx):
        account = arn.parse(name).account
        user = principal_id_of(tx, name)
        credential = Credential(
            access_key_id=pair[0], secret=pair[1], account=account, created=0.0, user=user
        )
        tx.put(CREDENTIALS, pair[0], credential)

    store.run(put)
    return pair


def statement(effect="Allow", action="*", resource="*", **more):
    """A policy of one statement."""
    return {
        "Version": "2012-10-17",
        "Statement": [{"Effect": effect, "Action": action, "Resource": resource, **more}],
    }
