"""The command line. Exit status 0: verified; 1: tampering was found; 2: it could not be run as asked."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from keystead_verify import commands
from keystead_verify.disclosure import verify_openings
from keystead_verify.findings import MALFORMED, MEANING, Malformed, Report, UsageError
from keystead_verify.leaves import check_time
from keystead_verify.trust import Trust, trust_of

_DESCRIPTION: Final = (
    "Verify evidence of a Keystead log, without Keystead. EVIDENCE is a bundle file (.tar, .tar.gz), an unpacked "
    "bundle or a data directory."
)
_Command = Callable[[argparse.Namespace, Trust, Report], None]


def _bundle(options: argparse.Namespace, trust: Trust, report: Report) -> None:
    commands.verify_bundle(options.evidence, trust, report)


def _entry(options: argparse.Namespace, trust: Trust, report: Report) -> None:
    if options.receipt is not None:
        commands.verify_receipt_in(options.evidence, options.receipt, trust, report)
    else:
        commands.verify_entry(options.evidence, options.index, options.event_id, trust, report)


def _consistency(options: argparse.Namespace, trust: Trust, report: Report) -> None:
    commands.verify_consistency(options.old, options.new, options.proof, trust, report)


def _used(options: argparse.Namespace, trust: Trust, report: Report) -> None:
    try:
        check_time(options.start or "2000-01-01T00:00:00Z")
        check_time(options.end or "2000-01-01T00:00:00Z")
    except Malformed as error:
        raise UsageError(str(error)) from None
    commands.verify_used(options.evidence, options.key, options.start, options.end, trust, report)


def _openings(options: argparse.Namespace, trust: Trust, report: Report) -> None:
    verify_openings(options.evidence, trust, report)


def _receipt(options: argparse.Namespace, trust: Trust, report: Report) -> None:
    commands.verify_receipt(options.file, trust, report)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="keystead-verify", description=_DESCRIPTION)
    subparsers = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, run: _Command, about: str, *places: str) -> argparse.ArgumentParser:
        added = subparsers.add_parser(name, help=about, description=about)
        for place in places:
            added.add_argument(place, type=Path)
        added.add_argument(
            "--vkey", action="append", default=[], help="the log's verifier key; may be repeated"
        )
        added.add_argument("--witness-vkey", action="append", default=[], help="a witness's verifier key")
        added.add_argument("--quorum", type=int, help="how many of the witnesses must have signed (all)")
        added.add_argument("--output", choices=["text", "json"], default="text")
        added.set_defaults(run=run)
        return added

    add("bundle", _bundle, "Verify everything: signature, every tile, every entry.", "evidence")
    entry = add("entry", _entry, "Prove that an entry is in the log.", "evidence")
    which = entry.add_mutually_exclusive_group(required=True)
    which.add_argument("--index", type=int, help="the entry's number in the log")
    which.add_argument("--event-id", help="the eventID of its event")
    which.add_argument("--receipt", type=Path, help="a receipt that a caller kept")
    grown = add("consistency", _consistency, "Prove that a log only grew since a checkpoint.", "old", "new")
    grown.add_argument("--proof", type=Path, help="lines of Base64, where NEW is a checkpoint only")
    used = add(
        "used",
        _used,
        "List the events whose entries name a KMS key, or prove that there are none.",
        "evidence",
    )
    used.add_argument("key", help="the key's ARN")
    used.add_argument("--from", dest="start", help="YYYY-MM-DDTHH:MM:SSZ")
    used.add_argument("--to", dest="end", help="YYYY-MM-DDTHH:MM:SSZ")
    add("openings", _openings, "Check the values that were opened, and show them.", "evidence")
    add("receipt", _receipt, "Verify a receipt that a caller kept.", "file")
    return parser


def run(arguments: Sequence[str]) -> int:
    """The exit status; the report is on stdout."""
    options = _parser().parse_args(arguments)
    report = Report()
    try:
        trust = trust_of(options.vkey, options.witness_vkey, options.quorum)
        options.run(options, trust, report)
    except UsageError as error:
        print(f"keystead-verify: {error}", file=sys.stderr)
        return 2
    except Malformed as error:
        report.find(MALFORMED, "evidence", str(error))
    if options.output == "json":
        print(json.dumps(report.as_json(), indent=2, ensure_ascii=False))
    else:
        _print(report)
    return 1 if report.findings else 0


def _print(report: Report) -> None:
    for name, value in report.facts.items():
        for line in _lines(name, value):
            print(line)
    for finding in report.findings:
        print(f"FAIL {finding.kind}: {finding.where}: {finding.detail}")
    if report.untold:
        print(f"FAIL and {report.untold} more")
    for kind in dict.fromkeys(finding.kind for finding in report.findings):
        print(f"     {kind}: {MEANING[kind]}")
    for limit in report.limits:
        print(f"note cannot know: {limit}")
    print("TAMPERING FOUND" if report.findings else "VERIFIED")


def _lines(name: str, value: Any) -> list[str]:
    if isinstance(value, list):
        return [
            f"ok   {name}: {len(value)}",
            *(f"     {json.dumps(item, ensure_ascii=False)}" for item in value),
        ]
    shown = value if isinstance(value, str | int) else json.dumps(value, ensure_ascii=False)
    return [f"ok   {name}: {shown}"]


def main() -> None:
    """Run the command line."""
    sys.exit(run(sys.argv[1:]))
