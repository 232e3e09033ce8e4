"""`keystead analyze replay | unused`: what policies would do to recorded use, and what of them nobody uses."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from keystead.analysis import Universe, new_access
from keystead.analysis.effective import Standing
from keystead.analysis.narrow import Used, narrowed, needed
from keystead.analysis.questions.who_can import who_can
from keystead.analysis.replay import Verdict, everything, judges, replayed, spoken
from keystead.analysis.report import Finding
from keystead.api.recorded import Gatherer, Told, Uses
from keystead.cli.analyze_change import replay_change, unused_change
from keystead.cli.analyze_told import broken, is_refused, name_of, never_used
from keystead.cli.analyze_told import narrower as told_narrower
from keystead.cli.analyze_world import World, around, world_of
from keystead.cli.findings import findings_option, policy_file, read, report
from keystead.cli.output import Failed
from keystead.policy.compiled import CompiledPolicy

_MOST_NAMED: Final = 8


def _gathered(world: World, policies: Sequence[CompiledPolicy], *, contexts: bool = False) -> Gatherer:
    """The recorded uses of the world's key."""
    held = [policy for one in world.standings for policy in everything(one.policies)]
    levels = [policy for level in world.key.resource_control for policy in level.policies]
    said = [*policies, *held, *levels]
    told = Told(spoken(said, world.key.grants), judges(said))
    gatherer = Gatherer([world.key.arn], told, contexts=contexts)
    for events in world.events():
        gatherer.take(events)
    return gatherer


def _decided(world: World, uses: Uses, policy: CompiledPolicy) -> Verdict | None:
    """What becomes of a use under a key policy; None if its caller is no more."""
    known = world.known(uses.recorded.caller)
    if known is None:
        return None
    policies = msgspec.structs.replace(
        known.policies,
        resource=policy,
        grants=world.key.grants,
        resource_control=world.key.resource_control,
    )
    use = msgspec.structs.replace(uses.recorded, caller=known.principal)
    return replayed(use, policies, world.description)


# ------------------------------------------------------------------------------- replay


@click.command()
@click.argument("policy", type=policy_file)
@around
@findings_option
def replay(*, policy: Path, output: str, **options: Any) -> None:
    """What recorded use of keys would POLICY refuse, were it the policy of a key, or in force at a PLACE?

    Every success that is recorded is decided again: as it was asked, with the grants and the policies of people as they
    are now. What the present policy refuses already is not counted. Exit status 1: something would break.
    """
    if options["place"] is not None:
        replay_change(policy, output, options)
        return
    world = world_of(options)
    text = read(policy)
    proposed = world.compiled(str(policy), text)
    gatherer = _gathered(world, [proposed, world.key.policy])
    judged = (_broken(world, uses, proposed, str(policy)) for uses in gatherer.uses)
    found = [one for one in judged if one is not None]
    kinds = len(gatherer.uses)
    total = sum(uses.count for uses in gatherer.uses)
    said = f"{policy} allows all recorded use: {total} uses of {kinds} kinds in {gatherer.events} events"
    report("replay", found, output, {str(policy): text}, f"{said}.")


def _broken(world: World, uses: Uses, proposed: CompiledPolicy, name: str) -> Finding | None:
    """A finding if the use would not be allowed; of somebody who is no more it does not count."""
    verdict = _decided(world, uses, proposed)
    if verdict is None or verdict.outcome == "allowed":
        return None
    if world.current and is_refused(_decided(world, uses, world.key.policy)):
        return None
    return broken(uses, verdict, name, lambda by: by.policy_type == "resource")


# ------------------------------------------------------------------------------- unused


@click.command()
@around
@click.option(
    "--proposal",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the narrower key policy to this file.",
)
@findings_option
def unused(*, proposal: Path | None, output: str, **options: Any) -> None:
    """What of the access that the policy of a key, or the one at a PLACE, gives did nobody use, and what would be enough?

    The narrower policy is proven to let in nobody whom the present one does not, and every recorded use that the
    present policy allows has been decided again under it.
    """
    if options["place"] is not None:
        unused_change(proposal, output, options)
        return
    world = world_of(options)
    if not world.current:
        raise click.UsageError("--current FILE is the key's present policy")
    gatherer = _gathered(world, [world.key.policy], contexts=True)
    found = list(_unused(world, gatherer.uses))
    written, kinds = _narrower(world, gatherer.uses)
    text = json.dumps(written, indent=2) + "\n"
    if proposal is not None:
        proposal.write_text(text, "utf-8")
    narrow = written != json.loads(world.text)
    if narrow:
        where = f" ({proposal})" if proposal is not None else ""
        found.append(told_narrower(written, kinds, world.name, where))
    report("unused-access", found, output, {world.name: world.text}, "All access is used.")
    if output == "text" and narrow and proposal is None:
        print(text, end="")


def _unused(world: World, uses: Sequence[Uses]) -> Iterator[Finding]:
    """Of each caller, the operations that it may do and never did."""
    done: dict[str, dict[str, list[Uses]]] = {}
    for one in uses:
        caller = one.recorded.caller
        name = name_of(caller)
        done.setdefault(name, {}).setdefault(one.recorded.action, []).append(one)
    allowed: dict[str, tuple[Standing, set[str]]] = {}
    for way in who_can(world.key, world.standings):
        caller = way.standing.principal
        name = name_of(caller)
        allowed.setdefault(name, (way.standing, set()))[1].update(way.operations)
    for name, (standing, operations) in allowed.items():
        used = done.get(name, {})
        never = sorted(operations - set(used))
        if never:
            yield never_used(standing.principal, never, used, world.name)


def _narrower(world: World, gathered: Sequence[Uses]) -> tuple[dict[str, Any], int]:
    """The narrower policy, proven and replayed, and how many kinds of use it was decided for.

    Raises:
        Failed: even with all statements kept it is not proven not to be wider.
    """
    written, policy = json.loads(world.text), world.key.policy
    used = [one for uses in gathered if (one := _used(world, uses)) is not None]
    kept = set[int | None]()
    proposed = narrowed(written, policy, used)
    compiled = world.compiled("the proposal", json.dumps(proposed))
    again = _gathered(world, [policy, compiled]).uses  # told apart by what the proposal asks for, too
    while lost := {_used_statement(world, uses) for uses in again if _lost(world, uses, compiled)} - kept:
        kept |= lost
        proposed = narrowed(written, policy, used, kept)
        compiled = world.compiled("the proposal", json.dumps(proposed))
    if any(_lost(world, uses, compiled) for uses in again) or new_access(
        policy, compiled, Universe(kms_only=True)
    ):
        raise Failed("no narrower policy was found that is proven and loses nothing")
    return proposed, len(again)


def _used(world: World, uses: Uses) -> Used | None:
    """The use as the narrower policy must allow it; None if the present one does not."""
    verdict = _decided(world, uses, world.key.policy)
    if verdict is None or verdict.outcome == "refused":
        return None
    statement = needed(world.key.policy, uses.recorded, verdict.decided_by)
    return Used(uses.recorded, uses.common or {}, statement)


def _used_statement(world: World, uses: Uses) -> int | None:
    used = _used(world, uses)
    return None if used is None else used.statement


def _lost(world: World, uses: Uses, proposed: CompiledPolicy) -> bool:
    """Whether the use would not be allowed any more, or it would not be known."""
    before, after = _decided(world, uses, world.key.policy), _decided(world, uses, proposed)
    return before is not None and after is not None and before.outcome != after.outcome
