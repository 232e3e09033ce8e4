"""`keystead why`: what decided a refusal, and the smallest change that would allow it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
import msgspec

from keystead.api.decisions import Decisions
from keystead.api.why import explained
from keystead.cli import aws
from keystead.cli.deployment import opened, passphrase_option, the_seal
from keystead.cli.output import Failed, output_option, show
from keystead.entropy import SystemEntropy
from keystead.keyring import Keyring

DEFAULT_DIRECTORY = "keystead-dev"


@click.command()
@click.argument("decision_id", required=False)
@click.option(
    "--data-dir",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Read the deployment in this directory. Without it, the server is asked (AWS_ENDPOINT_URL).",
)
@passphrase_option
@output_option
def why(*, decision_id: str | None, data_dir: Path | None, passphrase_file: Path | None, output: str) -> None:
    """Explain why a request was refused.

    DECISION_ID is the request id of the refusal. Without it, the newest refusal in the data directory is
    explained. A server tells those who have the permission sts:DecodeAuthorizationMessage.
    """
    if data_dir is None and decision_id and os.environ.get("AWS_ENDPOINT_URL"):
        answer = _asked(decision_id)
        details, text = answer, str(answer["explanation"])
    else:
        details, text = _read(data_dir or _default(), decision_id, passphrase_file)
    if output == "json":
        show(details)
    else:
        print(text)


def _default() -> Path:
    directory = Path(DEFAULT_DIRECTORY)
    if not directory.is_dir():
        if os.environ.get("AWS_ENDPOINT_URL"):
            raise Failed("say which refusal the server is to explain: its request id")
        raise Failed("say where the deployment is (--data-dir), or which server to ask (AWS_ENDPOINT_URL)")
    return directory


def _read(data_dir: Path, decision_id: str | None, passphrase_file: Path | None) -> tuple[Any, str]:
    with opened(data_dir, the_seal(data_dir, passphrase_file)) as store:
        decisions = Decisions(data_dir, "", Keyring.open(store, SystemEntropy()))
        refusal = decisions.latest() if decision_id is None else decisions.find(decision_id)
    if refusal is None:
        raise Failed(
            "nothing was refused lately" if decision_id is None else f"no refusal {decision_id} is known"
        )
    explanation = explained(refusal, viewer=None)
    return {"id": refusal.id, "explanation": explanation.text, **explanation.details}, explanation.text


def _asked(decision_id: str) -> Any:
    """What the server says.

    Raises:
        Failed: it does not.
    """
    with aws.told():
        answer = aws.client("sts").decode_authorization_message(EncodedMessage=decision_id)
    return msgspec.json.decode(answer["DecodedMessage"])
