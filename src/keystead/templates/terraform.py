"""What a plan of Terraform declares: the answer of `terraform show -json PLAN`.

Sources: Terraform's "JSON Output Format"; the AWS provider's resources of KMS, IAM and S3.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from keystead.templates.declared import UNKNOWN, Bucket, Declared, Key, Policy, Unknown

Values = Mapping[str, Any]
_KEYS: Final = frozenset({
    "aws_kms_key", "aws_kms_external_key", "aws_kms_replica_key", "aws_kms_replica_external_key",
})  # fmt: skip
_POLICIES: Final = {
    "aws_iam_policy": "managed",
    "aws_iam_role_policy": "inline",
    "aws_iam_user_policy": "inline",
    "aws_iam_group_policy": "inline",
}


def declared(plan: Values) -> Declared:
    """The keys, identity policies and buckets as they will be."""
    resources = list(_resources(plan.get("planned_values", {}).get("root_module") or {}))
    unknown = {
        one["address"]: (one.get("change") or {}).get("after_unknown") or {}
        for one in plan.get("resource_changes", ())
    }
    apart = _policies_apart(plan, resources, unknown)
    keys = [
        _key(one, unknown.get(one["address"], {}), apart) for one in resources if one.get("type") in _KEYS
    ]
    policies = [
        Policy(
            address=one["address"],
            place="managed" if _POLICIES[one["type"]] == "managed" else "inline",
            text=_policy(one.get("values") or {}, unknown.get(one["address"], {})) or UNKNOWN,
        )
        for one in resources
        if one.get("type") in _POLICIES
    ]
    return Declared(
        keys=tuple(keys),
        policies=tuple(policies),
        buckets=tuple(_buckets(resources, unknown)),
        account=_account(plan),
    )


def _resources(module: Values) -> Iterator[Values]:
    """The resources of a module and of those below it; what data sources read is none."""
    yield from (one for one in module.get("resources", ()) if one.get("mode", "managed") == "managed")
    for child in module.get("child_modules", ()):
        yield from _resources(child)


def _key(resource: Values, unknown: Values, apart: Mapping[str, str | Unknown]) -> Key:
    values, kind, address = resource.get("values") or {}, resource["type"], resource["address"]
    spec = values.get("customer_master_key_spec") or values.get("key_spec") or "SYMMETRIC_DEFAULT"
    own = _policy(values, unknown) if not _generated(values, unknown, "policy") else None
    return Key(
        address=address,
        policy=apart.get(address, own),
        rotation=bool(values.get("enable_key_rotation")),
        rotation_days=values.get("rotation_period_in_days"),
        enabled=values.get("is_enabled", values.get("enabled", True)) is not False,
        spec=spec,
        usage=values.get("key_usage") or "ENCRYPT_DECRYPT",
        origin="EXTERNAL" if "external" in kind else "AWS_KMS",
        multi_region=bool(values.get("multi_region")) or "replica" in kind,
        replica="replica" in kind,
        scanned=kind == "aws_kms_key",
    )


def _policy(values: Values, unknown: Values) -> str | Unknown | None:
    if unknown.get("policy") is True:
        return UNKNOWN
    text: str | None = values.get("policy")
    return text or None


def _generated(values: Values, unknown: Values, member: str) -> bool:
    """Whether a member is not known only since nobody wrote it: the provider fills it in. See `_written`."""
    return unknown.get(member) is True and values.get(member) is None and not unknown.get(_WRITTEN)


_WRITTEN: Final = "\0written"
"""Beside what is not known of a resource: that its policy is written in the configuration, though not known yet."""


# -------------------------------------------------------------------- policies kept apart


def _policies_apart(
    plan: Values, resources: list[Values], unknown: dict[str, Values]
) -> dict[str, str | Unknown]:
    """The policies of `aws_kms_key_policy`, by the address of the key; and marks of what is written."""
    found: dict[str, str | Unknown] = {}
    expressions = dict(_configured(plan.get("configuration", {}).get("root_module") or {}, ""))
    for one in resources:
        about = expressions.get(_without_index(one["address"]), {})
        if one.get("type") in _KEYS and "policy" in about:
            unknown[one["address"]] = {**unknown.get(one["address"], {}), _WRITTEN: True}
        if one.get("type") == "aws_kms_key_policy":
            text = _policy(one.get("values") or {}, unknown.get(one["address"], {})) or UNKNOWN
            module = one["address"].rpartition(one["type"])[0]
            for name in (about.get("key_id") or {}).get("references", ()):
                found[module + name] = text
    return found


def _configured(module: Values, prefix: str) -> Iterator[tuple[str, Values]]:
    """The expressions of each resource by its address, without indexes."""
    for one in module.get("resources", ()):
        yield prefix + one["address"], one.get("expressions") or {}
    for name, call in (module.get("module_calls") or {}).items():
        yield from _configured(call.get("module") or {}, f"{prefix}module.{name}.")


def _without_index(address: str) -> str:
    kept, depth = [], 0
    for letter in address:
        depth += letter == "["
        if not depth:
            kept.append(letter)
        depth -= letter == "]"
    return "".join(kept)


# --------------------------------------------------------------------------------- others


def _buckets(resources: list[Values], unknown: Mapping[str, Values]) -> Iterator[Bucket]:
    for one in resources:
        if one.get("type") != "aws_s3_bucket_server_side_encryption_configuration":
            continue
        try:
            rule = one["values"]["rule"][0]["apply_server_side_encryption_by_default"][0]
        except (KeyError, IndexError, TypeError):
            yield Bucket(address=one["address"], algorithm=UNKNOWN)
            continue
        key = rule.get("kms_master_key_id") or (
            UNKNOWN if _key_unknown(unknown.get(one["address"], {})) else None
        )
        yield Bucket(address=one["address"], algorithm=rule.get("sse_algorithm"), key=key)


def _key_unknown(unknown: Values) -> bool:
    try:
        return bool(unknown["rule"][0]["apply_server_side_encryption_by_default"][0]["kms_master_key_id"])
    except (KeyError, IndexError, TypeError):
        return False


def _account(plan: Values) -> str | None:
    """The account that the plan was made in, as `aws_caller_identity` read it; else that of an ARN in it."""
    state = ((plan.get("prior_state") or {}).get("values") or {}).get("root_module") or {}
    for one in state.get("resources", ()):
        if one.get("type") == "aws_caller_identity":
            found: str | None = (one.get("values") or {}).get("account_id")
            return found
    return None
