"""Who gets a role's session, and what it carries."""

import json

import pytest
from callers import refused, session_client

from keystead.testing.people import allow, deny

ACCOUNT, OTHER = "000000000000", "222222222222"


def trust(*actions, principal=None, **conditions):
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": {"AWS": principal or ACCOUNT},
                "Action": list(actions or ("sts:AssumeRole",)),
                **({"Condition": conditions} if conditions else {}),
            }
        ],
    }


def assume(person, role, name="session", **members):
    return person.client("sts").assume_role(
        RoleArn=getattr(role, "arn", role), RoleSessionName=name, **members
    )


class Assumed:
    """A session that STS gave out, as a principal of the tests."""

    def __init__(self, server, answer):
        self.server, self.answer = server, answer

    def client(self, service):
        return session_client(self.server, self.answer, service)


def test_a_session_is_named_and_ends(fresh_server):
    server = fresh_server
    role = server.role("Worker", {"all": allow("kms:*")}, trust=trust())
    user = server.user("ann", {"assume": allow("sts:AssumeRole", resource=role.arn)})
    before = int(server.clock.now())
    answer = assume(user, role, "shift-1", DurationSeconds=900)
    assert answer["AssumedRoleUser"] == {
        "AssumedRoleId": f"{role.id}:shift-1",
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/Worker/shift-1",
    }
    assert answer["Credentials"]["AccessKeyId"].startswith("ASIA")
    ends = answer["Credentials"]["Expiration"].timestamp() - 900
    assert before <= ends <= server.clock.now()
    assert "PackedPolicySize" not in answer
    assert "SourceIdentity" not in answer
    worker = session_client(server, answer)
    assert worker.get_caller_identity()["Arn"] == answer["AssumedRoleUser"]["Arn"]
    session_client(server, answer, "kms").list_keys()
    server.advance(901)
    assert refused(worker.get_caller_identity)[0] == "ExpiredToken"


def test_naming_the_account_needs_an_identity_policy_and_naming_the_user_does_not(server):
    by_account = server.role("ByAccount", trust=trust())
    plain = server.user("plain")
    assert refused(assume, plain, by_account)[0] == "AccessDenied"
    allowed = server.user("allowed", {"assume": allow("sts:AssumeRole", resource=by_account.arn)})
    assume(allowed, by_account)
    by_name = server.role("ByName", trust=trust(principal=plain.arn))
    assume(plain, by_name)
    assert refused(assume, allowed, by_name)[0] == "AccessDenied"


def test_across_accounts_both_sides_must_allow(server):
    named = server.user("traveller", account=OTHER)
    role = server.role("Abroad", trust=trust(principal=named.arn))
    assert refused(assume, named, role)[0] == "AccessDenied"
    both = server.user("guest", {"assume": allow("sts:AssumeRole", resource="*")}, account=OTHER)
    assert refused(assume, both, role)[0] == "AccessDenied"
    open_role = server.role("Open", trust=trust(principal=OTHER))
    assume(both, open_role)


FRESH = {"eventID", "eventTime", "requestID", "sharedEventID"}


def outcome(server, user, role_arn):
    """What the caller is told, what is recorded, and what an account that is not the role's finds out."""
    before = len(server.events())
    answer = refused(assume, user, role_arn)
    (event,) = [event for event in server.events()[before:] if event["eventName"] == "AssumeRole"]
    shown = {name: value for name, value in event.items() if name not in FRESH}
    found = explained(server, event) if OTHER in user.arn else None
    return tuple(str(each).replace(role_arn, "ROLE") for each in (answer, shown, found))


def explained(server, event):
    root = server.client_of(server.root(OTHER), "sts")
    told = root.decode_authorization_message(EncodedMessage=event["requestID"])
    decoded = json.loads(told["DecodedMessage"])
    of_the_time = {"aws:currenttime", "aws:epochtime"}
    conditions = decoded["context"].pop("conditions")["items"]
    return decoded, [row for row in conditions if row["key"] not in of_the_time]


def test_a_role_that_is_not_there_answers_like_one_that_is_closed(server):
    closed = server.role("Closed", trust=trust(principal=OTHER))
    for account in (ACCOUNT, OTHER):
        user = server.user("prober", {"assume": allow("sts:AssumeRole")}, account=account)
        if account == OTHER:
            closed = server.role("Closed2", trust=trust())
        said = f"User: {user.arn} is not authorized to perform: sts:AssumeRole on resource: {closed.arn}"
        assert refused(assume, user, closed) == ("AccessDenied", said)
        assert outcome(server, user, closed.arn) == outcome(server, user, closed.arn + "-not")


