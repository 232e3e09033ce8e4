"""What commands share that call AWS's APIs: a client that finds the server as AWS's own tools do, and failures in one line."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, Final

from keystead.cli.output import Failed

_ADVICE: Final = {
    "NoCredentialsError": "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, as the server printed them",
    "NoRegionError": "set AWS_REGION",
    "EndpointConnectionError": "does the server run there?",
    "SSLError": "AWS_CA_BUNDLE names the file of the authorities to trust; a server without TLS has an http:// address",
}
"""What to do, by the name of botocore's error."""

_AWS: Final = ".amazonaws.com"


def region_of(session: Any, given: str | None = None) -> str | None:
    """The Region to call: the one given, or that of the environment. botocore itself does not know AWS_REGION."""
    found: str | None = given or os.environ.get("AWS_REGION") or session.get_config_variable("region")
    return found


def client_of(session: Any, service: str, region: str | None) -> Any:
    """A client of a service.

    Raises:
        Failed: the address of the server is no URL.
        BotoCoreError: there is no Region, for example.
    """
    try:
        return session.create_client(service, region_name=region)
    except ValueError as error:  # what is said of addresses, of which no error of botocore's own tells
        raise Failed(f"{error}; AWS_ENDPOINT_URL takes one such as http://127.0.0.1:4599") from None


def client(service: str, region: str | None = None) -> Any:
    """The same, with the session and the Region of the environment."""
    session = import_module("botocore.session").get_session()
    return client_of(session, service, region_of(session, region))


@contextmanager
def told() -> Iterator[None]:
    """A block whose failures end the command in one line: AWS's code and message, or why there was no answer."""
    failures = import_module("botocore.exceptions")
    try:
        yield
    except failures.ClientError as error:
        raise Failed(said(error.response.get("Error", {}))) from None
    except failures.BotoCoreError as error:
        raise Failed(_why(error)) from None


def said(error: Mapping[str, str]) -> str:
    """AWS's code and message in one line; some errors have no message."""
    parts = (error.get("Code", "UnknownError"), error.get("Message", ""))
    return ": ".join(part for part in parts if part)


def _why(error: Exception) -> str:
    """What botocore says, and what to do about it."""
    advice = _ADVICE.get(type(error).__name__)
    if _AWS in str(error):
        advice = "this is AWS itself: set AWS_ENDPOINT_URL to the server's address"
    return f"{error} ({advice})" if advice else str(error)
