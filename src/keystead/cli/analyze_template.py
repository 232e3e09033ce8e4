"""`keystead analyze template`: what Terraform plans and CloudFormation templates declare, before it is there."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
import msgspec

from keystead import errors
from keystead.analysis.advisor import KeyFacts, Rotation
from keystead.analysis.effective import Key as EffectiveKey
from keystead.analysis.posture import Judged, judge_identity, judge_key, told
from keystead.analysis.questions.external import external_access
from keystead.analysis.questions.granted import Access, access_granted
from keystead.analysis.report import Finding, Level, case, sentence
from keystead.analysis.space import Universe
from keystead.cli.findings import findings_option, policy_file, read, report
from keystead.policy.issue_codes import IssueType
from keystead.policy.issues import Kind, issues
from keystead.policy.keypolicy import compile_key_policy, default_key_policy
from keystead.templates import UNKNOWN, Bucket, Declared, Key, Policy
from keystead.templates import read as read_template

_LEVELS: Final[dict[IssueType, Level]] = {
    "ERROR": "error", "SECURITY_WARNING": "warning", "WARNING": "warning", "SUGGESTION": "note",
}  # fmt: skip
_ID: Final = "00000000-0000-4000-8000-000000000000"


@click.command()
@click.argument("files", nargs=-1, required=True, type=policy_file)
@click.option("--account-id", default="000000000000", show_default=True,
              help="The account that it is meant for; a plan that reads its own says it better.")  # fmt: skip
@click.option("--region", default="us-east-1", show_default=True, help="The Region that it is meant for.")
@click.option("--parameter", "parameters", multiple=True, metavar="NAME=VALUE",
              help="A parameter of a CloudFormation template; repeatable.")  # fmt: skip
@click.option("--allow-unknown", is_flag=True,
              help="A policy that is not known before it is applied is a warning, no error.")  # fmt: skip
@click.option("--all", "everything", is_flag=True, help="Tell of what passes, too.")
@findings_option
def template(
    *,
    files: tuple[Path, ...],
    account_id: str,
    region: str,
    parameters: tuple[str, ...],
    allow_unknown: bool,
    everything: bool,
    output: str,
) -> None:
    """Keys, identity policies and buckets of Terraform plans and CloudFormation templates; without a server.

    A plan is what `terraform show -json PLAN` prints; a template is YAML or JSON. Policies are proven as those of a
    server, and each answer says what Checkov and its like will say. Exit status 1: an error, such as a public key or a
    policy that is not known yet.
    """
    given = dict(_pair(one) for one in parameters)
    texts = {str(file): read(file) for file in files}
    found: list[Finding] = []
    for name, text in texts.items():
        declared = read_template(name, text, account_id, region, given)
        found += _findings(name, declared, declared.account or account_id, region, everything=everything)
    if allow_unknown:
        found = [_lenient(one) for one in found]
    report("template", found, output, texts, f"Nothing is wrong in {', '.join(texts)}.")


def _pair(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise click.BadParameter(f"{text!r} is not NAME=VALUE")
    return name, value


def _lenient(one: Finding) -> Finding:
    return one if one.rule != "not-known-yet" else Finding(
        rule=one.rule, level="warning", message=one.message, policy=one.policy, line=one.line
    )  # fmt: skip


def _findings(
    name: str, declared: Declared, account: str, region: str, *, everything: bool
) -> Iterator[Finding]:
    for key in declared.keys:
        if key.policy is UNKNOWN:
            yield _unknown(name, key.address, key.line)
        facts = _facts(key, account, region)
        judged = [
            _as_scanned(key, one)
            for one in judge_key(facts, 0.0, key.address, template=True)
            if not _pointless(key, one)
        ]
        yield from told(judged, everything=everything, policy=name, line=key.line)
        if isinstance(key.policy, str):
            yield from _of_policy(name, key, facts)
    for policy in declared.policies:
        yield from _of_identity(name, policy, account, everything=everything)
    for bucket in declared.buckets:
        yield from _of_bucket(name, bucket)


def _unknown(name: str, address: str, line: int | None) -> Finding:
    said = f"{address}: its policy is not known before it is applied, so nothing is proven of it"
    return Finding(rule="not-known-yet", level="error", message=said, policy=name, line=line)


def _pointless(key: Key, judged: Judged) -> bool:
    """What a template cannot tell: whether a key will be used, and of an unknown policy anything."""
    about_policy = judged.check in ("not-public", "grants-for-services", "own-policy")
    return (key.policy is UNKNOWN and about_policy) or (key.replica and judged.check == "rotation")


def _as_scanned(key: Key, judged: Judged) -> Judged:
    """What was judged; Checkov looks at Terraform's `aws_kms_key` and at no other kind of key."""
    if key.scanned:
        return judged
    said = {name: one for name, one in judged.said.items() if not name.startswith("Checkov ")}
    return msgspec.structs.replace(judged, said=said)