def test_a_role_that_denies_answers_like_one_that_is_not_there(server):
    user = server.user("denied", {"assume": allow("sts:AssumeRole")}, account=OTHER)
    denying = {**trust(principal=user.arn)["Statement"][0], "Effect": "Deny"}
    role = server.role("Denying", trust={"Version": "2012-10-17", "Statement": [denying]})
    assert outcome(server, user, role.arn) == outcome(server, user, role.arn + "-not")


def test_an_explicit_deny_wins(server):
    user = server.user("torn", {"no": deny("sts:AssumeRole")})
    role = server.role("Torn", trust=trust(principal=user.arn))
    assert refused(assume, user, role)[0] == "AccessDenied"


def test_a_user_of_the_same_name_made_later_is_not_trusted(server):
    user = server.user("fleeting")
    role = server.role("Bound", trust=trust(principal=user.arn))
    assume(user, role)
    from keystead.api.directory import NAMES, USERS, name_place

    def delete(tx):
        tx.delete(USERS, f"{ACCOUNT}/{user.id}")
        tx.delete(NAMES, name_place("user", ACCOUNT, "fleeting"))

    server.store.run(delete)
    assert refused(assume, user, role)[0] == "InvalidClientTokenId"
    assert refused(assume, server.user("fleeting"), role)[0] == "AccessDenied"


def test_the_root_may_not_assume_roles(server):
    role = server.role("NotForRoot", trust=trust())
    assert refused(assume, server.root(), role) == (
        "AccessDenied",
        "Roles may not be assumed by root accounts.",
    )


@pytest.mark.parametrize(
    "role_arn",
    [
        "arn:aws:iam::000000000000",
        "no-arn-at-all-but-long",
        "arn:aws:iam::000000000000:user/ann",
        "arn:aws:iam::000000000000:role/",
    ],
)
def test_only_arns_of_roles_are_taken(server, role_arn):
    user = server.user("typo", {"assume": allow("sts:AssumeRole")})
    assert refused(assume, user, role_arn)[0] == "ValidationError"


@pytest.mark.parametrize(
    ("key", "wanted", "members"),
    [
        ("sts:ExternalId", "deal-7", {"ExternalId": "deal-7"}),
        ("sts:RoleSessionName", "session", {}),
        ("aws:RequestTag/team", "blue", {"Tags": [{"Key": "team", "Value": "blue"}]}),
        ("sts:SourceIdentity", "ann", {"SourceIdentity": "ann"}),
    ],
)
def test_conditions_of_the_trust_policy_see_the_request(server, key, wanted, members):
    actions = ("sts:AssumeRole", "sts:TagSession", "sts:SetSourceIdentity")
    user = server.user("conditional")
    name = "On" + key.replace(":", "-").replace("/", "-")
    role = server.role(name, trust=trust(*actions, principal=user.arn, StringEquals={key: wanted}))
    wrong = server.role(name + "Not", trust=trust(*actions, principal=user.arn, StringEquals={key: "other"}))
    assume(user, role, **members)
    assert refused(assume, user, wrong, **members)[0] == "AccessDenied"
    if members:
        assert refused(assume, user, role)[0] == "AccessDenied"


def test_lists_of_tag_keys_can_be_bounded(server):
    user = server.user("tagger")
    condition = {
        "ForAllValues:StringEquals": {"sts:TransitiveTagKeys": ["team"], "aws:TagKeys": ["team", "job"]}
    }
    role = server.role(
        "Tagged", trust=trust("sts:AssumeRole", "sts:TagSession", principal=user.arn, **condition)
    )
    tags = [{"Key": "team", "Value": "a"}, {"Key": "job", "Value": "b"}]
    assume(user, role, Tags=tags, TransitiveTagKeys=["team"])
    assert refused(assume, user, role, Tags=tags, TransitiveTagKeys=["job"])[0] == "AccessDenied"
    assert refused(assume, user, role, Tags=[{"Key": "x", "Value": ""}])[0] == "AccessDenied"


def test_tags_and_source_identity_take_permissions_of_their_own(server):
    user = server.user("bare")
    role = server.role("Bare", trust=trust(principal=user.arn))
    assume(user, role)
    code, message = refused(assume, user, role, Tags=[{"Key": "a", "Value": "b"}])
    assert code == "AccessDenied"
    assert "sts:TagSession" in message
    code, message = refused(assume, user, role, SourceIdentity="ann")
    assert code == "AccessDenied"
    assert "sts:SetSourceIdentity" in message


