"""GetContextKeysForCustomPolicy and GetContextKeysForPrincipalPolicy: the condition keys that policies speak of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from keystead.api import Call, Target, operation
from keystead.api.operation import always
from keystead.policy import CompiledPolicy, Statement
from keystead.policy.variables import VERSION_WITH_VARIABLES, Variable, parse
from keystead.services.iam.simulation import Source, entity_at, input_sources, on_source, sources_of
from keystead.services.iam.targets import on_account
from keystead.wire.models import iam as wire


def keys_for_action(policy: CompiledPolicy, action: str) -> list[str]:
    """The condition keys of the statements that speak of an action, as written; those of variables are in lower case."""
    candidates = policy.for_action(action)
    indexes = {one.index for one in (*candidates.denies, *candidates.allows)}
    return [key for index in sorted(indexes) for key in _keys(policy, policy.document.statements[index])]


def _keys(policy: CompiledPolicy, statement: Statement) -> Iterator[str]:
    texts: list[str] = [*(statement.resources or ()), *(statement.not_resources or ())]
    for condition in statement.conditions:
        yield condition.key
        texts += condition.values
    if policy.document.version == VERSION_WITH_VARIABLES:
        for text in texts:
            yield from (part.key for part in parse(text, wild=True) if isinstance(part, Variable))


def _all_keys(sources: Iterable[Source]) -> list[str]:
    """Every key once, as it is written where it comes first: case does not count."""
    found: dict[str, str] = {}
    for source in sources:
        for statement in source.policy.document.statements:
            for key in _keys(source.policy, statement):
                found.setdefault(key.lower(), key)
    return sorted(found.values())


@operation("GetContextKeysForCustomPolicy", targets=on_account("GetContextKeysForCustomPolicy"), slow=always)
def get_context_keys_for_custom_policy(
    _call: Call, request: wire.GetContextKeysForCustomPolicyRequest, _account: Target
) -> wire.GetContextKeysForPolicyResponse:
    """Return the condition keys of the given policies."""
    sources = input_sources(request.policy_input_list)
    return wire.GetContextKeysForPolicyResponse(context_key_names=_all_keys(sources))


@operation(
    "GetContextKeysForPrincipalPolicy", targets=on_source("GetContextKeysForPrincipalPolicy"), slow=always
)
def get_context_keys_for_principal_policy(
    call: Call, request: wire.GetContextKeysForPrincipalPolicyRequest, _source: Target
) -> wire.GetContextKeysForPolicyResponse:
    """Return the condition keys of an identity's policies, and of further ones if given."""
    entity = entity_at(call, request.policy_source_arn or "")
    sources = (*sources_of(call, entity), *input_sources(request.policy_input_list))
    return wire.GetContextKeysForPolicyResponse(context_key_names=_all_keys(sources))


OPERATIONS = (get_context_keys_for_custom_policy, get_context_keys_for_principal_policy)
