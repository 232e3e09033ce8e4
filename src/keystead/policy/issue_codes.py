"""Every issue code of ValidatePolicy that is told, with its type and what it means.

Source: IAM User Guide, "IAM policy validation check reference"; the codes that begin with KEYSTEAD_ are told by nobody
else.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

IssueType = Literal["ERROR", "SECURITY_WARNING", "WARNING", "SUGGESTION"]

_ERRORS: Final[Mapping[str, str]] = {
    "ARN_ACCOUNT_NOT_ALLOWED": "An ARN of a service whose ARNs have no account names one.",
    "ARN_REGION_NOT_ALLOWED": "An ARN of a service whose ARNs have no Region names one.",
    "DATA_TYPE_MISMATCH": "A value is not of the JSON type that its element has.",
    "DUPLICATE_KEYS_WITH_DIFFERENT_CASE": "A condition key is there twice, in different capitals: names fold case.",
    "EMPTY_VARIABLE": "A policy variable `${}` names nothing.",
    "FEDERATED_PRINCIPAL_NOT_SUPPORTED": "Only trust policies of roles name identity providers.",
    "INVALID_ACTION": "There is no such action; a similar name is told.",
    "INVALID_ARN_ACCOUNT": "The account in an ARN has not 12 digits.",
    "INVALID_ARN_PREFIX": "A resource is neither `*` nor begins with `arn:`.",
    "INVALID_ARN_REGION": "The Region in an ARN is not of the form of a Region.",
    "INVALID_ARN_RESOURCE": "The last part of an ARN names nothing that its service has.",
    "INVALID_ARN_SERVICE_CASE": "The service in an ARN is not in lower case.",
    "INVALID_CONDITION_DATA_TYPE": "The values of a condition are of different JSON types.",
    "INVALID_CONDITION_KEY_FORMAT": "A condition key is not of the form `service:name`.",
    "INVALID_CONDITION_MULTIPLE_BOOLEAN": "A Boolean condition has more than one value.",
    "INVALID_CONDITION_OPERATOR": "There is no such condition operator.",
    "INVALID_EFFECT": "The effect is neither `Allow` nor `Deny`.",
    "INVALID_GLOBAL_CONDITION_KEY": "There is no such condition key that begins with `aws:`.",
    "INVALID_KMS_KEY_VALUE": "The value of a condition key that holds a KMS key is no key ARN.",
    "INVALID_PARTITION": "The partition in an ARN is none of AWS's.",
    "INVALID_POLICY_ELEMENT": "Policies have no such element.",
    "INVALID_PRINCIPAL_FORMAT": "A principal is neither `*` nor a kind with names, or a name is not of its kind's form.",
    "INVALID_PRINCIPAL_KEY": "A kind of principal is none of AWS, Service, Federated and CanonicalUser.",
    "INVALID_REGION": "A value of `aws:RequestedRegion` is not of the form of a Region.",
    "INVALID_SERVICE_CONDITION_KEY": "AWS KMS has no such condition key.",
    "INVALID_SERVICE_IN_ACTION": "The service of an action is not of the form of one, or is `kms` misspelt.",
    "INVALID_SERVICE_PRINCIPAL_FORMAT": "A service is not named as services are; `kms:ViaService` wants the Region, too.",
    "INVALID_VARIABLE_FOR_OPERATOR": "Policy variables act with string and ARN operators only.",
    "INVALID_VERSION": "The version is neither 2012-10-17 nor 2008-10-17.",
    "INVALID_VPCE_FORMAT": "A value of `aws:SourceVpce` is no id of a VPC endpoint.",
    "INVALID_VPC_FORMAT": "A value of `aws:SourceVpc` is no id of a VPC.",
    "JSON_SYNTAX_ERROR": "The text is not JSON.",
    "MISMATCHED_ACTION_FOR_PRINCIPAL": "A trust policy's action is not for that kind of principal.",
    "MISSING_ACTION": "A statement has neither Action nor NotAction.",
    "MISSING_ARN_ACCOUNT": "An ARN of AWS KMS lacks its account.",
    "MISSING_ARN_FIELD": "An ARN has fewer than six parts.",
    "MISSING_ARN_REGION": "An ARN of AWS KMS lacks its Region.",
    "MISSING_BRACE_IN_VARIABLE": "A policy variable is not closed.",
    "MISSING_EFFECT": "A statement has no Effect.",
    "MISSING_PRINCIPAL": "A statement of a resource policy has neither Principal nor NotPrincipal.",
    "MISSING_QUALIFIER": "A key with several values is compared without ForAnyValue or ForAllValues.",
    "MISSING_QUOTE_IN_VARIABLE": "The default of a policy variable is not between single quotes.",
    "MISSING_RESOURCE": "A statement has neither Resource nor NotResource.",
    "MISSING_STATEMENT": "The policy has no Statement.",
    "MISSING_TAG_KEY_IN_CONDITION": "A condition key about tags does not say which tag.",
    "NULL_WITH_IF_EXISTS": "The operator Null takes no IfExists.",
    "POLICY_SIZE_EXCEEDS_RCP_QUOTA": "The RCP is longer than 5,120 characters.",
    "POLICY_SIZE_EXCEEDS_SCP_QUOTA": "The SCP is longer than 5,120 characters.",
    "PRIVATE_IP_ADDRESS": "A condition on `aws:SourceIp` names private addresses only and never holds.",
    "PRIVATE_NOT_IP_ADDRESS": "A condition on `aws:SourceIp` leaves out private addresses only and always holds.",
    "RCP_SYNTAX_ERROR_ALLOW": "An RCP allows; only AWS's own does.",
    "RCP_SYNTAX_ERROR_NOTACTION": "An RCP has NotAction.",
    "RCP_SYNTAX_ERROR_PRINCIPAL": "An RCP names others than all principals.",
    "ROLE_TRUST_POLICY_SYNTAX_ERROR_NOTPRINCIPAL": "A trust policy has NotPrincipal.",
    "ROLE_TRUST_POLICY_SYNTAX_ERROR_RESOURCE": "A trust policy has Resource or NotResource.",
    "TYPE_MISMATCH_IP_RANGE": "An IP operator has a value that is no address and no network.",
    "UNIQUE_SIDS_REQUIRED": "Two statements have the same Sid.",
    "UNSUPPORTED_ACTION_FOR_CONDITION_KEY": "A condition key of AWS KMS is never there for an action of its statement.",
    "UNSUPPORTED_ACTION_IN_POLICY": "A policy of that kind of resource has no say about an action.",
    "UNSUPPORTED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL": "A service is let in under a condition about callers of accounts, which it never meets.",
    "UNSUPPORTED_ELEMENT_COMBINATION": "Two elements exclude each other.",
    "UNSUPPORTED_GLOBAL_CONDITION_KEY": "A condition key is an old name that is not filled any more.",
    "UNSUPPORTED_PRINCIPAL": "A policy that is attached to an identity names principals.",
    "UNSUPPORTED_RESOURCE_ARN_IN_POLICY": "A policy of that kind of resource has no say about another kind.",
    "UNSUPPORTED_SID": "A Sid has other characters than letters and digits.",
    "UNSUPPORTED_SPACE_IN_VARIABLE": "The name in a policy variable holds a space.",
    "UNSUPPORTED_WILDCARD_IN_PRINCIPAL": "A wild card is part of a principal's name: it stands for itself there.",
    "VARIABLE_UNSUPPORTED_IN_ELEMENT": "A policy variable is neither in a resource nor in a condition.",
    "VARIABLE_UNSUPPORTED_IN_VERSION": "Policy variables are plain text before version 2012-10-17.",
}  # fmt: skip

_SECURITY_WARNINGS: Final[Mapping[str, str]] = {
    "KEYSTEAD_LOCKOUT": "Nobody is left who may change a key's policy.",
    "ALLOW_WITH_NOT_PRINCIPAL": "Everybody but those named is let in, also without authentication.",
    "FORALLVALUES_WITH_SINGLE_VALUED_KEY": "ForAllValues holds where a key is absent, and this one has one value.",
    "MISSING_PAIRED_CONDITION_KEYS": "Everybody is let in through a service, whatever their account: `kms:ViaService` needs a key about the caller.",
    "RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL": "A service is let in for whatever account or resource: the confused deputy.",
}  # fmt: skip

_WARNINGS: Final[Mapping[str, str]] = {
    "INVALID_ROLE_REFERENCE": "A principal is the unique id of a role that is gone.",
    "INVALID_USER_REFERENCE": "A principal is the unique id of a user who is gone.",
    "MISSING_VERSION": "The policy has no Version; variables are plain text then.",
    "POLICY_SIZE_EXCEEDS_IDENTITY_POLICY_QUOTA": "The policy is longer than 6,144 characters.",
    "POLICY_SIZE_EXCEEDS_RESOURCE_POLICY_QUOTA": "The key policy is longer than 32,768 bytes.",
    "TYPE_MISMATCH": "An operator does not compare what a key holds.",
    "TYPE_MISMATCH_BOOLEAN": "A Boolean operator has a value that is neither true nor false.",
    "TYPE_MISMATCH_DATE": "A date operator has a value that is no date.",
    "TYPE_MISMATCH_NUMBER": "A numeric operator has a value that is no number.",
    "UNIQUE_SIDS_RECOMMENDED": "Two statements have the same Sid.",
    "WILDCARD_WITHOUT_LIKE_OPERATOR": "To an operator for exact texts, wild cards are plain characters.",
}

_SUGGESTIONS: Final[Mapping[str, str]] = {
    "EMPTY_ARRAY_ACTION": "A list of actions is empty.",
    "EMPTY_ARRAY_CONDITION": "A list of values is empty: the condition never holds.",
    "EMPTY_ARRAY_PRINCIPAL": "A list of principals is empty.",
    "EMPTY_ARRAY_RESOURCE": "A list of resources is empty.",
    "EMPTY_OBJECT_CONDITION": "Condition holds nothing.",
    "EMPTY_OBJECT_PRINCIPAL": "Principal names nobody.",
    "EMPTY_SID_VALUE": "A Sid is empty.",
    "IMPROVE_IP_RANGE": "A network is written with bits beyond its mask, which do not count.",
    "IRRELEVANT_CONDITION_KEY_IN_POLICY": "A key policy has a condition key of another service, which is never there.",
    "NULL_WITH_QUALIFIER": "The operator Null takes no set operator.",
    "PRIVATE_IP_ADDRESS_SUBSET": "Some of the addresses are private and never match.",
    "REDUNDANT_ACTION": "An action is covered by another one of the list.",
    "REDUNDANT_CONDITION_VALUE_NUM": "Of several bounds only one counts.",
    "REDUNDANT_RESOURCE": "A resource is covered by another one of the list.",
    "REDUNDANT_STATEMENT": "Without the statement the policy lets in the same: proven.",
    "WILDCARD_IN_SERVICE_NAME": "Wild cards have no effect in the name of a service.",
    "KEYSTEAD_CONTEXT_NOT_BOUND": "A pair of the encryption context is asked for, and others may be there: `kms:EncryptionContextKeys` limits them.",
    "KEYSTEAD_NO_DELEGATION": "No statement of a key's policy names the account: identity policies do not count.",
    "KEYSTEAD_DENY_WITHOUT_EFFECT": "A Deny blocks nobody: proven.",
    "KEYSTEAD_GRANT_FOR_ANYBODY": "Whoever may make grants may lend the key to whomever it wants, without `kms:GrantIsForAWSResource`.",
}  # fmt: skip

ISSUE_TYPES: Final[Mapping[str, IssueType]] = {
    **dict.fromkeys(_ERRORS, "ERROR"),
    **dict.fromkeys(_SECURITY_WARNINGS, "SECURITY_WARNING"),
    **dict.fromkeys(_WARNINGS, "WARNING"),
    **dict.fromkeys(_SUGGESTIONS, "SUGGESTION"),
}
"""The type of each issue code."""

MEANINGS: Final[Mapping[str, str]] = {
    **_ERRORS,
    **_SECURITY_WARNINGS,
    **_WARNINGS,
    **_SUGGESTIONS,
}
"""What each issue code means."""

OF_NAMES: Final = frozenset({
    "DUPLICATE_KEYS_WITH_DIFFERENT_CASE", "FORALLVALUES_WITH_SINGLE_VALUED_KEY", "INVALID_CONDITION_KEY_FORMAT",
    "INVALID_CONDITION_OPERATOR", "INVALID_GLOBAL_CONDITION_KEY", "INVALID_POLICY_ELEMENT", "INVALID_PRINCIPAL_KEY",
    "INVALID_SERVICE_CONDITION_KEY", "IRRELEVANT_CONDITION_KEY_IN_POLICY", "MISSING_QUALIFIER",
    "MISSING_TAG_KEY_IN_CONDITION", "NULL_WITH_IF_EXISTS", "NULL_WITH_QUALIFIER", "TYPE_MISMATCH",
    "UNSUPPORTED_ACTION_FOR_CONDITION_KEY", "UNSUPPORTED_ELEMENT_COMBINATION", "UNSUPPORTED_GLOBAL_CONDITION_KEY",
})  # fmt: skip
"""Codes that are about a name in the policy, whatever is behind it: that of an element, an operator or a condition key."""

NOT_REPORTED: Final[Mapping[str, str]] = {
    "DENY_WITH_UNSUPPORTED_TAG_CONDITION_KEY_FOR_SERVICE": "It takes to know of every service whether it gives tags to conditions.",
    "DEPRECATED_GLOBAL_CONDITION_KEY": "It takes to know which keys AWS has given up; none of those that are known here is.",
    "INVALID_DATE_VALUE": "A value that is no date is told as `TYPE_MISMATCH_DATE`.",
    "INVALID_SERVICE": "It takes a list of all services of AWS.",
    "RECOMMENDED_CONDITION_KEY_FOR_SERVICE_PRINCIPAL": "It takes to know of every service which keys it sends; "
    "`RESTRICT_ACCESS_TO_SERVICE_PRINCIPAL` is told without that.",
    "TYPE_MISMATCH_STRING": "Numbers and Booleans are compared as their texts, as the evaluator does.",
}  # fmt: skip
"""Issue codes of AWS's that may be about key policies and that are not told, with the reason."""
