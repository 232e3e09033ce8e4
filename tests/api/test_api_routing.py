"""Which service a request is for, before anything of it is believed."""

from __future__ import annotations

import pytest
from botocore.parsers import create_parser
from botocore.session import get_session

from keystead import errors
from keystead.api.routing import Router
from keystead.api.service import service
from keystead.wire.http import Request
from keystead.wire.models import cloudtrail, iam, kms, organizations, sts

MODELS = {"kms": kms, "cloudtrail": cloudtrail, "iam": iam, "sts": sts, "organizations": organizations}
ROUTER = Router({name: service(model.SERVICE, ()) for name, model in MODELS.items()})
IAM, STS = iam.SERVICE.version, sts.SERVICE.version


def request(fields="", *, signed="", target="/", method="POST", **headers):
    known = {name.replace("_", "-"): value for name, value in headers.items()}
    if signed:
        scope = f"AKIA/20261124/us-east-1/{signed}/aws4_request"
        known["authorization"] = f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=00"
    return Request(method, target, known, fields.encode(), "192.0.2.1", secure=False)


def found(asked):
    route = ROUTER.route(asked)
    return route.service.name, route.operation


def test_no_two_services_of_the_query_protocol_share_an_action():
    assert not set(iam.OPERATIONS) & set(sts.OPERATIONS)


@pytest.mark.parametrize("name", MODELS)
def test_every_operation_has_a_route(name):
    described = MODELS[name].SERVICE
    for operation in described.operations:
        if described.protocol == "json":
            asked = request(x_amz_target=f"{described.target_prefix}.{operation}", signed=name)
        else:
            asked = request(f"Action={operation}&Version={described.version}", signed=name)
        assert found(asked) == (name, operation)


def test_what_is_not_signed_is_routed_by_its_action():
    fields = f"Action=AssumeRoleWithWebIdentity&Version={STS}"
    assert found(request(fields)) == ("sts", "AssumeRoleWithWebIdentity")
    assert found(request(method="GET", target=f"/?{fields}")) == ("sts", "AssumeRoleWithWebIdentity")


def test_a_presigned_request_names_its_service_in_the_query():
    scope = "X-Amz-Credential=AKIA%2F20261124%2Fus-east-1%2Fsts%2Faws4_request&X-Amz-Date=1"
    known = f"/?Action=GetCallerIdentity&Version={STS}&{scope}"
    assert found(request(method="GET", target=known)) == ("sts", "GetCallerIdentity")
    with pytest.raises(errors.UnknownOperation, match="Could not find operation ListUsers"):
        ROUTER.route(request(method="GET", target=f"/?Action=ListUsers&Version={STS}&{scope}"))


@pytest.mark.parametrize(
    ("fields", "signed", "said"),
    [
        (f"Action=Nope&Version={IAM}", "iam", f"Could not find operation Nope for version {IAM}"),
        (f"Action=ListUsers&Version={STS}", "sts", f"Could not find operation ListUsers for version {STS}"),
        (
            f"Action=GetCallerIdentity&Version={IAM}",
            "iam",
            f"Could not find operation GetCallerIdentity for version {IAM}",
        ),
        ("Action=ListUsers", "iam", "Could not find operation ListUsers for version NO_VERSION_SPECIFIED"),
        ("Action=ListUsers&Version=1", "", "Could not find operation ListUsers for version 1"),
    ],
)
def test_an_action_that_the_service_does_not_have(fields, signed, said):
    asked = request(fields, signed=signed)
    with pytest.raises(errors.UnknownOperation) as caught:
        ROUTER.route(asked)
    assert caught.value.message == said
    if signed:
        answer = ROUTER.fallback(asked).refusal(caught.value, "id")
        assert answer.status == 400
        assert b"<Code>InvalidAction</Code>" in answer.body
        assert said.encode() in answer.body
        assert MODELS[signed].SERVICE.namespace.encode() in answer.body


def test_no_action_at_all():
    asked = request("Version=1", signed="iam")
    with pytest.raises(errors.MissingAction) as caught:
        ROUTER.route(asked)
    assert b"<Code>MissingAction</Code>" in ROUTER.fallback(asked).refusal(caught.value, "id").body


@pytest.mark.parametrize("signed", ["", "kms", "organizations", "%"])
def test_what_nobody_offers_is_refused_in_json(signed):
    asked = request("Action=CreateKey&Version=2014-11-01", signed=signed)
    with pytest.raises(errors.UnknownOperation) as caught:
        ROUTER.route(asked)
    answer = ROUTER.fallback(asked).refusal(caught.value, "id")
    assert answer.body == b'{"__type":"UnknownOperationException"}'


@pytest.mark.parametrize(
    ("service", "operation"), [("ec2", "DescribeInstances"), ("rds", "DescribeDBInstances")]
)
def test_a_form_for_a_service_that_is_not_here_is_refused_as_its_clients_read_it(service, operation):
    described = get_session().get_service_model(service)
    asked = request(f"Action={operation}&Version={described.api_version}", signed=service)
    with pytest.raises(errors.UnknownOperation) as caught:
        ROUTER.route(asked)
    answer = ROUTER.fallback(asked).refusal(caught.value, "id")
    got = {"body": answer.body, "headers": {}, "status_code": answer.status}
    shape = described.operation_model(operation).output_shape
    read = create_parser(described.resolved_protocol).parse(got, shape)
    assert (read["Error"]["Code"], read["ResponseMetadata"]["HTTPStatusCode"]) == ("InvalidAction", 400)
    assert read["Error"]["Message"].startswith(f"Could not find operation {operation} for version 2")


@pytest.mark.parametrize(
    "target", ["TrentService.Nope", "Nobody.Encrypt", "AWSOrganizationsV20161128.Encrypt", ""]
)
def test_a_target_that_nobody_has_is_refused_in_json(target):
    asked = request(x_amz_target=target, signed="iam")
    with pytest.raises(errors.UnknownOperation):
        ROUTER.route(asked)
    assert ROUTER.fallback(asked).service.name == "kms"


def test_other_methods_have_no_route():
    with pytest.raises(errors.UnknownOperation):
        ROUTER.route(request(f"Action=ListUsers&Version={IAM}", signed="iam", method="PUT"))


def test_organizations_errors_call_their_message_as_its_clients_expect():
    route = ROUTER.route(request(x_amz_target="AWSOrganizationsV20161128.ListRoots"))
    answer = route.refusal(errors.ConstraintViolation("no", reason="OU_DEPTH_LIMIT_EXCEEDED"), "id")
    assert answer.status == 400
    assert answer.body == (
        b'{"__type":"ConstraintViolationException","Message":"no","Reason":"OU_DEPTH_LIMIT_EXCEEDED"}'
    )


@pytest.mark.parametrize("namespace", ["com.amazonaws.cloudtrail.v20131101.", ""])
def test_cloudtrail_is_known_with_and_without_its_namespace(namespace):
    asked = request(x_amz_target=f"{namespace}CloudTrail_20131101.CreateTrail", signed="cloudtrail")
    assert found(asked) == ("cloudtrail", "CreateTrail")
