"""New access by an SMT solver: a second procedure, on JSON documents, that shares no code with what it checks.

Callers are a list; actions, resources and values of condition keys are variables of the solver. What it has no words for
(lists of values, bytes) is not asked.
"""

import ipaddress

import brute_force
import z3
from brute_force import CALLER_KEYS, conditions, listed, moment, named, number

TEXT = {
    "kms:ViaService",
    "kms:EncryptionContext:app",
    "aws:PrincipalTag/team",
    "aws:PrincipalOrgID",
    "aws:unknown",
}
SCALAR = {"kms:RotationPeriodInDays": number, "aws:CurrentTime": moment}
KNOWN = {*TEXT, *SCALAR, *CALLER_KEYS, "aws:SourceArn", "aws:SourceIp", "aws:SecureTransport"}
ANY_CHARACTER = z3.AllChar(z3.ReSort(z3.StringSort()))
ANYTHING = z3.Full(z3.ReSort(z3.StringSort()))
NOTHING = z3.Empty(z3.ReSort(z3.StringSort()))
NO_COLON = z3.Star(z3.Intersect(ANY_CHARACTER, z3.Complement(z3.Re(":"))))


def speaks(*policies):
    """Whether it has words for all that the policies ask."""
    return all(
        key in KNOWN and ("String" not in operator or key not in SCALAR)
        for policy in policies
        for statement in policy["Statement"]
        for operator, key, _ in conditions(statement)
    )


def concat(parts):
    return z3.Concat(*parts) if len(parts) > 1 else parts[0] if parts else z3.Re("")


def glob(pattern, star=ANYTHING, one=ANY_CHARACTER):
    return concat([{"*": star, "?": one}.get(letter, z3.Re(letter)) for letter in pattern])


def arn(pattern):
    parts = pattern.split(":", 5)
    if len(parts) != 6:
        return NOTHING
    not_colon = z3.Intersect(ANY_CHARACTER, z3.Complement(z3.Re(":")))
    heads = [piece for part in parts[:5] for piece in (glob(part, NO_COLON, not_colon), z3.Re(":"))]
    return concat([*heads, glob(parts[5])])


def caseless(text):
    return concat(
        [
            z3.Union(z3.Re(letter.lower()), z3.Re(letter.upper())) if letter.isalpha() else z3.Re(letter)
            for letter in text
        ]
    )


LANGUAGES = {
    "StringEquals": z3.Re, "StringEqualsIgnoreCase": caseless, "StringLike": glob, "ArnLike": arn, "ArnEquals": arn,
}  # fmt: skip
COMPARISONS = {
    "Equals": lambda a, b: a == b, "NotEquals": lambda a, b: a != b, "LessThan": lambda a, b: a < b,
    "LessThanEquals": lambda a, b: a <= b, "GreaterThan": lambda a, b: a > b, "GreaterThanEquals": lambda a, b: a >= b,
}  # fmt: skip


