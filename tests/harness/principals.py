"""Users and roles for tests that only need somebody to be there, written straight to a server's store."""

from keystead import arn
from keystead.api.accounts import put_account
from keystead.api.directory import NAMES, ROLES, USERS, Name, name_place
from keystead.entropy import SystemEntropy
from keystead.identity import Role, User
from keystead.identity import names as ids

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
