"""`keystead encrypt`, `decrypt`, `sign` and `verify`: plain bytes in, plain bytes out.

A client like any other: it finds the server and its credentials where AWS's own tools find them
(`AWS_ENDPOINT_URL`, `AWS_ACCESS_KEY_ID`, profiles, …) and has no access that its caller lacks.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

import click

from keystead.cli import aws
from keystead.cli.output import Failed, output_option, show, write_bytes

F = TypeVar("F", bound=Callable[..., Any])

MESSAGE_BYTES: Final = 4096
"""What Encrypt and Sign take at most (API reference, Encrypt `Plaintext`, Sign `Message`)."""

CIPHERTEXT_BYTES: Final = 6144
"""What Decrypt takes at most (API reference, Decrypt `CiphertextBlob`)."""

_TOO_MUCH_TO_ENCRYPT: Final = (
    "Encrypt takes at most 4096 bytes; encrypt larger data under a data key (GenerateDataKey), as the "
    "AWS Encryption SDK does"
)
_TOO_MUCH_TO_DECRYPT: Final = "this is not one ciphertext blob: Decrypt takes at most 6144 bytes"
_TOO_MUCH_TO_SIGN: Final = (
    "Sign and Verify take messages of at most 4096 bytes; for a larger one give its digest and "
    "--message-type DIGEST"
)


class _Pair(click.ParamType[tuple[str, str]]):
    """`NAME=VALUE`, one pair of an encryption context."""

    name = "NAME=VALUE"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        name, equals, text = str(value).partition("=")
        if not name or not equals:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return name, text


def _files(function: F) -> F:
    """`function` with the options for its input and output."""
    function = click.option(
        "--out", "target", type=click.Path(path_type=Path, dir_okay=False), help="Write here, not to stdout."
    )(function)
    return _input(function)


def _input(function: F) -> F:
    return click.option(
        "--in",
        "source",
        type=click.Path(exists=True, path_type=Path, dir_okay=False),
        help="Read here, not stdin.",
    )(function)


def _key(*, required: bool) -> Callable[[F], F]:
    return click.option("--key-id", required=required, help="Key id, key ARN, alias name or alias ARN.")


def _message_type(function: F) -> F:
    return click.option(
        "--message-type",
        type=click.Choice(["RAW", "DIGEST", "EXTERNAL_MU"]),
        default="RAW",
        show_default=True,
        help="What the input is: the message, its digest, or ML-DSA's external mu.",
    )(function)


_context = click.option(
    "--context", "pairs", type=_Pair(), multiple=True, help="A pair of the encryption context; repeatable."
)
_region = click.option(
    "--region", help="The Region; default: AWS_REGION, AWS_DEFAULT_REGION or the profile's."
)


@click.command()
@_key(required=True)
@_context
@click.option("--algorithm", help="Encryption algorithm; default: SYMMETRIC_DEFAULT.")
@_files
@_region
def encrypt(
    *,
    key_id: str,
    pairs: tuple[tuple[str, str], ...],
    algorithm: str | None,
    source: Path | None,
    target: Path | None,
    region: str | None,
) -> None:
    """Encrypt up to 4096 bytes with a KMS key; the ciphertext blob is written as plain bytes."""
    plaintext = _read(source, MESSAGE_BYTES, _TOO_MUCH_TO_ENCRYPT)
    answer = _call(
        "encrypt",
        region,
        KeyId=key_id,
        Plaintext=plaintext,
        EncryptionContext=_context_of(pairs),
        EncryptionAlgorithm=algorithm,
    )
    write_bytes(target, answer["CiphertextBlob"])


@click.command()
@_key(required=False)
@_context
@click.option("--algorithm", help="Encryption algorithm; needed for asymmetric keys.")
@_files
@_region
def decrypt(
    *,
    key_id: str | None,
    pairs: tuple[tuple[str, str], ...],
    algorithm: str | None,
    source: Path | None,
    target: Path | None,
    region: str | None,
) -> None:
    """Decrypt a ciphertext blob; the same encryption context must be given as when it was made.

    The key is found from the ciphertext, unless it was made with an asymmetric key.
    """
    blob = _read(source, CIPHERTEXT_BYTES, _TOO_MUCH_TO_DECRYPT)
    answer = _call(
        "decrypt",
        region,
        KeyId=key_id,
        CiphertextBlob=blob,
        EncryptionContext=_context_of(pairs),
        EncryptionAlgorithm=algorithm,
    )
    write_bytes(target, answer["Plaintext"])


@click.command()
@_key(required=True)
@click.option("--algorithm", required=True, help="Signing algorithm, e.g. ECDSA_SHA_256.")
@_message_type
@_files
@_region
def sign(
    *,
    key_id: str,
    algorithm: str,
    message_type: str,
    source: Path | None,
    target: Path | None,
    region: str | None,
) -> None:
    """Sign a message of up to 4096 bytes, or a digest; the signature is written as plain bytes."""
    message = _read(source, MESSAGE_BYTES, _TOO_MUCH_TO_SIGN)
    answer = _call(
        "sign", region, KeyId=key_id, Message=message, MessageType=message_type, SigningAlgorithm=algorithm
    )
    write_bytes(target, answer["Signature"])


@click.command()
@_key(required=True)
@click.option("--algorithm", required=True, help="Signing algorithm, e.g. ECDSA_SHA_256.")
@click.option(
    "--signature",
    required=True,
    type=click.Path(exists=True, path_type=Path, dir_okay=False),
    help="File that holds the signature.",
)
@_message_type
@_input
@_region
@output_option
def verify(
    *,
    key_id: str,
    algorithm: str,
    signature: Path,
    message_type: str,
    source: Path | None,
    region: str | None,
    output: str,
) -> None:
    """Check a signature; exit status 0 means that it is the message's, 1 that it is not."""
    answer = _call(
        "verify",
        region,
        KeyId=key_id,
        Message=_read(source, MESSAGE_BYTES, _TOO_MUCH_TO_SIGN),
        MessageType=message_type,
        Signature=_content(signature),
        SigningAlgorithm=algorithm,
    )
    if output == "json":
        show({"KeyId": answer["KeyId"], "SignatureValid": answer["SignatureValid"]})
    else:
        print(f"valid: signed with {answer['KeyId']}")


# ------------------------------------------------------------------------------- input


def _read(source: Path | None, most: int, too_much: str) -> bytes:
    """The whole input.

    Raises:
        Failed: there is none, it is longer than `most` bytes, or it cannot be read.
    """
    content = sys.stdin.buffer.read(most + 1) if source is None else _content(source)
    if not content:
        raise Failed("there is no input: give it on stdin or with --in FILE")
    if len(content) > most:
        raise Failed(too_much)
    return content


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Failed(f"{path} cannot be read: {error.strerror}") from None


def _context_of(pairs: tuple[tuple[str, str], ...]) -> dict[str, str] | None:
    context = dict(pairs)
    if len(context) < len(pairs):
        raise click.BadParameter("a name is given twice", param_hint="--context")
    return context or None


# ----------------------------------------------------------------------------- calling


def _call(operation: str, region: str | None, **members: Any) -> Any:
    """The answer of the KMS that the environment names; members that are None are left out.

    Raises:
        Failed: AWS's code and message, or why there was no answer.
    """
    given = {name: value for name, value in members.items() if value is not None}
    with aws.told():
        return getattr(aws.client("kms", region), operation)(**given)
