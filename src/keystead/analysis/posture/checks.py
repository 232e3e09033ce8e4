"""The checks of keys: what is asked, by whom, and the answer by what the policy and the settings mean.

Sources: AWS Security Hub User Guide, "AWS KMS controls"; CIS AWS Foundations Benchmark; AWS Control Tower, "KMS
controls"; the checks of Prowler, Checkov, ScoutSuite, Trivy, KICS and cfn-nag by their names.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from keystead import errors
from keystead.analysis.advisor.facts import KeyFacts
from keystead.analysis.posture import scanners
from keystead.analysis.posture.scanners import Said, Scanner
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.questions.public import public_access
from keystead.analysis.report import Level, sentence
from keystead.analysis.space import Universe
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.keypolicy import compile_key_policy
from keystead.policy.principal import account_of

Status = Literal["pass", "fail", "undecided", "not-applicable"]
Answer = tuple[Status, str]
DAY: Final = 86400.0
_IDLE_DAYS: Final = 90


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One question, by its stable name; `level` is how grave a failure is."""

    name: str
    question: str
    level: Level
    asked_by: tuple[Scanner, ...]
    judge: Callable[[KeyFacts, float], Answer]


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """The answer to one check of one key or policy. `said` is what each scanner will say."""

    check: str
    subject: str
    status: Status
    level: Level
    reason: str
    said: dict[str, Said]

    @property
    def contradicted(self) -> tuple[str, ...]:
        """The scanners that will say the opposite."""
        other = {"pass": "FAIL", "not-applicable": "FAIL", "fail": "PASS"}.get(self.status)
        return tuple(name for name, said in self.said.items() if said and said == other)


def judge_key(key: KeyFacts, now: float, subject: str = "", *, template: bool = False) -> tuple[Judged, ...]:
    """Every check of one key at `now`, in epoch seconds. `template`: it is declared, and not there yet."""
    found = []
    for check in CHECKS:
        status, reason = check.judge(key, now)
        said = {
            f"{one.name} {one.check}": one.says(key)
            for one in check.asked_by
            if one.says is not None and (template or not one.template)
        }
        found.append(
            Judged(
                check=check.name,
                subject=subject or key.arn,
                status=status,
                level="error" if status == "undecided" else check.level,
                reason=reason,
                said=said,
            )
        )
    return tuple(found)


# ------------------------------------------------------------------------------- judges


def _rotation(key: KeyFacts, _now: float) -> Answer:
    if not key.rotatable:
        return "not-applicable", f"material of {key.spec} with origin {key.origin} is not rotated by itself"
    if key.default:
        return "pass", "a default key is rotated each year"
    if key.state != "Enabled":
        return "not-applicable", f"the key is {key.state}"
    if key.rotation is None:
        return "not-applicable", "whether it is rotated was not told"
    if key.rotation.enabled:
        return "pass", f"its material is replaced every {key.rotation.days or 365} days"
    return "fail", "its material is never replaced"


def _public(key: KeyFacts, _now: float) -> Answer:
    policy = _compiled(key)
    if policy is None:
        return "undecided", "the key policy cannot be read"
    try:
        found = public_access(policy, Universe(kms_only=True, resource=key.arn))
    except errors.Undecided as error:
        return "undecided", str(error)
    if not found:
        return "pass", "proven: no caller of an account that the policy does not name gets in"
    return (
        "fail",
        f"Statement[{found[0].statement}] lets in the public; for example, {sentence(found[0].witness)}",
    )


def _deletion(key: KeyFacts, now: float) -> Answer:
    if key.state != "PendingDeletion":
        return "pass", "no deletion is pending"
    if key.last_used is not None and now - key.last_used <= _IDLE_DAYS * DAY:
        return "fail", "it will be deleted, though somebody used it lately"
    if key.held:
        return (
            "fail",
            f"it will be deleted, and objects in {', '.join(held.bucket for held in key.held)} lie under it",
        )
    return "pass", f"it will be deleted, and nobody used it in {_IDLE_DAYS} days"


def _used(key: KeyFacts, now: float) -> Answer:
    if key.default or key.state == "PendingDeletion":
        return "not-applicable", "it is not up to the account, or is decided already"
    since = key.created if key.last_used is None else key.last_used
    if key.state != "Enabled":
        return "fail", f"it is {key.state}: nobody can use it, and what lies under it is closed"
    if since and now - since > _IDLE_DAYS * DAY:
        return "fail", f"nobody used it in {_IDLE_DAYS} days"
    return "pass", "it was used or made lately" if since else "it is enabled"


def _region(key: KeyFacts, _now: float) -> Answer:
    if key.multi_region:
        return (
            "pass",
            "it is a multi-Region key on purpose: that is chosen at creation, and each copy has a policy of its own",
        )
    return "pass", "its material never leaves the Region"


def _policy(key: KeyFacts, _now: float) -> Answer:
    if key.policy_given:
        return "pass", "it has a policy of its own"
    return "pass", "it gets the default policy, which leaves everything to the account's identity policies"