def test_a_session_lasts_no_longer_than_the_role_allows(server):
    user = server.user("patient")
    role = server.role("Hours", trust=trust(principal=user.arn), max_session=7200)
    assume(user, role, DurationSeconds=7200)
    assert refused(assume, user, role, DurationSeconds=7201) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the MaxSessionDuration set for this role.",
    )
    assert refused(assume, user, role, DurationSeconds=899)[0] == "ValidationError"
    assert refused(assume, user, role, DurationSeconds=43201)[0] == "ValidationError"


def test_chained_sessions_last_an_hour_at_most(server):
    user = server.user("chain")
    first = server.role("First", {"assume": allow("sts:AssumeRole")}, trust=trust(principal=user.arn))
    second = server.role("Second", trust=trust(principal=first.arn), max_session=43200)
    step = Assumed(server, assume(user, first))
    assume(step, second, DurationSeconds=3600)
    assert refused(assume, step, second, DurationSeconds=3601) == (
        "ValidationError",
        "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining",
    )


def test_transitive_tags_go_along_the_chain_and_the_others_do_not(server):
    user = server.user("herald")
    actions = ("sts:AssumeRole", "sts:TagSession")
    first = server.role("Tag1", trust=trust(*actions, principal=user.arn))
    second = server.role("Tag2", trust=trust(*actions, principal=first.arn))
    wants = {"StringEquals": {"aws:PrincipalTag/team": "red"}, "Null": {"aws:PrincipalTag/job": "true"}}
    third = server.role("Tag3", trust=trust(*actions, principal=second.arn, **wants))
    tags = [{"Key": "team", "Value": "red"}, {"Key": "job", "Value": "dye"}]
    one = Assumed(server, assume(user, first, Tags=tags, TransitiveTagKeys=["team"]))
    two = Assumed(server, assume(one, second))
    assume(two, third)
    code, message = refused(assume, two, third, Tags=[{"Key": "TEAM", "Value": "blue"}])
    assert (code, "conflicts with a transitive tag" in message) == ("InvalidParameterValue", True)
    closed = server.role("Tag4", trust=trust(principal=second.arn))
    assert "sts:TagSession" in refused(assume, two, closed)[1]


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"Tags": [{"Key": "a", "Value": "1"}, {"Key": "A", "Value": "2"}]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": "aws:x", "Value": "1"}]}, "ValidationError"),
        ({"TransitiveTagKeys": ["a"]}, "InvalidParameterValue"),
        ({"Tags": [{"Key": f"k{i}", "Value": ""} for i in range(51)]}, "ValidationError"),
    ],
)
def test_tags_that_cannot_be_are_refused(server, members, code):
    user = server.user("sloppy")
    role = server.role("Sloppy", trust=trust("sts:AssumeRole", "sts:TagSession", principal=user.arn))
    assert refused(assume, user, role, **members)[0] == code


def test_a_source_identity_stays_along_the_chain(server):
    user = server.user("diver")
    actions = ("sts:AssumeRole", "sts:SetSourceIdentity")
    first = server.role("Id1", trust=trust(*actions, principal=user.arn))
    second = server.role("Id2", trust=trust(*actions, principal=first.arn))
    unset = server.role("Id3", trust=trust(principal=first.arn))
    answer = assume(user, first, SourceIdentity="diver.d")
    assert answer["SourceIdentity"] == "diver.d"
    one = Assumed(server, answer)
    assert assume(one, second)["SourceIdentity"] == "diver.d"
    assert assume(one, second, SourceIdentity="diver.d")["SourceIdentity"] == "diver.d"
    assert refused(assume, one, second, SourceIdentity="other")[0] == "AccessDenied"
    assert "sts:SetSourceIdentity" in refused(assume, one, unset)[1]
    two = session_client(server, assume(one, second))
    two.get_caller_identity()
    assert refused(assume, user, first, SourceIdentity="aws:me")[0] == "ValidationError"


POLICY = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:ListKeys","Resource":"*"}]}'


def test_session_policies_only_take_away(server):
    user = server.user("cautious")
    role = server.role("Wide", {"all": allow("kms:*")}, trust=trust(principal=user.arn))
    answer = assume(user, role, Policy=POLICY)
    assert 1 <= answer["PackedPolicySize"] <= 100
    kms = session_client(server, answer, "kms")
    kms.list_keys()
    assert "session policy" in refused(kms.create_key)[1]
    narrow = server.role("Narrow", {"no": allow("kms:ListAliases")}, trust=trust(principal=user.arn))
    kms = session_client(server, assume(user, narrow, Policy=POLICY), "kms")
    assert refused(kms.list_keys)[0] == "AccessDeniedException"


