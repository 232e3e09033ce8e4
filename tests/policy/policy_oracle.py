"""A second evaluator, for tests only: slow, plain, on JSON documents, and sharing no code with the first.

It reads the simulation contract's section 3 literally, with regular expressions for globs, and knows only the
operators that `test_policy_properties` draws.
"""

import re


def like(pattern, text):
    expression = "".join({"*": ".*", "?": "."}.get(c, re.escape(c)) for c in pattern)
    return re.fullmatch(expression, text, re.DOTALL) is not None


def arn_like(pattern, text):
    patterns, parts = pattern.split(":", 5), text.split(":", 5)
    return len(patterns) == len(parts) == 6 and all(map(like, patterns, parts))


def listed(value):
    return value if isinstance(value, list) else [value]


def action_matches(statement, action):
    def one(entry):
        if entry == "*":
            return True
        if ":" not in entry or re.search(r"[\s,]", entry):
            return False
        service, name = entry.lower().split(":", 1)
        wanted_service, wanted = action.lower().split(":", 1)
        return service == wanted_service and like(name, wanted)

    if "Action" in statement:
        return any(map(one, listed(statement["Action"])))
    return not any(map(one, listed(statement["NotAction"])))


def resource_matches(statement, resource):
    def one(entry):
        return entry == "*" or (resource != "*" and arn_like(entry, resource))

    if "Resource" in statement:
        return any(map(one, listed(statement["Resource"])))
    return "NotResource" in statement and not any(map(one, listed(statement["NotResource"])))


RELATIONS = {
    "StringEquals": lambda value, wanted: value == wanted,
    "StringLike": lambda value, wanted: like(wanted, value),
    "ArnLike": lambda value, wanted: arn_like(wanted, value),
    "NumericLessThan": lambda value, wanted: (
        value.isdigit() and wanted.isdigit() and int(value) < int(wanted)
    ),
}
NEGATIONS = {"StringNotEquals": "StringEquals", "StringNotLike": "StringLike", "ArnNotLike": "ArnLike"}


def condition_holds(operator, key, values, context):
    found = {name.lower(): value for name, value in context.items()}.get(key.lower())
    if operator == "Null":
        return ("true" if found is None else "false") in listed(values)
    quantifier, name = operator.split(":") if ":" in operator else ("", operator)
    base, if_exists = name.removesuffix("IfExists"), name.endswith("IfExists")
    negated = base in NEGATIONS

    def one(value):
        relation = RELATIONS[NEGATIONS.get(base, base)]
        return any(relation(value, wanted) for wanted in listed(values)) != negated

    if quantifier == "ForAllValues":
        return found is None or all(map(one, listed(found)))
    if quantifier == "ForAnyValue":
        return if_exists if found is None else any(map(one, listed(found)))
    if found is None:
        return negated or if_exists
    return not isinstance(found, list) and one(found)


def applies(statement, case):
    request = case["request"]
    return (
        action_matches(statement, request["action"])
        and resource_matches(statement, request["resource"])
        and all(
            condition_holds(operator, key, values, request["context"])
            for operator, keys in statement.get("Condition", {}).items()
            for key, values in keys.items()
        )
    )


def ways(statement, caller, bounded):
    """The ways in which a statement's principal element names the caller."""
    account = None if caller["type"] == "service" else caller["arn"].split(":")[4]

    def naming(entry, kind):
        if entry == "*":
            return {"any"} if kind == "AWS" else set()
        if kind == "Service":
            return {"own"} if entry == caller.get("service") else set()
        if entry in (account, f"arn:aws:iam::{account}:root"):
            return {"account", "root"} if caller["type"] == "root" else {"account"}
        if caller["type"] == "assumedRole" and entry == caller["roleArn"]:
            return {"role"}
        return {"own"} if entry == caller.get("arn") else set()

    def named(element):
        element = {"AWS": "*"} if element == "*" else element
        return {way for kind, entries in element.items() for e in listed(entries) for way in naming(e, kind)}

    if "Principal" in statement:
        return named(statement["Principal"])
    if "NotPrincipal" not in statement:
        return set()
    exempt = named(statement["NotPrincipal"]) - {"account"}
    if bounded and statement["Effect"] == "Deny":
        exempt = set()
    return set() if exempt else {"any"}


def statements(policies, effect, case):
    return [
        s for p in policies for s in p["document"]["Statement"] if s["Effect"] == effect and applies(s, case)
    ]


def decide(case):
    caller, request = case["principal"], case["request"]
    service, root = caller["type"] == "service", caller["type"] == "root"
    own = [] if service else case["identityPolicies"] + case["groupPolicies"]
    boundary = [] if service or root else [p for p in [case["permissionsBoundary"]] if p]
    session = [] if service or root else case["sessionPolicies"]
    scps = [] if service or caller["isManagementAccount"] else case["serviceControlPolicies"]
    rcps = [] if case["resource"]["keyManager"] == "AWS" else case["resourceControlPolicies"]
    endpoint, resource = case["vpcEndpointPolicies"], [p for p in [case["resourcePolicy"]] if p]
    bounded = bool(boundary)

    def allows(policies):
        return bool(statements(policies, "Allow", case))

    def admitted(policies):
        return any(ways(s, caller, bounded) for s in statements(policies, "Allow", case))

    around = [p for level in rcps for p in level["policies"]] + endpoint + resource
    inside = own + boundary + session + [p for level in scps for p in level["policies"]]
    if statements(inside, "Deny", case) or any(
        ways(s, caller, bounded) for s in statements(around, "Deny", case)
    ):
        return "explicitDeny"
    if not all(admitted(level["policies"]) for level in rcps):
        return "implicitDeny"
    if not all(allows(level["policies"]) for level in scps) or (endpoint and not admitted(endpoint)):
        return "implicitDeny"
    named = {way for s in statements(resource, "Allow", case) for way in ways(s, caller, bounded)}
    granted = any(
        request["action"] == "kms:" + operation
        and grant["GranteePrincipal"] in (caller.get("arn"), caller.get("roleArn"), caller.get("service"))
        and caller["type"] != "root"
        for grant in case["grants"]
        for operation in grant["Operations"]
    )
    direct = granted or bool(named & {"any", "own", "root"})
    if service:
        return "allowed" if direct else "implicitDeny"
    limits = (not boundary or allows(boundary)) and (not session or allows(session))
    identity = (root or allows(own)) and limits
    if caller["arn"].split(":")[4] != request["resourceAccount"]:
        foreign = request["action"] in ("kms:Decrypt", "kms:Encrypt", "kms:DescribeKey")
        return "allowed" if foreign and (granted or (named and identity)) else "implicitDeny"
    delegated = "account" in named or case["options"]["trust"] == "standard"
    allowed = direct or ("role" in named and limits) or (identity and delegated)
    return "allowed" if allowed else "implicitDeny"