def _size(key: KeyFacts, _now: float) -> Answer:
    if not key.spec.startswith("RSA"):
        return "not-applicable", "it is no RSA key"
    return ("fail", "2048 bits are fewer than asked for") if key.spec == "RSA_2048" else ("pass", key.spec)


_NO_SERVICE: Final = {"kms:grantisforawsresource": None}


def _lending(key: KeyFacts, _now: float) -> Answer:
    if key.default:
        return "not-applicable", "the policy of a default key cannot be changed"
    policy = _compiled(key)
    if policy is None:
        return "undecided", "the key policy cannot be read"
    try:
        universe = Universe(kms_only=True, resource=key.arn, known=_NO_SERVICE)
        found = access_granted(policy, [Access(("kms:CreateGrant",))], universe)
    except errors.Undecided as error:
        return "undecided", str(error)
    direct = [one for one in found if not _delegates(policy, one.statement)]
    if direct:
        return (
            "fail",
            f"Statement[{direct[0].statement}] lets {sentence(direct[0].witness)}, for whomever it wants",
        )
    if found:
        return (
            "pass",
            "only identity policies of the account could allow grants that are not for AWS services",
        )
    return "pass", "proven: only AWS services make grants, for their resources"


def _delegates(policy: CompiledPolicy, index: int) -> bool:
    """Whether a statement names accounts only, and so leaves it to their identity policies."""
    principal = policy.document.statements[index].principal
    return principal is not None and bool(principal.aws) and all(account_of(entry) for entry in principal.aws)


def _compiled(key: KeyFacts) -> CompiledPolicy | None:
    try:
        return compile_key_policy(key.policy)
    except errors.MalformedPolicyDocument:
        return None


# -------------------------------------------------------------------------------- table


CHECKS: Final = (
    Check(
        name="not-public", level="error", judge=_public,
        question="Is the key closed to the public?",
        asked_by=(
            Scanner("Security Hub", "KMS.5", scanners.hub_public),
            Scanner("AWS Config", "kms-key-policy-no-public-access", scanners.hub_public),
            Scanner("Prowler", "kms_key_not_publicly_accessible", scanners.prowler_public),
            Scanner("Checkov", "CKV_AWS_33", scanners.checkov_wildcard, template=True),
            Scanner("cfn-nag", "F76", template=True),
        ),
    ),
    Check(
        name="rotation", level="warning", judge=_rotation,
        question="Is its material replaced, where that is possible?",
        asked_by=(
            Scanner("Security Hub", "KMS.4", scanners.config_rotation),
            Scanner("AWS Config", "cmk-backing-key-rotation-enabled", scanners.config_rotation),
            Scanner("CIS", "3.6 (5.0, 3.0), 3.8 (1.4), 2.8 (1.2)", scanners.config_rotation),
            Scanner("PCI DSS", "3.7.4"),
            Scanner("Control Tower", "CT.KMS.PR.1", scanners.config_rotation, template=True),
            Scanner("Prowler", "kms_cmk_rotation_enabled", scanners.prowler_rotation),
            Scanner("Checkov", "CKV_AWS_7", scanners.checkov_rotation, template=True),
            Scanner("ScoutSuite", "kms-cmk-rotation-disabled"),
            Scanner("Trivy", "aws-kms-auto-rotate-keys", template=True),
            Scanner("KICS", "CMK Rotation Disabled", template=True),
            Scanner("cfn-nag", "F19", template=True),
        ),
    ),
    Check(
        name="no-deletion-with-users", level="error", judge=_deletion,
        question="Is no key about to be deleted that somebody needs?",
        asked_by=(
            Scanner("Security Hub", "KMS.3", scanners.by_state),
            Scanner("AWS Config", "kms-cmk-not-scheduled-for-deletion", scanners.by_state),
            Scanner("Prowler", "kms_cmk_not_deleted_unintentionally", scanners.by_state),
        ),
    ),
    Check(
        name="in-use", level="note", judge=_used,
        question="Is the key enabled and in use?",
        asked_by=(
            Scanner("Prowler", "kms_cmk_are_used", scanners.prowler_used),
            Scanner("Checkov", "CKV_AWS_227", scanners.checkov_enabled, template=True),
        ),
    ),
    Check(
        name="grants-for-services", level="warning", judge=_lending,
        question="Do only AWS services make grants by the key policy?",
        asked_by=(Scanner("Control Tower", "CT.KMS.PR.3", template=True),),
    ),
    Check(
        name="rsa-size", level="warning", judge=_size,
        question="Has an RSA key more than 2048 bits?",
        asked_by=(Scanner("Control Tower", "CT.KMS.PR.2", template=True),),
    ),
    Check(
        name="one-region", level="note", judge=_region,
        question="Does the material stay in one Region, or leave it on purpose?",
        asked_by=(Scanner("Prowler", "kms_cmk_not_multi_region", scanners.prowler_region),),
    ),
    Check(
        name="own-policy", level="note", judge=_policy,
        question="Is the key policy written down?",
        asked_by=(Scanner("Checkov", "CKV2_AWS_64", scanners.checkov_policy, template=True),),
    ),
)  # fmt: skip
"""Every check of keys."""
