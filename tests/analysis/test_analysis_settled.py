"""Policies with what tags tell decided, against the evaluator that has the tags in the request."""

from hypothesis import given
from hypothesis import strategies as some

from keystead.analysis.evaluate import admits
from keystead.analysis.settled import known_tags, settled
from keystead.policy import AuthorizationRequest, compile_policy
from keystead.policy.document import Condition, Document, PrincipalElement, Statement
from keystead.policy.request import Principal

ARN = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
VALUES = ("", "a", "b", "*", "a*", "${x}")
TAGS = some.dictionaries(some.sampled_from(("Team", "env")), some.sampled_from(VALUES))
KEYS = some.sampled_from((
    "aws:ResourceTag/Team", "AWS:resourcetag/env", "aws:PrincipalTag/Team", "aws:PrincipalTag/env", "aws:username",
))  # fmt: skip
TEXTS = some.one_of(
    some.sampled_from(VALUES),
    KEYS.map(lambda key: f"${{{key}}}"),
    KEYS.map(lambda key: f"a${{{key}}}*"),
    KEYS.map(lambda key: f"${{{key}, 'a'}}"),
)
OPERATORS = some.sampled_from((
    "StringEquals", "StringNotEquals", "StringLike", "StringNotLike", "StringEqualsIfExists", "StringLikeIfExists",
    "StringNotLikeIfExists", "StringEqualsIgnoreCase", "ForAnyValue:StringEquals", "ForAllValues:StringLike",
    "ForAnyValue:StringNotLike", "Null", "NumericEquals", "ArnLike",
))  # fmt: skip
CONDITIONS = some.builds(
    Condition, OPERATORS, KEYS, some.lists(some.one_of(TEXTS, some.just("true")), max_size=2).map(tuple)
)
STATEMENTS = some.builds(
    Statement,
    effect=some.sampled_from(("Allow", "Allow", "Deny")),
    principal=some.just(PrincipalElement(aws=("*",))),
    actions=some.just(("kms:*",)),
    resources=some.sampled_from((("*",), ("arn:aws:kms:*:*:key/${aws:ResourceTag/env}*",), (ARN,))),
    conditions=some.lists(CONDITIONS, max_size=2).map(tuple),
)
VERSIONS = some.sampled_from(("2012-10-17", "2008-10-17"))


@given(
    some.lists(STATEMENTS, max_size=3).map(tuple),
    VERSIONS,
    TAGS,
    TAGS,
    some.sampled_from((None, *VALUES)),
    some.booleans(),
)
def test_a_settled_policy_means_what_the_policy_means_with_the_tags(
    statements, version, resource, own, name, tagged
):
    caller = Principal(type="user", arn="arn:aws:iam::000000000000:user/u", account="000000000000", tags=own)
    policy = compile_policy(Document(statements, version=version))
    known = known_tags(resource, caller if tagged else None)
    free = {} if name is None else {"aws:username": name}
    if not tagged:
        free |= {f"aws:principaltag/{key.lower()}": value for key, value in own.items()}
    request = AuthorizationRequest(
        principal=caller,
        action="kms:Decrypt",
        resource=ARN,
        account="000000000000",
        context={**free, **dict(known.values)},
    )
    left = settled(policy, known)
    assert admits(left, request) == admits(policy, request)
    bare = {key: value for key, value in request.context.items() if not known.speaks_of(key)}
    decided = all(
        not known.speaks_of(condition.key.lower()) for one in left.statements
        for condition in left.document.statements[one.index].conditions
    )  # fmt: skip
    if decided:
        other = AuthorizationRequest(
            principal=caller, action="kms:Decrypt", resource=ARN, account="000000000000", context=bare
        )
        assert admits(left, other) == admits(policy, request)