def _facts(key: Key, account: str, region: str) -> KeyFacts:
    given = isinstance(key.policy, str)
    return KeyFacts(
        arn=f"arn:aws:kms:{region}:{account}:key/{_ID}",
        account=account,
        policy=str(key.policy) if given else default_key_policy(account),
        policy_given=given,
        state="Enabled" if key.enabled else "Disabled",
        spec=key.spec,
        usage=key.usage,
        origin=key.origin,
        multi_region=key.multi_region,
        rotation=Rotation(key.rotation, key.rotation_days),
    )


# ----------------------------------------------------------------------------- policies


def _of_policy(name: str, key: Key, facts: KeyFacts) -> Iterator[Finding]:
    found = [*_issues(name, key.address, key.line, facts.policy, "RESOURCE_POLICY")]
    yield from found
    if any(one.level == "error" for one in found):
        return
    policy = compile_key_policy(facts.policy)
    universe = Universe(kms_only=True, resource=facts.arn)
    try:
        keeps = access_granted(policy, [Access(("kms:PutKeyPolicy",))], universe)
        outside = external_access(
            EffectiveKey(arn=facts.arn, account=facts.account, policy=policy), frozenset({facts.account})
        )
    except errors.Undecided as error:
        said = f"{key.address}: who gets in is not decided: {error}"
        yield Finding(rule="undecided", level="error", message=said, policy=name, line=key.line)
        return
    if not keeps:
        said = f"{key.address}: nobody could ever change its policy: proven; AWS KMS refuses such a policy"
        yield Finding(rule="lockout", level="error", message=said, policy=name, line=key.line)
    for one in outside:
        if not one.public:  # which has a finding of its own
            said = (
                f"{key.address}: {one.principal} is let in from outside; for example, {sentence(one.witness)}"
            )
            yield Finding(
                rule="external-access", level="warning", message=said, policy=name, line=key.line, witness=case(one.witness)
            )  # fmt: skip


def _issues(name: str, address: str, line: int | None, text: str, kind: Kind) -> Iterator[Finding]:
    for one in issues(text, kind, "AWS::KMS::Key" if kind == "RESOURCE_POLICY" else None):
        place = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in one.path)
        yield Finding(
            rule=one.code,
            level=_LEVELS[one.type],
            message=f"{address}{place}: {one.details}",
            policy=name,
            line=line,
        )


def _of_identity(name: str, policy: Policy, account: str, *, everything: bool) -> Iterator[Finding]:
    if not isinstance(policy.text, str):
        yield _unknown(name, policy.address, policy.line)
        return
    yield from _issues(name, policy.address, policy.line, policy.text, "IDENTITY_POLICY")
    judged = judge_identity(policy.text, policy.address, policy.place, account)
    yield from told([judged], everything=everything, policy=name, line=policy.line)


def _of_bucket(name: str, bucket: Bucket) -> Iterator[Finding]:
    if bucket.algorithm in (None, "AES256"):
        said = (
            f"{bucket.address}: what is put there is encrypted by S3's own key, and no key policy has a say"
        )
    elif bucket.algorithm is not UNKNOWN and bucket.key in (None, "alias/aws/s3"):
        said = (
            f"{bucket.address}: what is put there has the default key: whoever may read the bucket may use it"
        )
    else:
        return
    yield Finding(rule="default-key", level="note", message=said, policy=name, line=bucket.line)
