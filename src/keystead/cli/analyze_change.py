"""`keystead analyze replay | unused --as PLACE`: of policies of people and organizations, what would break, what nobody uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from keystead import errors
from keystead.analysis import Universe, new_access
from keystead.analysis.effective import Standing
from keystead.analysis.narrow import Used
from keystead.analysis.narrow_identity import ON_KEYS, narrowed_identity, spelt_out
from keystead.analysis.replay import requested
from keystead.analysis.report import Finding, case, sentence
from keystead.api.proposals import NOTHING, Place
from keystead.api.recorded import Uses
from keystead.cli.analyze_accounts import Change, Side, change_of
from keystead.cli.analyze_told import broken, is_refused, name_of, narrower, never_used
from keystead.cli.deployment import opened, the_seal
from keystead.cli.findings import read, report
from keystead.cli.output import Failed
from keystead.policy.compiled import CompiledPolicy, compile_policy
from keystead.policy.document import parse
from keystead.policy.request import Principal, PrincipalType
from keystead.storage import Store

_TYPES: Final[tuple[PrincipalType, ...]] = ("user", "assumedRole", "federatedUser")
_EVERYTHING: Final = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_ON_KEYS: Final = (
    {"Effect": "Deny", "Action": "kms:*", "Resource": "arn:*:kms:*:*:key/*"},
    {"Effect": "Deny", "Action": sorted({*ON_KEYS} - {"kms:TagResource"}), "Resource": "*"},
)
"""What is asked on keys. TagResource is asked of who makes a key with tags, too."""


def replay_change(policy: Path, output: str, options: dict[str, Any]) -> None:
    """None; what the policy would refuse of recorded uses of keys, and what else it takes away, is told."""
    text = read(policy)
    with opened(_directory(options), the_seal(_directory(options), options["passphrase_file"])) as store:
        change = _change(store, options, text)
        gathered = change.gathered()
        judged = (_broken(change, uses, str(policy)) for uses in gathered.uses)
        found = [one for one in judged if one is not None]
    found += _taken(change.place, text, str(policy))
    total = sum(uses.count for uses in gathered.uses)
    said = (
        f"{policy} at {change.place.name} allows all recorded use of keys: {total} uses of {len(gathered.uses)} kinds in "
        f"{gathered.events} events"
    )
    report("replay", found, output, {str(policy): text}, f"{said}.")


def _directory(options: dict[str, Any]) -> Path:
    directory: Path | None = options["data_dir"]
    if directory is None or options["key_arn"] is not None:
        raise click.UsageError(
            "--as PLACE is for all keys of a deployment: give --data-dir DIR, and no --key-arn"
        )
    return directory


def _change(store: Store, options: dict[str, Any], text: str) -> Change:
    times = {"since": options["since"], "until": options["until"]}
    return change_of(store, _directory(options), options["place"], options["inline"], text, **times)


def _broken(change: Change, uses: Uses, name: str) -> Finding | None:
    """A finding if the use would not be allowed and now is; of those who are no more it does not count."""
    verdict = change.then.decided(uses)
    if verdict is None or verdict.outcome == "allowed":
        return None
    before = change.now.decided(uses)
    if before == verdict or is_refused(before):
        return None
    return broken(
        uses, verdict, name, lambda by: by.policy == change.place.policy and by.policy_type != "resource"
    )


def _taken(place: Place, proposed: str, name: str) -> Iterator[Finding]:
    """What the policy does not allow any more that is asked on no key, of which the replay tells nothing."""
    documents = [json.loads(text) for text in (place.present or NOTHING, proposed)]
    # A control policy that denies only is attached beside one that allows everything.
    denies_only = place.holders is None and not any(map(_allows, documents))
    before, after = (_but_on_keys(one, *((_EVERYTHING,) if denies_only else ())) for one in documents)
    try:
        taken = new_access(after, before, Universe(types=_TYPES), naming=False)
    except errors.Undecided as error:
        yield Finding(
            rule="not-replayed", level="warning", policy=name,
            message=f"whether it takes away what is asked on no key of KMS is not decided: {error}",
        )  # fmt: skip
        return
    for one in taken:
        yield Finding(
            rule="not-replayed", level="warning", policy=name, witness=case(one.witness),
            message=f"it takes away what is asked on no key of KMS, and no use of that is replayed; for example, "
            f"{sentence(one.witness)}",
        )  # fmt: skip


def _listed(document: dict[str, Any]) -> list[dict[str, Any]]:
    statements = document["Statement"]
    return statements if isinstance(statements, list) else [statements]


def _allows(document: dict[str, Any]) -> bool:
    return any(one.get("Effect") == "Allow" for one in _listed(document))


def _but_on_keys(document: dict[str, Any], *further: dict[str, Any]) -> CompiledPolicy:
    """The document and further statements, without what is asked on keys of KMS."""
    whole = {**document, "Statement": [*_listed(document), *further]}
    written = spelt_out(whole, compile_policy(parse(json.dumps(whole)), "policy"))
    listed = written["Statement"]
    return compile_policy(parse(json.dumps({**written, "Statement": [*listed, *_ON_KEYS]})), "policy")


# ------------------------------------------------------------------------------- unused


class _Held(msgspec.Struct, frozen=True, kw_only=True):
    """An identity policy in force, with what was used by those who hold it."""

    store: Store
    options: dict[str, Any]
    place: Place
    policy: CompiledPolicy
    holders: frozenset[str]
    now: Side

    def uses_of(self, change: Change) -> list[Uses]:
        """The recorded uses of keys by the holders, told apart by this change's policies."""
        found = change.gathered(contexts=True).uses
        return [one for one in found if _holder(one.recorded.caller) in self.holders]

    def used(self, uses: Uses) -> Used | None:
        """The use as a narrower policy must allow it; None if it does not rest on this one."""
        found = self.now.key(uses.recorded.key)
        before = self.now.decided(uses)
        if found is None or before is None or before.outcome == "refused":
            return None
        request = requested(uses.recorded, found[1])
        allows = self.policy.for_action(uses.recorded.action).allows
        statement = next((one.index for one in allows if one.applies(request)), None)
        return Used(uses.recorded, uses.common or {}, statement)


