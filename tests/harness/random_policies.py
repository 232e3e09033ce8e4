"""Random key policies, and a universe of requests that is rich enough to tell them apart."""

import itertools

HERE, THERE, ELSEWHERE = "111122223333", "444455556666", "999999999999"
SERVICES = ["logs.us-east-1.amazonaws.com", "s3.amazonaws.com"]
PROVIDER = "arn:aws:iam::111122223333:oidc-provider/id.example.com"


def user(account, name, partition="aws"):
    return {"type": "user", "arn": f"arn:{partition}:iam::{account}:user/{name}", "account": account}


def session(account, role, name):
    return {
        "type": "assumedRole",
        "account": account,
        "roleArn": f"arn:aws:iam::{account}:role/{role}",
        "arn": f"arn:aws:sts::{account}:assumed-role/{role.rpartition('/')[2]}/{name}",
    }


def federated(account, name, issuer):
    return {
        "type": "federatedUser",
        "account": account,
        "arn": f"arn:aws:sts::{account}:federated-user/{name}",
        "issuerArn": f"arn:aws:iam::{account}:user/{issuer}",
    }


def root(account, partition="aws"):
    return {"type": "root", "arn": f"arn:{partition}:iam::{account}:root", "account": account}


ACCOUNTS = [HERE, THERE, ELSEWHERE, "444400000000", "111122220000"]
CALLERS = [
    *(user(a, n) for a in ACCOUNTS for n in ("Alice", "Bob", "team/Bob", "Zed", "App", "x/Admin")),
    *(user(a, "Alice", "aws-cn") for a in ACCOUNTS),
    user(HERE, "Bob", "aws-us-gov"),
    *(
        session(a, r, n)
        for a in ACCOUNTS
        for r in ("App", "ops/App", "Admin", "Zed", "x/Admin-1")
        for n in ("s1", "s9")
    ),
    *(federated(a, n, i) for a in ACCOUNTS for n in ("Fed", "Zed") for i in ("Alice", "Zed")),
    *(root(a) for a in ACCOUNTS),
    root(HERE, "aws-cn"),
    *({"type": "service", "service": s} for s in (*SERVICES, "x.amazonaws.com", "y")),
    {"type": "webIdentity", "provider": PROVIDER},
    {"type": "webIdentity", "provider": "another"},
]
ENTRIES = [
    "*", HERE, THERE, f"arn:aws:iam::{HERE}:root", f"arn:aws:iam::{THERE}:root",
    user(HERE, "Alice")["arn"], user(HERE, "team/Bob")["arn"], user(THERE, "Bob")["arn"],
    session(HERE, "App", "s1")["roleArn"], session(HERE, "ops/App", "s1")["roleArn"], session(HERE, "App", "s1")["arn"],
    session(THERE, "Admin", "s1")["roleArn"], federated(HERE, "Fed", "Alice")["arn"],
]  # fmt: skip
ACTIONS = [
    "kms:Decrypt", "kms:Encrypt", "kms:DescribeKey", "kms:DeleteAlias", "kms:PutKeyPolicy", "kms:Sign", "kms:D",
    "kms:Zzz", "kms:Decrypter", "s3:GetObject", "s3:Zzz", "kmsx:Decrypt",
]  # fmt: skip
ACTION_ENTRIES = [
    "*", "kms:*", "kms:*", "kms:De*", "KMS:decrypt", "kms:Decrypt", "kms:Encrypt", "kms:?ncrypt", "kms:*y*", "s3:*",
    "kms:DescribeKey",
]  # fmt: skip
KEYS = [f"arn:aws:kms:us-east-1:{HERE}:key/{name}" for name in ("1234", "abcd", "1", "z")]
RESOURCES = [
    *KEYS, f"arn:aws:kms:eu-west-1:{THERE}:key/1234", f"arn:aws:kms:us-east-1:{HERE}:alias/a", "arn:aws:s3:::b",
    f"arn:aws-cn:kms:us-east-1:{THERE}:key/9", "arn:aws:kms:::1", "arn:aws:x:us-east-1::key/1", "*",
]  # fmt: skip
RESOURCE_ENTRIES = [
    "*", "*", "*", "*", KEYS[0], KEYS[1], "arn:aws:kms:*:*:key/1*", "arn:aws:kms:us-*", f"arn:aws:kms:us-east-1:{HERE}:*",
    "arn:*:kms:*:*:*",
]  # fmt: skip

