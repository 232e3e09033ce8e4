"""What `replay` and `unused` ask of policies of people and organizations: a deployment as it is, and as it would be."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from keystead import errors
from keystead.analysis.account import ASSUMED
from keystead.analysis.effective import Key, Standing
from keystead.analysis.replay import Verdict, everything, judges, replayed, spoken
from keystead.api.accounts import ACCOUNTS
from keystead.api.authorize import as_grant, key_policy
from keystead.api.condition_keys import described
from keystead.api.guardrails import place_of
from keystead.api.people import people
from keystead.api.proposals import Place, propose
from keystead.api.reading import Reading
from keystead.api.recorded import Gatherer, Told, Uses
from keystead.audit.skim import events as journaled
from keystead.cli.analyze_world import joined, within
from keystead.cli.deployment import workers
from keystead.cli.output import Failed
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.policyset import Policies
from keystead.policy.request import Grant, Principal, ResourceDescription
from keystead.services.kms.guard import analyzed
from keystead.services.kms.tables import GRANTS, KEYS
from keystead.storage import Store, Transaction

_FEW: Final = 8
_ANY: Final = Policies(identity=(ASSUMED,), session=(ASSUMED,))


class Side:
    """A deployment's accounts and keys, as a transaction has them."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.standings = [one for account, _ in tx.scan(ACCOUNTS, "") for one in people(tx, account)]
        self._by_id = {one.principal.unique_id: one for one in self.standings if one.principal.unique_id}
        self._by_arn = {one.principal.arn: one for one in self.standings}
        self._accounts = {one.principal.account for one in self.standings}
        self._keys: dict[str, tuple[Key, ResourceDescription] | None] = {}

    def policies(self) -> list[CompiledPolicy]:
        """Every policy that may have a say; those of keys, too."""
        held = {id(policy): policy for one in self.standings for policy in everything(one.policies)}
        places = [place_of(Reading(self._tx), account) for account in sorted(self._accounts)]
        levels = [policy for place in places for level in place.resource_control for policy in level.policies]
        keys = {id(policy): policy for _, key in self._tx.scan(KEYS, "") for policy in (key_policy(key),)}
        return [*held.values(), *levels, *keys.values()]

    def grants(self) -> list[Grant]:
        """Every grant on a key."""
        return [as_grant(grant) for _, grant in self._tx.scan(GRANTS, "")]

    def decided(self, uses: Uses) -> Verdict | None:
        """What becomes of a use; None if its caller or the key is no more."""
        found, standing = self.key(uses.recorded.key), self.known(uses.recorded.caller)
        if found is None or standing is None:
            return None
        key, description = found
        policies = msgspec.structs.replace(
            standing.policies, resource=key.policy, grants=key.grants, resource_control=key.resource_control
        )
        use = msgspec.structs.replace(uses.recorded, caller=standing.principal)
        return replayed(use, policies, description)

    def known(self, caller: Principal) -> Standing | None:
        """The caller with what is known of it now; None if there is no such caller any more."""
        if caller.type == "service":
            return Standing(principal=caller)
        if caller.account not in self._accounts:
            return Standing(principal=caller, policies=_ANY)
        if caller.type == "federatedUser":
            found = self._by_arn.get(caller.issuer_arn)
        else:
            found = self._by_id.get(caller.unique_id) if caller.unique_id else self._by_arn.get(caller.arn)
        return None if found is None else joined(found, caller)

    def key(self, key_arn: str) -> tuple[Key, ResourceDescription] | None:
        """The key, and how conditions see it."""
        if key_arn not in self._keys:
            parts = key_arn.split(":", 5)
            place = f"{parts[4]}/{parts[3]}/{parts[5].removeprefix('key/')}"
            stored = self._tx.get(KEYS, place)
            org = place_of(Reading(self._tx), parts[4])
            self._keys[key_arn] = None if stored is None else (
                analyzed(self._tx, stored),
                described(stored, org.org_id, org.org_path, management_account=org.management),
            )  # fmt: skip
        return self._keys[key_arn]


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A proposed policy at its place, the deployment without it and with it, and where the events are."""

    place: Place
    now: Side
    then: Side
    directory: Path
    since: float | None = None
    until: float | None = None

    def gathered(self, further: Iterable[CompiledPolicy] = (), *, contexts: bool = False) -> Gatherer:
        """The recorded uses of keys by whom the policy concerns."""
        said = [*self.now.policies(), *self.then.policies(), *further]
        told = Told(spoken(said, self.now.grants()), judges(said))
        gatherer = Gatherer((), told, contexts=contexts, people=self._marks())
        for worker in workers(self.directory):
            gatherer.take(within(journaled(self.directory, worker), self.since, self.until))
        return gatherer

    def concerned(self) -> list[Standing]:
        """Those whose own policies the proposed one changes."""
        now = {one.principal.arn: one.policies for one in self.now.standings}
        return [one for one in self.then.standings if now[one.principal.arn] != one.policies]

    def _marks(self) -> tuple[str, ...]:
        """Texts of which an event of somebody whom the policy concerns has one; none if it may concern many."""
        named = [f'"{one.principal.role_arn or one.principal.arn}"' for one in self.concerned()]
        return tuple(named) if len(named) <= _FEW else ()


def change_of(store: Store, directory: Path, where: str, inline: str, text: str, **times: Any) -> Change:
    """The deployment with the policy at its place.

    Raises:
        errors.OperatorError: there is no such place, or the text is no policy.
        Failed: there is no journal.
    """
    if not workers(directory):
        raise Failed(f"{directory} holds no journal")
    tx = store.transaction()
    try:
        place = propose(tx, where, inline, text)
    except errors.MalformedPolicyDocument as error:
        raise errors.OperatorError(f"the policy: {error.message}") from None
    return Change(place=place, now=Side(store.transaction()), then=Side(tx), directory=directory, **times)
