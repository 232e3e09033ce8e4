"""New access by trying every request of a fixed universe: slow, plain, and sharing no code with what it checks.

Policies are JSON documents. Conditions are judged with regular expressions, floats and `ipaddress`; a request is a
caller (a dict), an action, a resource, and a value (or None) for each condition key that a policy names.
"""

import base64
import ipaddress
import itertools
import re
from datetime import UTC, datetime


def like(pattern, text):
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def arn_like(pattern, text):
    patterns, parts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(parts) == 6 and all(map(like, patterns, parts))


def listed(value):
    return value if isinstance(value, list) else [value]


# -------------------------------------------------------------------------- conditions


def number(text):
    try:
        return float(text)
    except ValueError:
        return None


def moment(text):
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return number(text)
    return (when if when.tzinfo else when.replace(tzinfo=UTC)).timestamp()


def ordered(read, relation):
    def holds(wanted, value):
        one, other = read(value), read(wanted)
        return one is not None and other is not None and relation(one, other)

    return holds


def in_network(wanted, value):
    try:
        return ipaddress.ip_address(value) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        return False


def same_bytes(wanted, value):
    try:
        return base64.b64decode(value, validate=True) == base64.b64decode(wanted, validate=True)
    except ValueError:
        return False


POSITIVE = {
    "StringEquals": lambda wanted, value: wanted == value,
    "StringEqualsIgnoreCase": lambda wanted, value: wanted.lower() == value.lower(),
    "StringLike": like,
    "ArnLike": arn_like,
    "ArnEquals": arn_like,
    "Bool": lambda wanted, value: wanted.lower() == value.lower() and wanted.lower() in ("true", "false"),
    "BinaryEquals": same_bytes,
    "IpAddress": in_network,
}
for family, read in (("Numeric", number), ("Date", moment)):
    POSITIVE |= {
        f"{family}Equals": ordered(read, lambda a, b: a == b),
        f"{family}LessThan": ordered(read, lambda a, b: a < b),
        f"{family}LessThanEquals": ordered(read, lambda a, b: a <= b),
        f"{family}GreaterThan": ordered(read, lambda a, b: a > b),
        f"{family}GreaterThanEquals": ordered(read, lambda a, b: a >= b),
    }
NEGATIVE = {
    "StringNotEquals": "StringEquals",
    "StringNotEqualsIgnoreCase": "StringEqualsIgnoreCase",
    "StringNotLike": "StringLike",
    "ArnNotLike": "ArnLike",
    "ArnNotEquals": "ArnEquals",
    "NotIpAddress": "IpAddress",
}
ORDERED_NEGATIVE = {"NumericNotEquals": number, "DateNotEquals": moment}


def one_holds(base, wanted, value):
    if base in ORDERED_NEGATIVE:  # what cannot be read differs from nothing
        read = ORDERED_NEGATIVE[base]
        return read(value) is not None and all(read(w) is not None and read(w) != read(value) for w in wanted)
    if base in NEGATIVE:
        return not any(POSITIVE[NEGATIVE[base]](w, value) for w in wanted)
    return any(POSITIVE[base](w, value) for w in wanted)


def condition_holds(operator, wanted, value):
    """Whether a condition holds for a key's value: None, a text, or a tuple of texts."""
    wanted = [str(w).lower() if isinstance(w, bool) else str(w) for w in listed(wanted)]
    if operator == "Null":
        return ("true" if value is None else "false") in wanted
    quantifier, _, name = operator.rpartition(":")
    base, if_exists = name.removesuffix("IfExists"), name.endswith("IfExists")
    members = () if value is None else (value,) if isinstance(value, str) else value
    if quantifier == "ForAllValues":
        return all(one_holds(base, wanted, one) for one in members)
    if quantifier == "ForAnyValue":
        return if_exists if value is None else any(one_holds(base, wanted, one) for one in members)
    if value is None:
        return if_exists or base in NEGATIVE or base in ORDERED_NEGATIVE
    return isinstance(value, str) and one_holds(base, wanted, value)


# -------------------------------------------------------------------------- statements


def action_matches(statement, action):
    def one(entry):
        if entry == "*":
            return True
        service, _, name = entry.lower().partition(":")
        wanted_service, _, wanted = action.lower().partition(":")
        return service == wanted_service and like(name, wanted)

    if "Action" in statement:
        return any(map(one, listed(statement["Action"])))
    return not any(map(one, listed(statement["NotAction"])))


def resource_matches(statement, resource):
    def one(entry):
        return entry == "*" or (resource != "*" and arn_like(entry, resource))

    if "Resource" in statement:
        return any(map(one, listed(statement["Resource"])))
    return not any(map(one, listed(statement["NotResource"])))


def names(element, caller):
    """The ways in which an element names the caller."""
    element = {"AWS": "*"} if element == "*" else element
    account = caller.get("account")

    roots = (account, *(f"arn:{partition}:iam::{account}:root" for partition in ("aws", "aws-cn")))
    ways = {
        "role": lambda entry: caller["type"] == "assumedRole" and entry == caller["roleArn"],
        "issuer": lambda entry: caller["type"] == "federatedUser" and entry == caller["issuerArn"],
        "account": lambda entry: account and entry in roots,
        "own": lambda entry: (
            entry == "*"
            or (caller["type"] == "root" and entry in roots)
            or (caller["type"] != "root" and entry == caller.get("arn"))
        ),
    }

    def naming(kind, entry):
        if kind in ("Service", "Federated"):
            member = "service" if kind == "Service" else "provider"
            return {"own"} if entry == caller.get(member) else set()
        return {way for way, holds in ways.items() if holds(entry)}

    return {way for kind, entries in element.items() for e in listed(entries) for way in naming(kind, e)}


