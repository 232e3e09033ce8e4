"""Random worlds of one key, its grants, and a caller with all kinds of policies around it."""

import json

import random_policies
from random_policies import HERE, TABLE, THERE

from keystead.analysis.condition_keys import absent_for, has_key, of_caller
from keystead.analysis.effective import Key, Standing
from keystead.policy import (
    AuthorizationRequest,
    Grant,
    Level,
    Policies,
    ResourceDescription,
    compile_policy,
    parse,
)
from keystead.policy.request import ChildGrant, Constraints, Principal

ARN = f"arn:aws:kms:us-east-1:{HERE}:key/1234"
KEYS = ["kms:ViaService", "kms:EncryptionContext:app", "aws:SourceIp", "aws:PrincipalOrgID"]
USER = Principal(type="user", arn=f"arn:aws:iam::{HERE}:user/Alice", account=HERE)
SESSION = Principal(
    type="assumedRole",
    arn=f"arn:aws:sts::{HERE}:assumed-role/App/s1",
    account=HERE,
    role_arn=f"arn:aws:iam::{HERE}:role/App",
)
PEOPLE = [
    USER, SESSION,
    Principal(type="root", arn=f"arn:aws:iam::{HERE}:root", account=HERE),
    Principal(type="user", arn=f"arn:aws:iam::{THERE}:user/Bob", account=THERE),
    Principal(type="service", service="logs.us-east-1.amazonaws.com"),
    Principal(type="federatedUser", arn=f"arn:aws:sts::{HERE}:federated-user/Fed", account=HERE, issuer_arn=USER.arn),
]  # fmt: skip


def compiled(statements, name=None):
    return compile_policy(parse(json.dumps({"Version": "2012-10-17", "Statement": statements})), name)


def policies(random, most, keys, *, broad=0.5, principal=False):
    made = []
    for number in range(random.randint(0, most)):
        statements = [random_policies.statement(random, keys) for _ in range(random.randint(1, 2))]
        for one in statements:
            if not principal:
                one.pop("Principal", None)
                one.pop("NotPrincipal", None)
        if random.random() < broad:
            statements.append(
                {"Effect": "Allow", "Action": "*", "Resource": "*"}
                | ({"Principal": "*"} if principal else {})
            )
        made.append(compiled(statements, f"p{number}"))
    return tuple(made)


def grant(random, number):
    pairs = random.choice([None, {"app": "a"}, {"app": "b"}, {"other": "a"}])
    constraint = random.choice(["encryption_context_equals", "encryption_context_subset"])
    return Grant(
        grant_id=f"g{number}",
        key_arn=ARN,
        grantee=random.choice([p.role_arn or p.arn or p.service for p in PEOPLE]),
        operations=frozenset(random.sample(["Decrypt", "Encrypt", "DescribeKey", "CreateGrant", "Sign"], 2)),
        issuing_account=HERE,
        constraints=Constraints(**{constraint: pairs}),
    )


def world(random):
    keys = random.sample(KEYS, random.choice([0, 1, 2]))
    key = Key(
        arn=ARN,
        account=HERE,
        policy=compiled([random_policies.statement(random, keys) for _ in range(random.randint(1, 4))]),
        grants=tuple(grant(random, number) for number in range(random.choice([0, 0, 1, 2]))),
        resource_control=tuple(
            Level(policies(random, 1, keys, principal=True)) for _ in range(random.choice([0, 0, 1]))
        ),
    )
    boundary = policies(random, 1, keys) if random.random() < 0.3 else ()
    held = Policies(
        identity=policies(random, 2, keys),
        group=policies(random, 1, keys),
        boundary=boundary[0] if boundary else None,
        session=policies(random, 1, keys) if random.random() < 0.4 else (),
        service_control=tuple(
            Level(policies(random, 1, keys, broad=1)) for _ in range(random.choice([0, 0, 1]))
        ),
    )
    return key, Standing(principal=random.choice(PEOPLE), policies=held), keys


def requests(random, key, standing, keys, count):
    """Requests as the server would make them: keys that the action or the caller has not are absent."""
    for _ in range(count):
        action = random.choice(
            [
                "kms:Decrypt",
                "kms:Encrypt",
                "kms:DescribeKey",
                "kms:PutKeyPolicy",
                "kms:Sign",
                "kms:CreateGrant",
            ]
        )
        context = {}
        for name in {*keys, "kms:EncryptionContext:app", "kms:EncryptionContext:other"}:
            values = TABLE[name][0] if name in TABLE else ["a", "b"]
            lower = name.lower()
            if (
                random.random() < 0.7
                and has_key(action, ARN, lower)
                and standing.principal.type not in absent_for(lower)
            ):
                context[lower] = random.choice(values)
        start = "kms:encryptioncontext:"
        pairs = {name.removeprefix(start): value for name, value in context.items() if name.startswith(start)}
        fixed = {"aws:resourceaccount": HERE, "aws:requestedregion": "us-east-1"}
        yield AuthorizationRequest(
            principal=standing.principal, action=action, resource=ARN, account=HERE,
            context=context | fixed | of_caller(standing.principal), description=ResourceDescription(trust="keyPolicy"),
            encryption_context=pairs, child=ChildGrant(),
        )  # fmt: skip
