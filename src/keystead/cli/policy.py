"""`keystead policy`: try and check policies without a server, a store or a key."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import click
import msgspec

from keystead import errors
from keystead.cli.output import Failed, output_option, show
from keystead.policy import validate_key_policy
from keystead.policy.advice import advise
from keystead.policy.simulate import simulate as answer

_CHUNK = 1 << 16
_FLUSH_EVERY = 256


@click.group()
def policy() -> None:
    """Try and check policies, without a server."""


@policy.command()
def simulate() -> None:
    """Answer authorization cases: JSON Lines on stdin, one JSON answer per line on stdout.

    Every case is one line and stands alone: who asks, for what, and all policies that could matter. The
    answers come in the order of the cases, each as soon as its case was read, from the same evaluator
    that serves requests. A case that cannot be read is answered with an `error` member.
    """
    _answer_all(sys.stdin.fileno(), sys.stdout.buffer)


def _answer_all(cases: int, answers: BinaryIO) -> None:
    """None once the descriptor `cases` is read to its end; a reader who waits has every answer so far."""
    written = 0
    for lines in _lines(cases):
        for line in lines:
            if line and not line.isspace():
                answers.write(answer(line) + b"\n")
                written += 1
                if written % _FLUSH_EVERY == 0:
                    answers.flush()
        answers.flush()


def _lines(descriptor: int) -> Iterator[list[bytes]]:
    """The lines that each read completed, without their ends; the last one needs none."""
    started: list[bytes] = []
    while chunk := os.read(descriptor, _CHUNK):
        *whole, rest = chunk.split(b"\n")
        if whole:
            whole[0] = b"".join((*started, whole[0]))
            started = []
            yield whole
        started.append(rest)
    yield [b"".join(started)]


@policy.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path, allow_dash=True))
@output_option
def lint(file: Path, output: str) -> None:
    """Check a key policy as PutKeyPolicy would; FILE may be `-` for stdin.

    Exit status 1 means that it would be refused. What would be stored but not do what it seems to (unknown
    actions and condition keys, operators of another type) is told with what to write instead, at exit
    status 0. Whether the principals exist, and whether the policy would lock its author out, only the server
    can tell.
    """
    name = str(file)
    text = _text(name)
    problem = _problem(text)
    findings = advise(text) if problem is None else ()
    if output == "json":
        told = [msgspec.to_builtins(finding) for finding in findings]
        show({"file": name, "valid": problem is None, "problem": problem, "findings": told})
    elif problem is None:
        for finding in findings:
            print(f"{name}: {finding.path}: {finding.problem}; write {finding.instead}")
        print(f"{name}: {'ok' if not findings else f'may be stored; findings: {len(findings)}'}")
    else:
        raise Failed(f"{name}: {problem}")
    if problem is not None:
        sys.exit(1)


def _text(name: str) -> str:
    try:
        with click.open_file(name, "rb") as stream:
            content: bytes = stream.read()
    except OSError as error:
        raise Failed(f"{name} cannot be read: {error.strerror}") from None
    try:
        return content.decode()
    except UnicodeDecodeError:
        raise Failed(f"{name} is not UTF-8 text") from None


def _problem(text: str) -> str | None:
    try:
        validate_key_policy(text)
    except errors.ApiError as error:
        return f"{error.code}: {error.message}"
    return None