def named(statement, caller):
    if "NotPrincipal" in statement:
        return not names(statement["NotPrincipal"], caller) - {"account", "issuer"}
    return "Principal" in statement and bool(names(statement["Principal"], caller))


def caller_keys(caller):
    """The condition keys that the caller tells."""
    kind, arn = caller["type"], caller.get("arn")
    if kind in ("service", "webIdentity"):
        service = caller.get("service")
        keys = {"aws:PrincipalType": "Service" if service else "Anonymous"}
        if service:
            keys |= {"aws:PrincipalServiceName": service, "aws:PrincipalServiceNamesList": (service,)}
        return keys | {"aws:PrincipalIsAWSService": "true" if service else "false"}
    types = {
        "user": "User",
        "assumedRole": "AssumedRole",
        "federatedUser": "FederatedUser",
        "root": "Account",
    }
    keys = {
        "aws:PrincipalArn": caller["roleArn"] if kind == "assumedRole" else arn,
        "aws:PrincipalAccount": caller["account"],
        "kms:CallerAccount": caller["account"],
        "aws:PrincipalType": types[kind],
        "aws:PrincipalIsAWSService": "false",
    }
    return keys | ({"aws:username": arn.rpartition("/")[2]} if kind == "user" else {})


ABSENT = {
    "aws:PrincipalOrgID": {"service", "webIdentity"},
    "aws:PrincipalTag/team": {"service", "root"},
}
"""Keys that some callers never have; nothing gives a web identity an organization."""


def conditions(statement):
    for operator, keys in statement.get("Condition", {}).items():
        for key, wanted in keys.items():
            yield operator, key, wanted


def applies(statement, request):
    """Whether a statement names the caller and matches the request: what a witness is judged by."""
    told = caller_keys(request["caller"])
    values = {key.lower(): value for key, value in {**request["context"], **told}.items()}
    return (
        named(statement, request["caller"])
        and action_matches(statement, request["action"])
        and resource_matches(statement, request["resource"])
        and all(
            condition_holds(op, wanted, values.get(key.lower())) for op, key, wanted in conditions(statement)
        )
    )


def admits(policy, request):
    effects = {s["Effect"] for s in policy["Statement"] if applies(s, request)}
    return effects == {"Allow"}


# ---------------------------------------------------------------------------- universe


def rows(values, statements, judge):
    """For each value the statements that it satisfies, as bits; each such set once, with a value that has it."""
    found = {}
    for value in values:
        bits = sum(1 << index for index, statement in enumerate(statements) if judge(statement, value))
        found.setdefault(bits, value)
    return found


def on_key(key):
    def judge(statement, value):
        return all(
            condition_holds(op, wanted, value) for op, name, wanted in conditions(statement) if name == key
        )

    return judge


def on_caller(statement, caller):
    told = caller_keys(caller)
    return named(statement, caller) and all(
        condition_holds(op, wanted, told.get(key))
        for op, key, wanted in conditions(statement)
        if key in CALLER_KEYS
    )


CALLER_KEYS = {
    "aws:PrincipalArn", "aws:PrincipalAccount", "kms:CallerAccount", "aws:PrincipalType", "aws:username",
    "aws:PrincipalIsAWSService", "aws:PrincipalServiceName", "aws:PrincipalServiceNamesList",
}  # fmt: skip


def new_access(old, new, universe):
    """A request of the universe that `new` admits and `old` does not, or None."""
    statements = [*old["Statement"], *new["Statement"]]
    before = len(old["Statement"])

    def bits(effect, of_new):
        return sum(
            1 << i for i, s in enumerate(statements) if s["Effect"] == effect and (i >= before) == of_new
        )

    masks = [bits(effect, of_new) for of_new in (False, True) for effect in ("Allow", "Deny")]
    keys = sorted({key for s in statements for _, key, _ in conditions(s)} - CALLER_KEYS)
    shared = [
        rows(universe["actions"], statements, action_matches),
        rows(universe["resources"], statements, resource_matches),
    ]
    for kind, callers in itertools.groupby(universe["callers"], key=lambda caller: caller["type"]):
        dimensions = [rows(callers, statements, on_caller), *shared]
        for key in keys:
            values = [None] if kind in ABSENT.get(key, ()) else universe["values"][key]
            dimensions.append(rows(values, statements, on_key(key)))
        found = _search(dimensions, masks)
        if found is not None:
            caller, action, resource, *values = found
            context = {key: value for key, value in zip(keys, values, strict=True) if value is not None}
            return {"caller": caller, "action": action, "resource": resource, "context": context}
    return None


def _search(dimensions, masks):
    old_allow, old_deny, new_allow, new_deny = masks
    for chosen in itertools.product(*(dimension.items() for dimension in dimensions)):
        bits = -1
        for satisfied, _ in chosen:
            bits &= satisfied
        if bits & new_allow and not bits & new_deny and (not bits & old_allow or bits & old_deny):
            return [value for _, value in chosen]
    return None
