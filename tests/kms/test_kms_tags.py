"""Tags and key policies, by boto3 against a running server."""

import json

import pytest


def tag(key, value=""):
    return {"TagKey": key, "TagValue": value}


def tags(kms, key):
    answer = kms.list_resource_tags(KeyId=key["KeyId"])
    assert answer["Truncated"] is False
    assert "NextMarker" not in answer
    return {entry["TagKey"]: entry["TagValue"] for entry in answer["Tags"]}


# ---------------------------------------------------------------------------------- tags


@pytest.mark.parametrize("form", ["KeyId", "Arn"])
def test_tags_are_added_replaced_and_removed(kms, form, new_key):
    key = new_key(Tags=[tag("Team", "a")])
    kms.tag_resource(KeyId=key[form], Tags=[tag("Env", "test"), tag("env", "other case"), tag("Empty")])
    kms.tag_resource(KeyId=key[form], Tags=[tag("Team", "b")])
    assert tags(kms, key) == {"Team": "b", "Env": "test", "env": "other case", "Empty": ""}
    kms.untag_resource(KeyId=key[form], TagKeys=["Env", "never there"])
    assert tags(kms, key) == {"Team": "b", "env": "other case", "Empty": ""}


def test_tags_are_no_part_of_the_metadata(kms, new_key):
    key = new_key(Tags=[tag("Team", "a")])
    assert "Tags" not in kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]


def test_a_key_without_tags_lists_none(kms, new_key):
    assert tags(kms, new_key()) == {}


def test_tag_errors_are_in_awss_words(kms, refused, new_key):
    key = new_key(Tags=[tag("kept", "as it is")])
    for given, message in (
        ([tag("a", "1"), tag("a", "2")], "Duplicate tag keys"),
        ([tag(f"k{number}") for number in range(51)], "Too many tags"),
        ([tag("aws:mine", "1")], "Tags beginning with aws: are reserved"),
        ([tag("AWS:Mine", "1")], "Tags beginning with aws: are reserved"),
        ([tag("Owner", "My & My Team")], "Invalid tag"),
        ([tag("a\tb")], "Invalid tag"),
    ):
        with refused("TagException", message):
            kms.tag_resource(KeyId=key["KeyId"], Tags=given)
        with refused("TagException", message):
            kms.create_key(Tags=given)
    with refused("TagException", "Tags beginning with aws: are reserved"):
        kms.untag_resource(KeyId=key["KeyId"], TagKeys=["aws:mine"])
    assert tags(kms, key) == {"kept": "as it is"}


def test_tags_have_letters_numbers_spaces_and_a_few_signs(kms, new_key):
    every = {"Größe 1": "東京 ٣", "_.:/=+-@": " "}
    assert tags(kms, new_key(Tags=[tag(*pair) for pair in every.items()])) == every


def test_fifty_tags_are_the_most_over_several_calls(kms, refused, new_key):
    key = new_key(Tags=[tag(f"k{number}") for number in range(49)])
    kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("k49")])
    kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("k0", "replaced")])
    with refused("TagException", "Too many tags"):
        kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("k50")])
    assert len(tags(kms, key)) == 50


def test_long_tags_are_validation_errors_at_their_place(kms, refused, new_key):
    key = new_key()
    long_key, long_value = "k" * 129, "v" * 257
    words = "1 validation error detected: Value '{}' at 'tags.{}.member.{}' failed to satisfy constraint: "
    with refused(
        "ValidationException",
        words.format(long_key, 1, "tagKey") + "Member must have length less than or equal to 128",
    ):
        kms.tag_resource(KeyId=key["KeyId"], Tags=[tag(long_key)])
    with refused(
        "ValidationException",
        words.format(long_value, 2, "tagValue") + "Member must have length less than or equal to 256",
    ):
        kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("a"), tag("b", long_value)])


def test_tags_come_in_pages(kms, refused, new_key):
    key = new_key(Tags=[tag(f"k{number}", str(number)) for number in range(7)])
    found, page = [], kms.list_resource_tags(KeyId=key["Arn"], Limit=3)
    while page["Truncated"]:
        assert len(page["Tags"]) == 3
        found += page["Tags"]
        page = kms.list_resource_tags(KeyId=key["Arn"], Limit=3, Marker=page["NextMarker"])
    assert "NextMarker" not in page
    found += page["Tags"]
    assert found == [tag(f"k{number}", str(number)) for number in range(7)]
    with refused("InvalidMarkerException"):
        kms.list_resource_tags(KeyId=key["KeyId"], Marker="nonsense")
    given, other = kms.list_resource_tags(KeyId=key["KeyId"], Limit=3)["NextMarker"], new_key()
    for elsewhere in (kms.list_resource_tags, kms.list_key_policies, kms.list_key_rotations):
        with refused("InvalidMarkerException"):
            elsewhere(KeyId=other["KeyId"], Marker=given)


def test_tags_follow_the_keys_state(kms, refused, new_key):
    key = new_key(Tags=[tag("a", "1")])
    kms.disable_key(KeyId=key["KeyId"])
    kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("a", "2")])
    kms.schedule_key_deletion(KeyId=key["KeyId"])
    with refused("KMSInvalidStateException", f"{key['Arn']} is pending deletion."):
        kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("a", "3")])
    with refused("KMSInvalidStateException", f"{key['Arn']} is pending deletion."):
        kms.untag_resource(KeyId=key["KeyId"], TagKeys=["a"])
    assert tags(kms, key) == {"a": "2"}


