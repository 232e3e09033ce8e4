"""`keystead analyze`: what policies allow, proven; on files, without a server."""

from __future__ import annotations

from pathlib import Path

import click

from keystead import errors
from keystead.analysis import NewAccess, Universe, new_access
from keystead.analysis.report import Finding, case, sentence
from keystead.cli.analyze_key import findings, sod, who_can_command
from keystead.cli.analyze_posture import posture
from keystead.cli.analyze_reach import blast_radius
from keystead.cli.analyze_template import template
from keystead.cli.analyze_uses import replay, unused
from keystead.cli.findings import findings_option, policy_file, read, report
from keystead.policy.compiled import CompiledPolicy
from keystead.policy.keypolicy import compile_key_policy


@click.group()
def analyze() -> None:
    """Prove what policies allow, or show a request that they do.

    Exit status 0: nothing was found, and that is proven. 1: something was found; each finding comes with a request
    that the evaluator of requests has confirmed. 2: it could not be decided, or a file cannot be read.
    """


@analyze.command()
@click.argument("old", type=policy_file)
@click.argument("new", type=policy_file)
@findings_option
def diff(*, old: Path, new: Path, output: str) -> None:
    """Does the key policy NEW let anybody in whom OLD does not?

    Each document is read by itself, every statement counts that names the caller, and what the identity policies of
    an account say is not asked.
    """
    texts = {str(file): read(file) for file in (old, new)}
    before, after = (compiled(str(file), texts[str(file)]) for file in (old, new))
    found = new_access(before, after, Universe(kms_only=True))
    told = [_new(str(new), str(old), one) for one in found]
    report("new-access", told, output, texts, f"{new} lets nobody in whom {old} does not.")


def _new(new: str, old: str, found: NewAccess) -> Finding:
    why = (
        "which no statement allows"
        if found.denied_by is None
        else f"which Statement[{found.denied_by}] denies"
    )
    return Finding(
        rule="new-access",
        level="error",
        message=f"{sentence(found.witness)}, {why} in {old}",
        policy=new,
        statement=found.statement,
        sid=found.sid,
        witness=case(found.witness),
    )


def compiled(name: str, text: str) -> CompiledPolicy:
    """The key policy in a file's text.

    Raises:
        errors.OperatorError: it is not one.
    """
    try:
        return compile_key_policy(text)
    except errors.MalformedPolicyDocument as error:
        raise errors.OperatorError(f"{name}: {error.message}") from None


analyze.add_command(findings)
analyze.add_command(who_can_command)
analyze.add_command(sod)
analyze.add_command(posture)
analyze.add_command(template)
analyze.add_command(replay)
analyze.add_command(unused)
analyze.add_command(blast_radius)
