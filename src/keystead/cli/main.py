"""The `keystead` command: a table of commands, each loaded when it is asked for."""

from __future__ import annotations

import importlib
import os
import sys

import click

from keystead import __version__
from keystead.errors import OperatorError

COMMANDS = {
    "account": ("keystead.cli.account", "account", "Add accounts, and see which there are."),
    "advise": ("keystead.cli.advise", "advise", "Advise on default and custom keys."),
    "analyze": ("keystead.cli.analyze", "analyze", "Prove what policies allow."),
    "audit": ("keystead.cli.audit", "audit", "Read and verify the evidence."),
    "backup": ("keystead.cli.backup", "backup", "Create, restore and try out backups."),
    "credentials": (
        "keystead.cli.credentials",
        "credentials",
        "Get a role's credentials by a client certificate.",
    ),
    "decrypt": ("keystead.cli.data", "decrypt", "Decrypt bytes with a KMS key."),
    "demo": ("keystead.cli.demo.command", "demo", "Play a story that shows what is enforced."),
    "dev": ("keystead.cli.dev", "dev", "Run a server on loopback for development and trials."),
    "doctor": ("keystead.cli.doctor", "doctor", "Check a deployment and its machine."),
    "encrypt": ("keystead.cli.data", "encrypt", "Encrypt bytes with a KMS key."),
    "guard": ("keystead.cli.guard", "guard", "Guard keys against changes that open or mix too much."),
    "init": ("keystead.cli.init", "init", "Create a deployment."),
    "policy": ("keystead.cli.policy", "policy", "Try out and check policies."),
    "s3": ("keystead.cli.s3", "s3", "Look after the objects that S3 keeps."),
    "seal": ("keystead.cli.seal", "seal", "Show and change what protects the root key."),
    "service": ("keystead.cli.service", "service", "Register services that call for their callers."),
    "serve": ("keystead.cli.serve", "serve", "Run a deployment's server."),
    "sign": ("keystead.cli.data", "sign", "Sign bytes with a KMS key."),
    "why": ("keystead.cli.why", "why", "Explain why a request was refused."),
    "witness": ("keystead.cli.witness", "witness", "Cosign the checkpoints of logs that only grow."),
    "verify": ("keystead.cli.data", "verify", "Verify a signature with a KMS key."),
}
"""Command: module, name in it, one line of help."""


class LazyGroup(click.Group):
    """Loads a command's module when the command runs, so that `--help` is quick."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        return sorted(COMMANDS)

    def get_command(self, _ctx: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        module, attribute, _ = COMMANDS[name]
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][2]) for name in sorted(COMMANDS)])


@click.group(cls=LazyGroup)
@click.version_option(__version__, prog_name="keystead")
def cli() -> None:
    """A key management service that every AWS KMS client speaks to unchanged."""


def main() -> None:
    """Run the command line; bad settings and states end in one clear line and exit status 2."""
    try:
        sys.exit(cli.main(standalone_mode=False) or 0)
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        sys.exit(2)
    except click.UsageError as error:
        hint = f" (try '{error.ctx.command_path} --help')" if error.ctx else ""
        print(f"keystead: {error.format_message()}{hint}", file=sys.stderr)
        sys.exit(2)
    except click.ClickException as error:
        line = " ".join(error.format_message().splitlines())  # botocore complains in several lines
        print(f"keystead: {line}", file=sys.stderr)
        sys.exit(error.exit_code)
    except click.Abort:
        print("keystead: aborted", file=sys.stderr)
        sys.exit(130)
    except BrokenPipeError:  # whoever reads has had enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the last flush would fail too
        sys.exit(1)
    except OperatorError as error:
        print(f"keystead: {error}", file=sys.stderr)
        sys.exit(2)
