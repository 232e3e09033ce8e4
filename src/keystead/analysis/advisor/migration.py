"""From a default key to a custom one: the new key's policy, what there is to re-encrypt, and the proof.

The new policy parts duties: KeyAdmin administers and uses nothing; those who used the default key use the new one, as
they did and through the service that they did it through; the root user, and it alone, can repair a lost policy.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.analysis.advisor.facts import Held, KeyFacts
from keystead.analysis.advisor.uses import operations_by_principal, successful
from keystead.analysis.effective import Key
from keystead.analysis.questions.duties import USE
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.questions.new_access import new_access
from keystead.analysis.questions.public import public_access
from keystead.analysis.report import sentence
from keystead.analysis.space import Universe
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.keypolicy import compile_key_policy

ADMINISTER: Final = (
    "kms:CancelKeyDeletion", "kms:CreateAlias", "kms:DeleteAlias", "kms:DescribeKey", "kms:DisableKey",
    "kms:DisableKeyRotation", "kms:EnableKey", "kms:EnableKeyRotation", "kms:GetKeyLastUsage", "kms:GetKeyPolicy",
    "kms:GetKeyRotationStatus", "kms:ListGrants", "kms:ListKeyPolicies", "kms:ListKeyRotations",
    "kms:ListResourceTags", "kms:PutKeyPolicy", "kms:RevokeGrant", "kms:RotateKeyOnDemand",
    "kms:ScheduleKeyDeletion", "kms:TagResource", "kms:UntagResource", "kms:UpdateAlias",
    "kms:UpdateKeyDescription",
)  # fmt: skip
"""What KeyAdmin may: no use of key material, and no grant."""
_READ: Final = ("kms:Decrypt", "kms:DescribeKey")
_WRITE: Final = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")
_WRITES: Final = frozenset({
    "Encrypt", "GenerateDataKey", "GenerateDataKeyWithoutPlaintext", "ReEncrypt", "ReEncryptTo",
})  # fmt: skip
ROTATION_DAYS: Final = 365


class Step(msgspec.Struct, frozen=True):
    """One step of the re-encryption: what for, how many versions and bytes, and the commands."""

    about: str
    versions: int | None
    size: int | None
    commands: tuple[str, ...]


class Proven(msgspec.Struct, frozen=True):
    """One statement about the new policy: whether it holds, or the request that contradicts it."""

    claim: str
    holds: bool
    shown: str = ""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """A custom key in place of a default one.

    `creates_admin`: the role that administers is not there and has to be made, too.
    """

    alias: str
    description: str
    admin: str
    creates_admin: bool
    service: str
    region: str
    account: str
    policy: str
    rotation_days: int
    buckets: tuple[str, ...]
    steps: tuple[Step, ...]
    proof: tuple[Proven, ...]

    @property
    def proven(self) -> bool:
        """Whether every claim holds."""
        return all(one.holds for one in self.proof)


def migration(
    key: KeyFacts, *, alias: str, admin: str, creates_admin: bool, users: Sequence[str] = ()
) -> Migration:
    """The migration of a default key's data. `users` are principals that use the new key besides those recorded.

    Raises:
        errors.Undecided: the proof is neither found nor refuted.
    """
    service = _service(key)
    policy = _policy(key, admin, service, users)
    return Migration(
        alias=alias,
        description=f"In place of {key.aliases[0] if key.aliases else key.id}",
        admin=admin,
        creates_admin=creates_admin,
        service=service,
        region=key.region,
        account=key.account,
        policy=json.dumps(policy, indent=2),
        rotation_days=ROTATION_DAYS,
        buckets=tuple(held.bucket for held in key.held),
        steps=tuple(_steps(key, alias)),
        proof=prove(key, policy),
    )


def _service(key: KeyFacts) -> str:
    """The service whose default key it is, as its own policy names it: `s3.us-east-1.amazonaws.com`."""
    for statement in json.loads(key.policy)["Statement"]:
        for block in (statement.get("Condition") or {}).values():
            if "kms:ViaService" in block:
                via: str = block["kms:ViaService"]
                return via
    return ""


# ------------------------------------------------------------------------------ policy


def _policy(key: KeyFacts, admin: str, service: str, users: Sequence[str]) -> dict[str, Any]:
    root = f"arn:aws:iam::{key.account}:root"
    people = {
        name: operations
        for name, operations in operations_by_principal(key.uses).items()
        if name.startswith(f"arn:aws:iam::{key.account}:") and name not in (root, admin)
    }
    writers = sorted({name for name, did in people.items() if did & _WRITES} | set(users))
    readers = sorted(set(people) - set(writers))
    condition = {"StringEquals": {"kms:CallerAccount": key.account, "kms:ViaService": service}}
    statements = [
        _statement("KeyAdministration", [admin], ADMINISTER, {}),
        _statement("RootUserRepairs", [root], ADMINISTER, {"ArnEquals": {"aws:PrincipalArn": root}}),
    ]
    if writers:
        statements.append(_statement("WriteThroughTheService", writers, _WRITE, condition))
    if readers:
        statements.append(_statement("ReadThroughTheService", readers, _READ, condition))
    if any(use.operation == "CreateGrant" and not use.error for use in key.uses) and (writers or readers):
        lending = {**condition, "Bool": {"kms:GrantIsForAWSResource": "true"}}
        statements.append(_statement("LendToTheService", [*writers, *readers], ("kms:CreateGrant",), lending))
    return {"Version": "2012-10-17", "Id": "custom-key-1", "Statement": statements}


def _statement(
    sid: str, principals: Iterable[str], actions: Iterable[str], condition: dict[str, Any]
) -> dict[str, Any]:
    named, listed = list(principals), list(actions)
    statement: dict[str, Any] = {
        "Sid": sid,
        "Effect": "Allow",
        "Principal": {"AWS": named[0] if len(named) == 1 else named},
        "Action": listed[0] if len(listed) == 1 else listed,
        "Resource": "*",
    }
    return {**statement, "Condition": condition} if condition else statement


# ------------------------------------------------------------------------------- proof


def prove(key: KeyFacts, policy: dict[str, Any]) -> tuple[Proven, ...]:
    """Whether the new policy lets nobody in who had no access, and parts the duties.

    Raises:
        errors.Undecided: one of the claims is neither proven nor refuted.
    """
    whole = _compiled(policy, policy["Statement"])
    administering = [
        one for one in policy["Statement"] if one["Sid"] in ("KeyAdministration", "RootUserRepairs")
    ]
    using = [one for one in policy["Statement"] if one not in administering]
    return tuple(_claims(key, whole, _compiled(policy, administering), _compiled(policy, using)))


def _compiled(policy: dict[str, Any], statements: list[dict[str, Any]]) -> CompiledPolicy:
    return compile_key_policy(json.dumps({**policy, "Statement": statements or [_NOBODY]}))


_NOBODY: Final = {"Effect": "Deny", "Principal": "*", "Action": "kms:*", "Resource": "*"}


def _claims(
    key: KeyFacts, whole: CompiledPolicy, administering: CompiledPolicy, using: CompiledPolicy
) -> Iterator[Proven]:
    universe = Universe(kms_only=True)
    widened = new_access(compile_key_policy(key.policy), using, universe)
    yield _proven(
        "nobody uses the new key who could not use the default key", [one.witness for one in widened]
    )
    uses = [Access(tuple(sorted(USE | {"kms:CreateGrant"})))]
    administrators = access_granted(administering, uses, universe)
    yield _proven("who administers the new key does not use it", [one.witness for one in administrators])
    held = Key(arn=key.arn, account=key.account, policy=whole)
    outside = external_access(held, frozenset({key.account}))
    yield _proven("no other account is let in", [one.witness for one in outside])
    public = public_access(whole, universe)
    yield _proven("it is not public", [one.witness for one in public])
    kept = access_granted(administering, [Access(("kms:PutKeyPolicy",))], universe)
    yield Proven("somebody keeps the right to change its policy", bool(kept), "" if kept else "nobody may")


def _proven(claim: str, witnesses: Sequence[Any]) -> Proven:
    return Proven(claim, not witnesses, sentence(witnesses[0]) if witnesses else "")


# ------------------------------------------------------------------------ re-encryption


def _steps(key: KeyFacts, alias: str) -> Iterator[Step]:
    arn = f"$(aws kms describe-key --key-id {alias} --query KeyMetadata.Arn --output text)"
    for held in key.held:
        yield from _bucket_steps(held, arn)
    others = sorted({use.service for use in successful(key.uses)} - {"", "s3.amazonaws.com"})
    for service in others:
        count = sum(1 for use in successful(key.uses) if use.service == service)
        about = (
            f"{service}: {count} recorded uses; give its resources the new key by that service's own means, since only it "
            "knows them"
        )
        yield Step(about, None, None, ())
    watch = (
        f"aws cloudtrail lookup-events --lookup-attributes AttributeKey=ResourceName,AttributeValue={key.arn}"
    )
    yield Step(
        "the default key is still there for what was copied elsewhere; see that nobody uses it",
        None,
        None,
        (watch,),
    )


def _bucket_steps(held: Held, arn: str) -> Iterator[Step]:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "KEY"}}
    rule_text = json.dumps({"Rules": [{**rule, "BucketKeyEnabled": True}]}).replace("KEY", "'\"$KEY\"'")
    yield Step(
        f"{held.bucket}: what is put from now on gets the new key",
        None,
        None,
        (f"KEY={arn}",
         f"aws s3api put-bucket-encryption --bucket {held.bucket} --server-side-encryption-configuration '{rule_text}'"),
    )  # fmt: skip
    again = f"keystead s3 reencrypt {held.bucket} --key-id $KEY"
    older = f", {held.older} of them older versions" if held.older else ""
    yield Step(
        f"{held.bucket}: {held.versions} versions of objects{older}; what was done is passed when it is run again",
        held.versions,
        held.size,
        (f"{again} --dry-run", f"{again} --read"),
    )


def told_migration(
    key: KeyFacts, *, alias: str, admin: str, creates_admin: bool, users: Sequence[str] = ()
) -> Migration | None:
    """The migration, or None where its proof is not decided."""
    try:
        return migration(key, alias=alias, admin=admin, creates_admin=creates_admin, users=users)
    except errors.Undecided:
        return None