TEXTS = ["a", "b", "ab", "A", "aB", "ba", "a*", "abc", "", "c", "bab", "zz"]
TEXT_WANTED = ["a", "b", "a*", "*b", "?", "*a*", "ab", "A", "*"]
STRING_OPERATORS = [
    "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase", "StringEqualsIfExists", "StringNotLikeIfExists", "StringLikeIfExists",
]  # fmt: skip
ARN_OPERATORS = [
    "ArnLike",
    "ArnNotLike",
    "ArnEquals",
    "ArnLikeIfExists",
    "StringLike",
    "StringEquals",
    "StringNotLike",
]
ARNS = [
    "arn:aws:s3:::b", "arn:aws:s3:::bc", f"arn:aws:sns:us-east-1:{HERE}:t", f"arn:aws:sns:us-east-1:{THERE}:t",
    f"arn:aws:sns:eu-west-1:{HERE}:t", "arn:aws:s3:::z:b", "arn:x:y:z:w:v", f"arn:aws:sns:eu-west-1:{HERE}:u",
    f"arn:aws:sns:x:{HERE}:t", "arn:aws:s3:b:::b", f"arn:z:z:z:{HERE}:z",
]  # fmt: skip
RELATIONS = ["Equals", "NotEquals", "LessThan", "LessThanEquals", "GreaterThan", "GreaterThanEquals"]

TABLE = {
    "kms:ViaService": (TEXTS, STRING_OPERATORS, TEXT_WANTED),
    "kms:EncryptionContext:app": (TEXTS, STRING_OPERATORS, TEXT_WANTED),
    "aws:PrincipalTag/team": (TEXTS, STRING_OPERATORS, TEXT_WANTED),
    "aws:PrincipalOrgID": (TEXTS, STRING_OPERATORS, ["a", "b", "a*"]),
    "aws:SourceArn": (
        ARNS, ARN_OPERATORS, ["arn:aws:s3:::b*", f"arn:aws:sns:*:{HERE}:*", "arn:aws:s3:::b", "arn:*", "*t", "arn:*:t"],
    ),
    "aws:SourceIp": (
        ["0.0.0.0", "10.0.0.0", "10.1.0.0", "10.1.2.3", "9.9.9.9", "127.255.255.255", "128.0.0.0", "203.0.113.7",
         "203.0.113.8", "255.255.255.255", "::", "2001:db8::1", "2001:db9::", "8000::"],
        ["IpAddress", "NotIpAddress", "IpAddressIfExists"],
        ["0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8", "10.1.0.0/16", "203.0.113.7", "::/0", "2001:db8::/32",
         "::/1", "8000::/1"],
    ),
    "aws:SecureTransport": (
        ["true", "false"], ["Bool", "BoolIfExists", "StringEquals", "StringNotEquals"], ["true", "false"],
    ),
    "kms:RotationPeriodInDays": (
        ["1", "29", "30", "31", "59", "60", "61", "90", "91", "30.0"],
        [f"Numeric{r}" for r in RELATIONS] + ["NumericLessThanIfExists", "StringEquals"], ["30", "60", "90"],
    ),
    "aws:CurrentTime": (
        [f"2026-01-{day:02}T{hour}:00:00Z" for day in range(1, 6) for hour in ("00", "12")],
        [f"Date{r}" for r in RELATIONS] + ["DateLessThanIfExists"], ["2026-01-02", "2026-01-03T00:00:00Z", "2026-01-04"],
    ),
    "aws:TagKeys": (
        [c for n in (1, 2, 3, 4) for c in itertools.combinations(["a", "b", "ab", "zz", "ba"], n)],
        [f"{q}:{op}" for q in ("ForAllValues", "ForAnyValue") for op in ("StringEquals", "StringLike", "StringNotEquals")]
        + ["ForAnyValue:StringEqualsIfExists", "StringEquals", "StringNotEquals"],
        ["a", "b", "a*", "*b"],
    ),
    "aws:unknown": (TEXTS, STRING_OPERATORS, TEXT_WANTED),
    "aws:bytes": (["YQ==", "Yg==", "", "~", "Yw=="], ["BinaryEquals", "BinaryEqualsIfExists"], ["YQ==", "Yg=="]),
    "aws:count": (
        ["0", "1", "2", "3", "4", "5", "2.5", "~"], ["NumericEquals", "NumericNotEquals", "NumericLessThan"], ["2", "3"],
    ),
    "aws:PrincipalArn": (
        None, ARN_OPERATORS,
        [f"arn:aws:iam::{HERE}:user/*", "arn:aws:iam::*:role/*", f"arn:aws:iam::{HERE}:role/App", "*Admin*", "arn:aws:*",
         f"arn:aws:iam::{THERE}:*", user(HERE, "Alice")["arn"], "arn:*:Bob", f"arn:aws:iam::{HERE}:root"],
    ),
    "aws:PrincipalAccount": (None, STRING_OPERATORS, [HERE, THERE, "4444*", "1111????????", "*"]),
    "kms:CallerAccount": (None, ["StringEquals", "StringNotEquals", "StringLike"], [HERE, THERE, "1111*"]),
    "aws:PrincipalType": (None, ["StringEquals", "StringNotEquals"], ["User", "AssumedRole", "Account", "Service"]),
    "aws:username": (None, STRING_OPERATORS, ["Alice", "Bob", "B*", "A*"]),
    "aws:PrincipalIsAWSService": (None, ["Bool", "BoolIfExists"], ["true", "false"]),
    "aws:PrincipalServiceName": (None, STRING_OPERATORS, [*SERVICES, "*.amazonaws.com"]),
}  # fmt: skip
"""Key: its values in the universe (None: the caller tells it), operators, and what policies ask for."""