class Key:
    """A condition key: whether it is there, and its value."""

    def __init__(self, name):
        self.name = name
        self.present = z3.Bool(f"{name} is there")
        if name in SCALAR:
            self.value = z3.Real(name)
        elif name == "aws:SecureTransport":
            self.value = z3.Bool(name)
        elif name == "aws:SourceIp":
            self.value, self.six = z3.Int(name), z3.Bool(f"{name} is IPv6")
        else:
            self.value = z3.String(name)

    def possible(self):
        if self.name == "aws:SourceArn":
            return [z3.InRe(self.value, arn("arn:*:*:*:*:*"))]
        if self.name == "aws:SourceIp":
            return [self.value >= 0, self.value < z3.If(self.six, 2**128, 2**32)]
        return []

    def holds(self, operator, wanted):
        wanted = [str(one) for one in listed(wanted)]
        if operator == "Null":
            return z3.Or([z3.Not(self.present) if one == "true" else self.present for one in wanted])
        base = operator.removesuffix("IfExists")
        positive = brute_force.NEGATIVE.get(base, base)
        test = self._test(positive, wanted)
        absent = base != operator or base != positive or base in brute_force.ORDERED_NEGATIVE
        test = z3.Not(test) if base != positive else test
        return z3.If(self.present, test, absent)

    def _test(self, base, wanted):
        if self.name in SCALAR:
            read = SCALAR[self.name]
            compare = COMPARISONS[base.removeprefix("Numeric").removeprefix("Date")]
            tests = [compare(self.value, z3.RealVal(repr(read(one)))) for one in wanted]
            return z3.And(tests) if base.endswith("NotEquals") else z3.Or(tests)
        if self.name == "aws:SecureTransport":
            return z3.Or([self.value == (one == "true") for one in wanted])
        if self.name == "aws:SourceIp":
            return z3.Or([self._within(ipaddress.ip_network(one, strict=False)) for one in wanted])
        return z3.Or([z3.InRe(self.value, LANGUAGES[base](one)) for one in wanted])

    def _within(self, network):
        low, high = int(network.network_address), int(network.broadcast_address)
        return z3.And(self.six == (network.version == 6), self.value >= low, self.value <= high)


class World:
    def __init__(self, policies, callers):
        self.callers = callers
        self.caller, self.action, self.resource = z3.Int("caller"), z3.String("action"), z3.String("resource")
        names = {key for policy in policies for s in policy["Statement"] for _, key, _ in conditions(s)}
        self.keys = {name: Key(name) for name in sorted(names - CALLER_KEYS)}

    def possible(self):
        yield z3.InRe(self.action, glob("?*:?*"))
        yield z3.Or(self.resource == "*", z3.InRe(self.resource, arn("arn:*:*:*:*:*")))
        yield z3.And(self.caller >= 0, self.caller < len(self.callers))
        for name, key in self.keys.items():
            yield from key.possible()
            absent = [
                i for i, one in enumerate(self.callers) if one["type"] in brute_force.ABSENT.get(name, ())
            ]
            yield from (z3.Implies(self.caller == i, z3.Not(key.present)) for i in absent)

    def applies(self, statement):
        told = [
            i
            for i, caller in enumerate(self.callers)
            if named(statement, caller) and brute_force.on_caller(statement, caller)
        ]
        parts = [z3.Or([self.caller == i for i in told])]
        for element in ("Action", "NotAction"):
            if element in statement:
                found = z3.Or([self._action(entry) for entry in listed(statement[element])])
                parts.append(found if element == "Action" else z3.Not(found))
        for element in ("Resource", "NotResource"):
            if element in statement:
                found = z3.Or([self._resource(entry) for entry in listed(statement[element])])
                parts.append(found if element == "Resource" else z3.Not(found))
        for operator, key, wanted in conditions(statement):
            if key in self.keys:
                parts.append(self.keys[key].holds(operator, wanted))
        return z3.And(parts)

    def _action(self, entry):
        return z3.BoolVal(True) if entry == "*" else z3.InRe(self.action, glob(entry.lower()))

    def _resource(self, entry):
        return z3.BoolVal(True) if entry == "*" else z3.InRe(self.resource, arn(entry))

    def admits(self, policy):
        allow = [self.applies(s) for s in policy["Statement"] if s["Effect"] == "Allow"]
        deny = [self.applies(s) for s in policy["Statement"] if s["Effect"] == "Deny"]
        return z3.And(z3.Or(allow), z3.Not(z3.Or(deny)))


def new_access(old, new, callers, milliseconds):
    """Whether there is new access; None if the solver does not find out in time."""
    world = World([old, new], callers)
    solver = z3.Solver()
    solver.set("timeout", milliseconds)
    solver.add(*world.possible(), world.admits(new), z3.Not(world.admits(old)))
    return {"sat": True, "unsat": False}.get(str(solver.check()))
