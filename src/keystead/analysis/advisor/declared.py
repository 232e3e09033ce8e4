"""A migration's key as files that tools apply: Terraform's language, a CloudFormation template, and the steps for people.

Sources: the AWS provider's `aws_kms_key` and `aws_kms_alias`; AWS CloudFormation's `AWS::KMS::Key` and
`AWS::KMS::Alias`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Final

from keystead.analysis.advisor.migration import Migration

DELETION_WINDOW_DAYS: Final = 30
_ROLE_NAME: Final = re.compile(r"arn:[a-z-]+:iam::[0-9]{12}:role(?:/[\x21-\x7e]+)?/([\w+=,.@-]+)", re.ASCII)


def files(plan: Migration) -> dict[str, str]:
    """What each file holds, by its name."""
    return {
        "key-policy.json": plan.policy + "\n",
        "main.tf": terraform(plan),
        "template.json": json.dumps(cloudformation(plan), indent=2) + "\n",
        "reencrypt.sh": _script(plan),
    }


# --------------------------------------------------------------------------- terraform


def terraform(plan: Migration) -> str:
    """The key, its alias and, where it is missing, the role that administers it."""
    return "\n".join(_terraform(plan))


def _terraform(plan: Migration) -> Iterator[str]:
    yield _VERSIONS
    if plan.creates_admin:
        trust = json.dumps(_trust(plan.account), indent=2)
        yield f'resource "aws_iam_role" "key_admin" {{\n{_TRUSTED}  name               = "{_role_name(plan)}"'
        yield f"  assume_role_policy = {_heredoc(trust)}\n}}\n"
        names = json.dumps(_names(plan), indent=2)
        yield 'resource "aws_iam_role_policy" "key_admin" {\n  name   = "names-of-keys"'
        yield f"  role   = aws_iam_role.key_admin.id\n  policy = {_heredoc(names)}\n}}\n"
    yield 'resource "aws_kms_key" "custom" {'
    yield f"  description             = {json.dumps(plan.description)}"
    yield "  enable_key_rotation     = true"
    yield f"  rotation_period_in_days = {plan.rotation_days}"
    yield f"  deletion_window_in_days = {DELETION_WINDOW_DAYS}"
    yield f"  policy                  = {_heredoc(plan.policy)}"
    if plan.creates_admin:
        yield "\n  depends_on = [aws_iam_role.key_admin]"
    yield "}\n"
    yield 'resource "aws_kms_alias" "custom" {'
    yield f'  name          = "{plan.alias}"'
    yield "  target_key_id = aws_kms_key.custom.key_id\n}\n"
    yield 'output "key_arn" {\n  value = aws_kms_key.custom.arn\n}\n'


_VERSIONS: Final = """terraform {
  required_providers {
    aws = {
      source = "hashicorp/aws"
    }
  }
}
"""


_TRUSTED: Final = "  #checkov:skip=CKV_AWS_61:Identity policies of the account say who becomes this role.\n"


def _heredoc(text: str) -> str:
    """A text of several lines; what looks like a template in it is none."""
    literal = text.replace("${", "$${").replace("%{", "%%{")
    return f"<<-POLICY\n{literal}\n  POLICY"


# ----------------------------------------------------------------------- cloudformation


def cloudformation(plan: Migration) -> dict[str, Any]:
    """The same as a template."""
    resources: dict[str, Any] = {}
    if plan.creates_admin:
        resources["KeyAdminRole"] = {
            "Type": "AWS::IAM::Role",
            "Properties": {
                "RoleName": _role_name(plan),
                "AssumeRolePolicyDocument": _trust(plan.account),
                "Policies": [{"PolicyName": "names-of-keys", "PolicyDocument": _names(plan)}],
            },
        }
    resources["CustomKey"] = {
        "Type": "AWS::KMS::Key",
        "DeletionPolicy": "Retain",
        "UpdateReplacePolicy": "Retain",
        "Properties": {
            "Description": plan.description,
            "EnableKeyRotation": True,
            "RotationPeriodInDays": plan.rotation_days,
            "PendingWindowInDays": DELETION_WINDOW_DAYS,
            "KeyPolicy": json.loads(plan.policy),
        },
        **({"DependsOn": "KeyAdminRole"} if plan.creates_admin else {}),
    }
    resources["CustomKeyAlias"] = {
        "Type": "AWS::KMS::Alias",
        "Properties": {"AliasName": plan.alias, "TargetKeyId": {"Ref": "CustomKey"}},
    }
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": plan.description,
        "Resources": resources,
        "Outputs": {"KeyArn": {"Value": {"Fn::GetAtt": ["CustomKey", "Arn"]}}},
    }


def _trust(account: str) -> dict[str, Any]:
    """Whom the account itself lets become the role."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{account}:root"},
                "Action": "sts:AssumeRole",
            }
        ],
    }


def _names(plan: Migration) -> dict[str, Any]:
    """What the role needs of its own besides the key policy: the alias, which has no policy."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": ["kms:CreateAlias", "kms:DeleteAlias", "kms:UpdateAlias"],
                "Resource": f"arn:aws:kms:{plan.region}:{plan.account}:{plan.alias}",
            }
        ],
    }


def _role_name(plan: Migration) -> str:
    found = _ROLE_NAME.fullmatch(plan.admin)
    return found[1] if found else "KeyAdmin"


# ------------------------------------------------------------------------------- steps


def _script(plan: Migration) -> str:
    """The steps of the re-encryption as a shell script: one to read, and to run line by line."""
    lines = [
        "#!/bin/sh",
        "# Run it with the credentials of one who may write: the new key's policy lets those use it.",
        "set -eu",
    ]
    for step in plan.steps:
        size = "" if step.size is None else f" ({step.size} bytes)"
        lines += ["", f"# {step.about}{size}", *step.commands]
    return "\n".join(lines) + "\n"