UNIVERSE = {
    "callers": sorted(CALLERS, key=lambda caller: caller["type"]),
    "actions": ACTIONS,
    "resources": RESOURCES,
    "values": {key: [None, *values] for key, (values, _, _) in TABLE.items() if values is not None},
}


def some(random, values, most=2):
    return random.sample(values, random.randint(1, min(most, len(values))))


def principal(random):
    kind = random.random()
    if kind < 0.15:
        return "*"
    if kind < 0.85:
        return {"AWS": some(random, ENTRIES, 3)}
    if kind < 0.96:
        return {"Service": random.choice(SERVICES)}
    return {"Federated": PROVIDER}


def statement(random, keys):
    made = {"Effect": "Allow" if random.random() < 0.7 else "Deny"}
    made["Principal" if random.random() < 0.92 else "NotPrincipal"] = principal(random)
    made["Action" if random.random() < 0.9 else "NotAction"] = some(random, ACTION_ENTRIES)
    made["Resource" if random.random() < 0.92 else "NotResource"] = some(random, RESOURCE_ENTRIES)
    condition = {}
    for key in keys:
        if random.random() < 0.5:
            _, operators, wanted = TABLE[key]
            operator = "Null" if random.random() < 0.12 else random.choice(operators)
            values = [random.choice(["true", "false"])] if operator == "Null" else some(random, wanted)
            condition.setdefault(operator, {})[key] = values
    return made | ({"Condition": condition} if condition else {})


def mutated(random, policy, keys):
    """A policy near another one, so that pairs are often equal but for one thing."""
    statements = [dict(one) for one in policy["Statement"]]
    for _ in range(random.randint(1, 2)):
        index = random.randrange(len(statements))
        kind = random.random()
        if kind < 0.3:
            statements.append(statement(random, keys))
        elif kind < 0.5 and len(statements) > 1:
            del statements[index]
        elif kind < 0.7:
            statements[index] = {k: v for k, v in statements[index].items() if k != "Condition"}
        else:
            other = statement(random, keys)
            same = {name for name in other if name in statements[index] and name != "Effect"}
            statements[index] |= {name: other[name] for name in same if random.random() < 0.5}
    return {"Version": "2012-10-17", "Statement": statements}


def pair(random):
    """Two policies over a few condition keys."""
    keys = random.sample(sorted(TABLE), random.choice([0, 1, 1, 2, 2, 3]))
    one = {
        "Version": "2012-10-17",
        "Statement": [statement(random, keys) for _ in range(random.randint(1, 4))],
    }
    if random.random() < 0.6:
        two = mutated(random, one, keys)
    else:
        two = {
            "Version": "2012-10-17",
            "Statement": [statement(random, keys) for _ in range(random.randint(1, 4))],
        }
    return (one, two) if random.random() < 0.5 else (two, one)