def test_managed_policies_can_be_session_policies(server):
    user = server.user("arranged")
    role = server.role("Managed", {"all": allow("kms:*")}, trust=trust(principal=user.arn))
    deny_all = {"arn": "arn:aws:iam::aws:policy/AWSDenyAll"}
    missing = {"arn": f"arn:aws:iam::{ACCOUNT}:policy/nowhere"}
    foreign = {"arn": f"arn:aws:iam::{OTHER}:policy/nowhere"}
    assert refused(assume, user, role, PolicyArns=[missing])[0] == "MalformedPolicyDocument"
    assert refused(assume, user, role, PolicyArns=[foreign])[0] == "ValidationError"
    assert refused(assume, user, role, PolicyArns=[missing] * 11)[0] == "ValidationError"
    kms = session_client(server, assume(user, role, PolicyArns=[deny_all]), "kms")
    assert refused(kms.list_keys)[0] == "AccessDeniedException"


@pytest.mark.parametrize(
    "policy", ["no json", '{"Version":"2012-10-17"}', '{"Statement":[{"Effect":"Maybe"}]}']
)
def test_what_is_no_policy_is_refused(server, policy):
    user = server.user("scribbler")
    role = server.role("Scribbled", trust=trust(principal=user.arn))
    assert refused(assume, user, role, Policy=policy)[0] == "MalformedPolicyDocument"


def test_policies_and_tags_have_their_limits(server):
    import secrets

    user = server.user("verbose")
    role = server.role("Verbose", trust=trust("sts:AssumeRole", "sts:TagSession", principal=user.arn))
    tags = [{"Key": secrets.token_hex(60), "Value": secrets.token_hex(120)} for _ in range(50)]
    code, message = refused(assume, user, role, Tags=tags)
    assert code == "PackedPolicyTooLarge"
    assert message.startswith("Packed size of session tags consumes ")
    assert message.endswith("% of allotted space.")
    few = assume(user, role, Tags=tags[:5])["PackedPolicySize"]
    more = assume(user, role, Tags=tags[:10])["PackedPolicySize"]
    assert 0 < few < more <= 100
    long = POLICY.replace("kms:ListKeys", "kms:" + "A" * 2048)
    assert refused(assume, user, role, Policy=long)[0] in {"PackedPolicyTooLarge", "MalformedPolicyDocument"}


def test_a_deleted_role_ends_its_sessions(server):
    from keystead.api.directory import NAMES, ROLES, name_place

    user = server.user("orphan")
    role = server.role("Gone", trust=trust(principal=user.arn))
    worker = session_client(server, assume(user, role))
    worker.get_caller_identity()

    def delete(tx):
        tx.delete(ROLES, f"{ACCOUNT}/{role.id}")
        tx.delete(NAMES, name_place("role", ACCOUNT, "Gone"))

    server.store.run(delete)
    assert refused(worker.get_caller_identity)[0] == "InvalidClientTokenId"


def test_a_changed_trust_policy_counts_at_once_and_sessions_go_on(server):
    import msgspec

    from keystead.api.directory import ROLES

    user = server.user("former")
    role = server.role("Changed", trust=trust(principal=user.arn))
    worker = session_client(server, assume(user, role))
    place = f"{ACCOUNT}/{role.id}"
    nobody = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Deny","Principal":"*","Action":"sts:AssumeRole"}]}'
    )
    server.store.run(
        lambda tx: tx.put(ROLES, place, msgspec.structs.replace(tx.get(ROLES, place), trust=nobody))
    )
    assert refused(assume, user, role)[0] == "AccessDenied"
    worker.get_caller_identity()


def test_nothing_secret_is_recorded(fresh_server):
    server = fresh_server
    user = server.user("recorded")
    role = server.role("Recorded", trust=trust(principal=user.arn))
    given = assume(user, role)["Credentials"]
    events = [event for event in server.events() if event["eventName"] == "AssumeRole"]
    assert len(events) == 1
    text = str(events)
    assert given["SecretAccessKey"] not in text
    assert given["SessionToken"] not in text
    assert events[0]["eventSource"] == "sts.amazonaws.com"


def test_contexts_of_identity_center_are_not_supported(server):
    user = server.user("centered")
    role = server.role("Centered", trust=trust(principal=user.arn))
    contexts = [{"ProviderArn": "arn:aws:iam::aws:contextProvider/x", "ContextAssertion": "text"}]
    code, message = refused(assume, user, role, ProvidedContexts=contexts)
    assert code == "ValidationError"
    assert "not supported" in message