def test_tags_take_no_aliases_and_stay_in_their_account(kms, server, refused, new_key):
    key = new_key()
    kms.create_alias(AliasName="alias/tagged", TargetKeyId=key["KeyId"])
    with refused("NotFoundException", "Invalid keyId 'alias/tagged'"):
        kms.tag_resource(KeyId="alias/tagged", Tags=[tag("a", "1")])
    with refused("NotFoundException", "Invalid keyId 'alias/tagged'"):
        kms.list_resource_tags(KeyId="alias/tagged")
    stranger = server.client("kms", account="444455556666")
    with refused("AccessDeniedException"):
        stranger.list_resource_tags(KeyId=key["Arn"])


def test_a_policy_can_rule_over_tags(kms, refused, new_key):
    key = new_key()
    allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": ["kms:TagResource", "kms:UntagResource"],
        "Resource": "*",
        "Condition": {"ForAnyValue:StringEquals": {"aws:TagKeys": "Secret"}},
    }
    fixed = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "kms:TagResource",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:RequestTag/Team": "other"}},
    }
    document = {"Version": "2012-10-17", "Statement": [allow, deny, fixed]}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(document))
    kms.tag_resource(KeyId=key["KeyId"], Tags=[tag("Team", "mine")])
    for given in ([tag("Secret", "x")], [tag("Fine"), tag("Secret")], [tag("Team", "other")]):
        with refused("AccessDeniedException"):
            kms.tag_resource(KeyId=key["KeyId"], Tags=given)
    with refused("AccessDeniedException"):
        kms.untag_resource(KeyId=key["KeyId"], TagKeys=["Secret"])
    assert tags(kms, key) == {"Team": "mine"}


# ------------------------------------------------------------------------------ policies


def test_the_default_policy_is_awss_own(kms, new_key):
    key = new_key()
    answer = kms.get_key_policy(KeyId=key["KeyId"])
    assert answer["PolicyName"] == "default"
    assert "\n" in answer["Policy"]
    document = json.loads(answer["Policy"])
    assert document["Id"] == "key-default-1"
    (statement,) = document["Statement"]
    assert statement == {
        "Sid": "Enable IAM User Permissions",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{key['AWSAccountId']}:root"},
        "Action": "kms:*",
        "Resource": "*",
    }


def test_a_policy_is_kept_byte_for_byte(kms, new_key):
    key = new_key()
    text = kms.get_key_policy(KeyId=key["KeyId"])["Policy"].replace("\n", "\r\n\t") + " "
    kms.put_key_policy(KeyId=key["KeyId"], PolicyName="default", Policy=text)
    assert kms.get_key_policy(KeyId=key["Arn"], PolicyName="default")["Policy"] == text


def test_the_one_policy_is_called_default(kms, refused, new_key):
    key = new_key()
    names = kms.list_key_policies(KeyId=key["KeyId"])
    assert names["PolicyNames"] == ["default"]
    assert names["Truncated"] is False
    assert "NextMarker" not in names
    with refused("InvalidMarkerException"):
        kms.list_key_policies(KeyId=key["KeyId"], Marker="nonsense")
    text = kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    for name in ("other", "AWS_RAM"):
        with refused("NotFoundException", "No such policy exists"):
            kms.get_key_policy(KeyId=key["KeyId"], PolicyName=name)
    with refused("NotFoundException", "No such policy exists"):
        kms.put_key_policy(KeyId=key["KeyId"], PolicyName="other", Policy=text)
    with refused("ValidationException", "The AWS_RAM policy can only be managed by the RAM service"):
        kms.put_key_policy(KeyId=key["KeyId"], PolicyName="AWS_RAM", Policy=text)


def test_a_policy_must_be_one_and_leave_the_caller_in(kms, server, refused, new_key):
    key = new_key()
    before = kms.get_key_policy(KeyId=key["KeyId"])["Policy"]
    for text in ("not json", "[]", "{}", '{"Statement": []}'):
        with refused("MalformedPolicyDocumentException"):
            kms.put_key_policy(KeyId=key["KeyId"], Policy=text)
        with refused("MalformedPolicyDocumentException"):
            kms.create_key(Policy=text)
    locked = before.replace("kms:*", "kms:Describe*")
    message = "The new key policy will not allow you to update the key policy in the future."
    message += " It leaves that to nobody."
    with refused("MalformedPolicyDocumentException", message):
        kms.put_key_policy(KeyId=key["KeyId"], Policy=locked)
    with refused("LimitExceededException"):
        kms.put_key_policy(KeyId=key["KeyId"], Policy=before + " " * 32768)
    assert kms.get_key_policy(KeyId=key["KeyId"])["Policy"] == before
    kms.put_key_policy(KeyId=key["KeyId"], Policy=locked, BypassPolicyLockoutSafetyCheck=True)
    with refused("AccessDeniedException"):
        kms.get_key_policy(KeyId=key["KeyId"])
    assert kms.describe_key(KeyId=key["KeyId"])["KeyMetadata"]["KeyId"] == key["KeyId"]
    with refused("AccessDeniedException"):
        server.client("kms", account="444455556666").get_key_policy(KeyId=key["Arn"])


def test_a_policy_condition_can_ask_for_the_policys_name(kms, refused, new_key):
    key = new_key()
    allow = {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}
    deny = {
        "Effect": "Deny",
        "Principal": {"AWS": "*"},
        "Action": "kms:GetKeyPolicy",
        "Resource": "*",
        "Condition": {"StringNotEquals": {"kms:PolicyName": "default"}},
    }
    document = {"Version": "2012-10-17", "Statement": [allow, deny]}
    kms.put_key_policy(KeyId=key["KeyId"], Policy=json.dumps(document))
    assert kms.get_key_policy(KeyId=key["KeyId"])["PolicyName"] == "default"
    with refused("AccessDeniedException"):
        kms.get_key_policy(KeyId=key["KeyId"], PolicyName="AWS_RAM")