def _holder(caller: Principal) -> str:
    return caller.issuer_arn or name_of(caller)


def unused_change(proposal: Path | None, output: str, options: dict[str, Any]) -> None:
    """None; what nobody used of the access to keys that an identity policy gives, and a narrower one, are told."""
    directory = _directory(options)
    with opened(directory, the_seal(directory, options["passphrase_file"])) as store:
        without = _change(store, options, NOTHING)
        place = without.place
        if place.holders is None or not place.present:
            raise Failed(f"{place.name} is no policy of a user, role or group")
        people = without.concerned()
        held = _Held(
            store=store, options=options, place=place, now=without.now,
            policy=compile_policy(parse(place.present), place.name),
            holders=frozenset(name_of(one.principal) for one in people),
        )  # fmt: skip
        uses = held.uses_of(without)
        found = list(_unused(held, people, uses))
        written, kinds = _narrower(held, uses)
    text = json.dumps(written, indent=2) + "\n"
    narrow = bool(written["Statement"]) and written != json.loads(place.present)
    if narrow and proposal is not None:
        proposal.write_text(text, "utf-8")
    if narrow:
        found.append(narrower(written, kinds, place.name, f" ({proposal})" if proposal is not None else ""))
    if not written["Statement"]:
        said = "nothing that it allows was used: it can go"
        found.append(Finding(rule="narrower-policy", level="note", message=said, policy=place.name))
    report("unused-access", found, output, {place.name: place.present}, "All access to keys is used.")
    if output == "text" and narrow and proposal is None:
        print(text, end="")


def _unused(held: _Held, people: Sequence[Standing], uses: Sequence[Uses]) -> Iterator[Finding]:
    """Of each holder, the operations on keys that the policy allows and it never did."""
    allowed = [name for name in ON_KEYS if held.policy.for_action(name).allows]
    done: dict[str, dict[str, list[Uses]]] = {}
    for one in uses:
        done.setdefault(_holder(one.recorded.caller), {}).setdefault(one.recorded.action, []).append(one)
    for standing in people:
        used = done.get(name_of(standing.principal), {})
        never = [name for name in allowed if name not in used]
        if never:
            yield never_used(standing.principal, never, used, held.place.name)


def _narrower(held: _Held, uses: Sequence[Uses]) -> tuple[dict[str, Any], int]:
    """The narrower policy, proven and replayed, and how many kinds of use it was decided for.

    Raises:
        Failed: even with all statements kept it is not proven not to be wider.
    """
    written = json.loads(held.place.present)
    used = [one for each in uses if (one := held.used(each)) is not None]
    kept = set[int | None]()
    while True:
        proposed = narrowed_identity(written, held.policy, used, kept)
        change = _change(held.store, held.options, json.dumps(proposed) if proposed["Statement"] else NOTHING)
        again = held.uses_of(change)  # told apart by what the proposal asks for, too
        lost = {_statement(held, one) for one in again if _lost(change, one)}
        if not lost - kept:
            break
        kept |= lost
    if lost or (proposed["Statement"] and _is_wider(held.policy, proposed)):
        raise Failed("no narrower policy was found that is proven and loses nothing")
    return proposed, len(again)


def _statement(held: _Held, uses: Uses) -> int | None:
    used = held.used(uses)
    return None if used is None else used.statement


def _lost(change: Change, uses: Uses) -> bool:
    """Whether the use would not be allowed any more, or it would not be known."""
    before, after = change.now.decided(uses), change.then.decided(uses)
    return before is not None and after is not None and before.outcome != after.outcome


def _is_wider(policy: CompiledPolicy, proposed: dict[str, Any]) -> bool:
    compiled = compile_policy(parse(json.dumps(proposed)), "proposal")
    return bool(new_access(policy, compiled, Universe(types=_TYPES), naming=False))
