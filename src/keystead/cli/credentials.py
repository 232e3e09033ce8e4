"""`keystead credentials`: a client certificate becomes a role's session, for whatever AWS client asks.

It is a `credential_process`: AWS's command line, SDKs and Terraform start it when they need credentials, and again
when those end. Source of the output: AWS SDKs and Tools Reference Guide, "Process credential provider".
"""

from __future__ import annotations

import os
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from keystead.cli import aws
from keystead.cli.output import Failed, show

_file = click.Path(exists=True, path_type=Path, dir_okay=False)


@click.command()
@click.option("--role-arn", required=True, help="The role to assume.")
@click.option("--certificate", required=True, type=_file, help="PEM file with the client certificate.")
@click.option("--private-key", required=True, type=_file, help="PEM file with its private key.")
@click.option("--session-name", default="workload", show_default=True, help="What the session is called.")
@click.option("--duration", type=int, help="Seconds that the session lasts; default: an hour.")
@click.option("--external-id", help="An external id that the role's trust policy asks for.")
@click.option("--endpoint-url", help="The server, https://HOST:PORT; default: AWS_ENDPOINT_URL.")
@click.option("--ca", type=_file, help="PEM file of the authorities to trust for the server's certificate.")
def credentials(
    *,
    role_arn: str,
    certificate: Path,
    private_key: Path,
    session_name: str,
    duration: int | None,
    external_id: str | None,
    endpoint_url: str | None,
    ca: Path | None,
) -> None:
    """Print temporary credentials of a role for the holder of a client certificate.

    For `credential_process` in a profile of ~/.aws/config. No other credentials are used.
    """
    asked = {"DurationSeconds": duration, "ExternalId": external_id}
    client = _client(endpoint_url or os.environ.get("AWS_ENDPOINT_URL"), certificate, private_key, ca)
    answer = _assume(
        client,
        RoleArn=role_arn,
        RoleSessionName=session_name,
        **{name: value for name, value in asked.items() if value is not None},
    )
    given = answer["Credentials"]
    show(
        {
            "Version": 1,
            "AccessKeyId": given["AccessKeyId"],
            "SecretAccessKey": given["SecretAccessKey"],
            "SessionToken": given["SessionToken"],
            "Expiration": given["Expiration"].isoformat(),
        }
    )


def _client(endpoint: str | None, certificate: Path, private_key: Path, ca: Path | None) -> Any:
    """A client of STS that signs nothing and shows the certificate.

    Raises:
        Failed: the endpoint is none that a certificate can be shown to.
    """
    if endpoint is None or not endpoint.startswith("https://"):
        raise Failed("certificates are shown in TLS only: give --endpoint-url https://HOST:PORT")
    botocore = import_module("botocore")  # slow to load, which `--help` need not take
    config = import_module("botocore.config").Config(
        signature_version=botocore.UNSIGNED, client_cert=(str(certificate), str(private_key))
    )
    # Not the profile that asks: it would start this command again.
    session = import_module("botocore.session").Session(profile=None, session_vars=_NO_PROFILE)
    return session.create_client(
        "sts",
        region_name="us-east-1",  # such a call is in the server's own Region
        endpoint_url=endpoint,
        config=config,
        verify=None if ca is None else str(ca),
    )


_NO_PROFILE = {"profile": (None, None, None, None), "config_file": (None, None, os.devnull, None)}


def _assume(client: Any, **members: Any) -> Any:
    try:
        with aws.told():
            return client.assume_role(**members)
    except OSError as error:
        raise Failed(f"the certificate or its key cannot be used: {error.strerror or error}") from None
