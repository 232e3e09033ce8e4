"""Analyzers, their archive rules and tags, by boto3 and the AWS CLI."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from keystead.testing import RunningServer

FILTER = {"principal.AWS": {"eq": ["444455556666"]}, "isPublic": {"exists": True}}


@pytest.fixture
def server():
    with RunningServer() as running:
        yield running


@pytest.fixture
def client(server):
    return server.client("accessanalyzer")


def refused(call, **parameters):
    with pytest.raises(ClientError) as error:
        call(**parameters)
    answer = error.value.response
    return answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer


def make(client, name="main", **more):
    return client.create_analyzer(analyzerName=name, type="ACCOUNT", **more)["arn"]


def test_an_analyzer_is_made_shown_listed_and_deleted(server, client):
    before = server.clock.now()
    arn = make(client, tags={"team": "keys"})
    assert arn == f"arn:aws:access-analyzer:us-east-1:{server.settings.account_id}:analyzer/main"
    shown = client.get_analyzer(analyzerName="main")["analyzer"]
    assert (shown["arn"], shown["name"], shown["type"], shown["status"]) == (arn, "main", "ACCOUNT", "ACTIVE")
    assert shown["tags"] == {"team": "keys"}
    assert before - 0.001 <= shown["createdAt"].timestamp() <= server.clock.now()
    assert [one["arn"] for one in client.list_analyzers()["analyzers"]] == [arn]
    assert client.list_analyzers(type="ORGANIZATION")["analyzers"] == []
    assert server.client("accessanalyzer", region="eu-west-1").list_analyzers()["analyzers"] == []
    client.delete_analyzer(analyzerName="main")
    code, status, answer = refused(client.get_analyzer, analyzerName="main")
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert (answer["resourceId"], answer["resourceType"]) == (arn, "AWS::AccessAnalyzer::Analyzer")
    assert refused(client.delete_analyzer, analyzerName="main")[:2] == ("ResourceNotFoundException", 404)


def test_one_analyzer_of_an_account_in_a_region(client):
    make(client)
    assert refused(make, client=client)[:2] == ("ConflictException", 409)
    assert refused(make, client=client, name="other")[:2] == ("ServiceQuotaExceededException", 402)


@pytest.mark.parametrize(
    "kind", ["ORGANIZATION", "ORGANIZATION_UNUSED_ACCESS", "ORGANIZATION_INTERNAL_ACCESS", "UNHEARD_OF"]
)
def test_types_that_cannot_be_are_refused(client, kind):
    code, status, answer = refused(client.create_analyzer, analyzerName="a", type=kind)
    assert (code, status) == ("ValidationException", 400)
    assert answer["Error"]["Message"]


def test_an_organization_is_analyzed_by_who_manages_it(server, client):
    server.client("organizations").create_organization(FeatureSet="ALL")
    for kind in ("ORGANIZATION", "ORGANIZATION_UNUSED_ACCESS", "ORGANIZATION_INTERNAL_ACCESS"):
        arn = client.create_analyzer(analyzerName=kind, type=kind)["arn"]
        assert client.list_analyzers(type=kind)["analyzers"][0]["arn"] == arn
    make(client)
    client.create_analyzer(analyzerName="a", type="ACCOUNT_INTERNAL_ACCESS")


def test_an_analyzer_of_external_access_has_nothing_to_update(client):
    make(client)
    code, status, _ = refused(
        client.update_analyzer, analyzerName="main", configuration={"unusedAccess": {"unusedAccessAge": 90}}
    )
    assert (code, status) == ("ValidationException", 400)


def test_tags_are_added_replaced_and_removed(client):
    arn = make(client, tags={"a": "1"})
    client.tag_resource(resourceArn=arn, tags={"a": "2", "b": "3"})
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"a": "2", "b": "3"}
    client.untag_resource(resourceArn=arn, tagKeys=["a", "c"])
    assert client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "3"}
    assert refused(client.tag_resource, resourceArn=arn, tags={"aws:x": "1"})[0] == "ValidationException"
    absent = arn.replace("analyzer/main", "analyzer/none")
    assert refused(client.list_tags_for_resource, resourceArn=absent)[0] == "ResourceNotFoundException"


def test_a_rule_is_made_shown_changed_and_deleted(server, client):
    make(client, archiveRules=[{"ruleName": "inline", "filter": FILTER}])
    client.create_archive_rule(analyzerName="main", ruleName="late", filter={"error": {"exists": True}})
    rules = client.list_archive_rules(analyzerName="main")["archiveRules"]
    assert [one["ruleName"] for one in rules] == ["inline", "late"]
    assert client.get_archive_rule(analyzerName="main", ruleName="inline")["archiveRule"]["filter"] == FILTER
    server.advance(5)
    before = server.clock.now()
    changed = {"resourceType": {"neq": ["AWS::KMS::Key"]}}
    client.update_archive_rule(analyzerName="main", ruleName="late", filter=changed)
    shown = client.get_archive_rule(analyzerName="main", ruleName="late")["archiveRule"]
    assert shown["filter"] == changed
    assert shown["createdAt"].timestamp() < before - 1 <= shown["updatedAt"].timestamp()
    client.delete_archive_rule(analyzerName="main", ruleName="late")
    code, status, _ = refused(client.get_archive_rule, analyzerName="main", ruleName="late")
    assert (code, status) == ("ResourceNotFoundException", 404)
    code, status, _ = refused(
        client.create_archive_rule, analyzerName="main", ruleName="inline", filter=FILTER
    )
    assert (code, status) == ("ConflictException", 409)


@pytest.mark.parametrize(
    "filter_", [{}, {"colour": {"eq": ["red"]}}, {"status": {"eq": ["ACTIVE"]}}, {"isPublic": {}}]
)
def test_a_rule_asks_what_can_be_asked(client, filter_):
    make(client)
    code, status, _ = refused(client.create_archive_rule, analyzerName="main", ruleName="r", filter=filter_)
    assert (code, status) == ("ValidationException", 400)


def test_lists_come_in_pages(client):
    make(client)
    for number in range(5):
        client.create_archive_rule(analyzerName="main", ruleName=f"r{number}", filter=FILTER)
    pages = client.get_paginator("list_archive_rules").paginate(
        analyzerName="main", PaginationConfig={"PageSize": 2}
    )
    names = [[one["ruleName"] for one in page["archiveRules"]] for page in pages]
    assert names == [["r0", "r1"], ["r2", "r3"], ["r4"]]
    assert refused(client.list_analyzers, nextToken="x")[0] == "ValidationException"
    assert refused(client.list_analyzers, maxResults=0)[0] == "ValidationException"


def test_each_permission_is_asked_on_the_analyzer(server, client):
    arn = make(client, tags={"team": "keys"})
    person = server.user("auditor")
    auditor = server.client_of(person, "accessanalyzer")
    assert refused(auditor.get_analyzer, analyzerName="main")[:2] == ("AccessDeniedException", 403)
    statement = {
        "Effect": "Allow",
        "Action": ["access-analyzer:GetAnalyzer", "access-analyzer:GetArchiveRule"],
        "Resource": [arn, f"{arn}/archive-rule/mine"],
        "Condition": {"StringEquals": {"aws:ResourceTag/team": "keys"}},
    }
    server.client("iam").put_user_policy(
        UserName="auditor",
        PolicyName="look",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [statement]}),
    )
    assert auditor.get_analyzer(analyzerName="main")["analyzer"]["arn"] == arn
    code, _, answer = refused(auditor.get_archive_rule, analyzerName="main", ruleName="other")
    assert code == "AccessDeniedException"
    assert (
        f"access-analyzer:GetArchiveRule on resource: {arn}/archive-rule/other" in answer["Error"]["Message"]
    )
    assert refused(auditor.get_archive_rule, analyzerName="main", ruleName="mine")[0] == (
        "ResourceNotFoundException"
    )
    client.untag_resource(resourceArn=arn, tagKeys=["team"])
    assert refused(auditor.get_analyzer, analyzerName="main")[0] == "AccessDeniedException"


def test_another_account_has_no_part_in_it(server, client):
    arn = make(client)
    other = server.client("accessanalyzer", account="111122223333")
    code, status, _ = refused(other.list_tags_for_resource, resourceArn=arn)
    assert (code, status) == ("AccessDeniedException", 403)
    assert refused(other.get_analyzer, analyzerName="main")[0] == "ResourceNotFoundException"


def test_a_change_has_its_event(server, client):
    make(client, archiveRules=[{"ruleName": "inline", "filter": FILTER}])
    (event,) = [one for one in server.events() if one["eventName"] == "CreateAnalyzer"]
    assert event["eventSource"] == "access-analyzer.amazonaws.com"
    assert (event["readOnly"], event["requestParameters"]["analyzerName"]) == (False, "main")
    assert event["responseElements"]["arn"].endswith("analyzer/main")


@pytest.mark.client
def test_the_aws_cli_makes_and_lists(server, tmp_path):
    environment = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")} | server.environment()
    aws = [str(Path(sys.executable).with_name("aws")), "accessanalyzer", "--output", "json"]

    def run(*words):
        done = subprocess.run(
            [*aws, *words], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
        )
        return json.loads(done.stdout) if done.stdout else None

    arn = run("create-analyzer", "--analyzer-name", "cli", "--type", "ACCOUNT", "--tags", "a=b")["arn"]
    run("create-archive-rule", "--analyzer-name", "cli", "--rule-name", "r", "--filter", json.dumps(FILTER))
    assert run("list-tags-for-resource", "--resource-arn", arn) == {"tags": {"a": "b"}}
    assert run("list-analyzers")["analyzers"][0]["arn"] == arn
    run("delete-archive-rule", "--analyzer-name", "cli", "--rule-name", "r")
    run("delete-analyzer", "--analyzer-name", "cli")
    assert run("list-analyzers") == {"analyzers": []}
