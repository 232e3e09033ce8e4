"""Reading a file as what it is: a plan of Terraform, or a CloudFormation template in YAML or JSON."""

from __future__ import annotations

from collections.abc import Mapping

from keystead.errors import OperatorError
from keystead.templates import cloudformation, terraform
from keystead.templates.declared import Declared
from keystead.templates.yaml import load


def read(name: str, text: str, account: str, region: str, given: Mapping[str, str]) -> Declared:
    """What the file declares, applied in this account and Region with the parameters that are given.

    Raises:
        OperatorError: it is neither a plan nor a template.
    """
    try:
        document = load(text)
    except ValueError as error:
        raise OperatorError(f"{name}: {error}") from None
    if isinstance(document, Mapping):
        if "planned_values" in document:
            return terraform.declared(document)
        if isinstance(document.get("Resources"), Mapping):
            return cloudformation.declared(document, account, region, given)
    raise OperatorError(
        f"{name} is neither a plan (`terraform show -json`) nor a CloudFormation template with Resources"
    )
