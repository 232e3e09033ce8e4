"""The rows: name, path, description, what is allowed, and what is denied.

Facts from the AWS Managed Policy Reference Guide. Where AWS's policy also speaks of services that are not
here, the row has what concerns those that are; the description then says so.
"""

from __future__ import annotations

from typing import Any, Final

_SLICE: Final = " (the services that Keystead has)"
Row = tuple[str, str, str, list[dict[str, Any]]]


def _allow(*actions: str, resource: str = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


_LOOK: Final = (
    "access-analyzer:Get*", "access-analyzer:List*", "access-analyzer:ValidatePolicy",
    "cloudformation:Describe*", "cloudformation:Get*", "cloudformation:List*",
    "cloudtrail:Describe*", "cloudtrail:Get*", "cloudtrail:List*", "cloudtrail:LookupEvents",
    "iam:Generate*", "iam:Get*", "iam:List*", "iam:Simulate*",
    "kms:Describe*", "kms:Get*", "kms:List*",
    "organizations:Describe*", "organizations:List*",
    "s3:Get*", "s3:List*",
    "sts:GetAccessKeyInfo", "sts:GetCallerIdentity", "sts:GetSessionToken",
)  # fmt: skip
_AUDIT: Final = (
    "access-analyzer:GetAnalyzer", "access-analyzer:List*",
    "cloudformation:DescribeStack*", "cloudformation:GetStackPolicy", "cloudformation:GetTemplate",
    "cloudformation:ListStack*",
    "cloudtrail:DescribeTrails", "cloudtrail:GetEventSelectors", "cloudtrail:GetTrailStatus",
    "cloudtrail:ListTags", "cloudtrail:ListTrails", "cloudtrail:LookupEvents",
    "iam:GenerateCredentialReport", "iam:Get*", "iam:List*", "iam:SimulateCustomPolicy",
    "iam:SimulatePrincipalPolicy",
    "kms:Describe*", "kms:Get*", "kms:List*",
    "organizations:Describe*", "organizations:List*",
    "s3:GetBucket*", "s3:GetEncryptionConfiguration", "s3:GetLifecycleConfiguration", "s3:ListAllMyBuckets",
    "s3:ListBucket", "s3:ListBucketVersions",
)  # fmt: skip

ROWS: Final[tuple[Row, ...]] = (
    ("AdministratorAccess", "/", "Provides full access to AWS services and resources.", [_allow("*")]),
    (
        "PowerUserAccess",
        "/",
        "Provides full access to AWS services and resources, but does not allow management of users and groups.",
        [
            {
                "Effect": "Allow",
                "NotAction": ["iam:*", "organizations:*", "account:*"],
                "Resource": "*",
            },
            _allow(
                "account:GetAccountInformation", "account:GetPrimaryEmail", "account:ListRegions",
                "iam:CreateServiceLinkedRole", "iam:DeleteServiceLinkedRole", "iam:ListRoles",
                "organizations:DescribeOrganization",
            ),
        ],
    ),
    ("ReadOnlyAccess", "/", f"Provides read-only access to AWS services and resources{_SLICE}.", [_allow(*_LOOK)]),
    (
        "SecurityAudit",
        "/",
        f"Grants access to read the configuration of resources, as security audits need it{_SLICE}.",
        [_allow(*_AUDIT)],
    ),
    ("AWSDenyAll", "/", "Denies all access.", [{"Effect": "Deny", "Action": ["*"], "Resource": "*"}]),
    (
        "AWSKeyManagementServicePowerUser",
        "/",
        "Provides access to AWS Key Management Service (KMS).",
        [
            _allow(
                "kms:CreateAlias", "kms:CreateKey", "kms:DeleteAlias", "kms:Describe*", "kms:GenerateRandom",
                "kms:Get*", "kms:List*", "kms:TagResource", "kms:UntagResource",
                "iam:ListGroups", "iam:ListRoles", "iam:ListUsers",
            )
        ],
    ),
    (
        "AWSKeyManagementServiceMultiRegionKeysServiceRolePolicy",
        "/aws-service-role/",
        "Lets AWS KMS keep multi-Region keys alike.",
        [_allow("kms:SynchronizeMultiRegionKey")],
    ),
    ("IAMFullAccess", "/", "Provides full access to IAM.", [
        _allow(
            "iam:*", "organizations:DescribeAccount", "organizations:DescribeOrganization",
            "organizations:DescribeOrganizationalUnit", "organizations:DescribePolicy",
            "organizations:ListChildren", "organizations:ListParents", "organizations:ListPoliciesForTarget",
            "organizations:ListRoots", "organizations:ListPolicies", "organizations:ListTargetsForPolicy",
        )
    ]),
    ("IAMReadOnlyAccess", "/", "Provides read-only access to IAM.", [
        _allow(
            "iam:GenerateCredentialReport", "iam:GenerateServiceLastAccessedDetails", "iam:Get*", "iam:List*",
            "iam:SimulateCustomPolicy", "iam:SimulatePrincipalPolicy",
        )
    ]),
    ("IAMUserChangePassword", "/", "Provides the ability for an IAM user to change their own password.", [
        _allow("iam:ChangePassword", resource="arn:aws:iam::*:user/${aws:username}"),
        _allow("iam:GetAccountPasswordPolicy"),
    ]),
    ("AWSOrganizationsFullAccess", "/", f"Provides full access to AWS Organizations{_SLICE}.", [
        _allow("organizations:*"),
        _allow(
            "iam:CreateServiceLinkedRole",
            Condition={"StringEquals": {"iam:AWSServiceName": "organizations.amazonaws.com"}},
        ),
    ]),
    ("AWSOrganizationsReadOnlyAccess", "/", "Provides read-only access to AWS Organizations.", [
        _allow("organizations:Describe*", "organizations:List*"),
    ]),
    ("AmazonS3FullAccess", "/", "Provides full access to all buckets.", [_allow("s3:*", "s3-object-lambda:*")]),
    ("AmazonS3ReadOnlyAccess", "/", "Provides read-only access to all buckets.", [
        _allow("s3:Get*", "s3:List*", "s3:Describe*", "s3-object-lambda:Get*", "s3-object-lambda:List*"),
    ]),
    ("AWSCloudTrail_FullAccess", "/", f"Provides full access to AWS CloudTrail{_SLICE}.", [_allow("cloudtrail:*")]),
    ("AWSCloudTrail_ReadOnlyAccess", "/", "Provides read-only access to AWS CloudTrail.", [
        _allow("cloudtrail:Get*", "cloudtrail:Describe*", "cloudtrail:List*", "cloudtrail:LookupEvents"),
    ]),
    ("AWSCloudFormationFullAccess", "/", "Provides full access to AWS CloudFormation.", [_allow("cloudformation:*")]),
    ("AWSCloudFormationReadOnlyAccess", "/", "Provides read-only access to AWS CloudFormation.", [
        _allow(
            "cloudformation:Describe*", "cloudformation:EstimateTemplateCost", "cloudformation:Get*",
            "cloudformation:List*", "cloudformation:ValidateTemplate", "cloudformation:Detect*",
        ),
    ]),
    ("IAMAccessAnalyzerFullAccess", "/", f"Provides full access to IAM Access Analyzer{_SLICE}.", [
        _allow("access-analyzer:*"),
        _allow(
            "iam:CreateServiceLinkedRole",
            Condition={"StringEquals": {"iam:AWSServiceName": "access-analyzer.amazonaws.com"}},
        ),
        _allow("organizations:DescribeAccount", "organizations:DescribeOrganization",
               "organizations:DescribeOrganizationalUnit", "organizations:ListAccounts",
               "organizations:ListAccountsForParent", "organizations:ListAWSServiceAccessForOrganization",
               "organizations:ListChildren", "organizations:ListDelegatedAdministrators",
               "organizations:ListOrganizationalUnitsForParent", "organizations:ListParents",
               "organizations:ListRoots"),
    ]),
    ("IAMAccessAnalyzerReadOnlyAccess", "/", "Provides read-only access to IAM Access Analyzer.", [
        _allow("access-analyzer:CheckAccessNotGranted", "access-analyzer:CheckNoNewAccess",
               "access-analyzer:CheckNoPublicAccess", "access-analyzer:Get*", "access-analyzer:List*",
               "access-analyzer:ValidatePolicy"),
    ]),
)  # fmt: skip
