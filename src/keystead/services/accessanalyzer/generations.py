"""StartPolicyGeneration, GetGeneratedPolicy, ListPolicyGenerations, CancelPolicyGeneration.

The events of the server's own log are read, within the times and Regions that the request names; the trails must be there, and
the role must be one that Access Analyzer can take on and the caller may pass, as AWS has it. A job is done when it is answered.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import role_named, user_named
from keystead.api.operation import always
from keystead.api.people import trust_policy
from keystead.arn import account_in
from keystead.entropy import new_uuid
from keystead.policy import AuthorizationRequest, Policies, Principal, ResourceDescription, decide
from keystead.services.accessanalyzer.access import on_any, page
from keystead.services.accessanalyzer.generated import Asked, TooManyEventsError, did, lost, policy_of
from keystead.services.accessanalyzer.tables import GENERATIONS, Generation, Reviewed
from keystead.wire.models import accessanalyzer as wire

SERVICE: Final = "access-analyzer.amazonaws.com"
SUCCEEDED: Final = "SUCCEEDED"
FAILED: Final = "FAILED"
_NOT_FOUND: Final = "RESOURCE_NOT_FOUND_ERROR"


def _on_role(call: Call, request: wire.StartPolicyGenerationRequest) -> tuple[Target, ...]:
    """The operation's own permission, and that to pass the role which it names."""
    start = Target("access-analyzer:StartPolicyGeneration", "*", call.account)
    role = request.cloud_trail_details.access_role if request.cloud_trail_details is not None else None
    if not role:
        return (start,)
    passed = Target("iam:PassRole", role, call.account, facts={"iam:PassedToService": SERVICE})
    return (start, passed)


@operation("StartPolicyGeneration", targets=_on_role, changes=True, slow=always)
def start_policy_generation(
    call: Call, request: wire.StartPolicyGenerationRequest, *_targets: Target
) -> wire.StartPolicyGenerationResponse:
    """Make a policy of what a user or role did; it is there when this answers."""
    details = request.policy_generation_details or wire.PolicyGenerationDetails()
    arn, token = details.principal_arn or "", request.client_token or ""
    made = next((one for one in _all(call) if token and one.token == token), None)
    if made is None:
        made = _made(call, arn, token, _reviewed(call, request.cloud_trail_details))
        call.tx.insert(GENERATIONS, f"{call.account}/{call.region}/{made.id}", made)
    return wire.StartPolicyGenerationResponse(job_id=made.id)


def _reviewed(call: Call, given: wire.CloudTrailDetails | None) -> Reviewed | None:
    """What of the log is asked for; None for all of it.

    Raises:
        errors.Validation: the times are none.
    """
    if given is None:
        return None
    since, until = given.start_time or 0.0, call.now if given.end_time is None else given.end_time
    if since > until:
        raise errors.Validation("startTime must not be after endTime.")
    if not given.trails:
        raise errors.Validation("trails must name a trail.")
    return Reviewed(
        role=given.access_role or "",
        since=since,
        until=until,
        trails=tuple(one.cloud_trail_arn or "" for one in given.trails),
        regions=tuple(tuple(one.regions or ()) for one in given.trails),
        everywhere=tuple(bool(one.all_regions) for one in given.trails),
    )


def _made(call: Call, arn: str, token: str, reviewed: Reviewed | None) -> Generation:
    """The job, done.

    Raises:
        errors.Validation: the principal is none of the account.
    """
    principal = _principal(call, arn)
    if principal is None:
        raise errors.Validation(f"{arn} is no user or role of this account.")
    job = Generation(
        id=new_uuid(call.entropy), principal=arn, token=token, started=call.now, completed=call.now,
        status=SUCCEEDED, reviewed=reviewed,
    )  # fmt: skip
    for code, message in _complaints(call, reviewed):
        return _failed(job, code, message)
    try:
        done = did(call.trails.index, _asked(arn, reviewed))
    except TooManyEventsError:
        return _failed(
            job, "SERVICE_QUOTA_EXCEEDED_ERROR", "There are too many events: ask for a shorter time."
        )
    narrow, wide = policy_of(done, templates=False), policy_of(done, templates=True)
    missing = [] if narrow is None else lost(narrow, principal, done)
    if missing:
        return _failed(job, "SERVICE_ERROR", f"The policy would not allow {', '.join(missing)}.")
    return msgspec.structs.replace(job, policy=narrow or "", template=wide or "", complete=not done.services)


def _failed(job: Generation, code: str, message: str) -> Generation:
    return msgspec.structs.replace(job, status=FAILED, code=code, message=message)


def _complaints(call: Call, reviewed: Reviewed | None) -> Iterator[tuple[str, str]]:
    """Why the log cannot be read as it is asked to be."""
    if reviewed is None:
        return
    role = role_named(call.tx, call.account, reviewed.role.rpartition("/")[2])
    if role is None or role.arn != reviewed.role:
        yield _NOT_FOUND, f"The role {reviewed.role} does not exist."
    elif not _takes_on(
        Principal(type="service", service=SERVICE), role.arn, Policies(resource=trust_policy(role))
    ):
        yield "AUTHORIZATION_ERROR", f"{SERVICE} cannot assume the role {reviewed.role}."
    for trail in reviewed.trails:
        if account_in(trail) != call.account or not call.trails.named(call.tx, trail):
            yield _NOT_FOUND, f"The trail {trail} does not exist."


def _takes_on(service: Principal, role: str, policies: Policies) -> bool:
    request = AuthorizationRequest(
        principal=service,
        action="sts:AssumeRole",
        resource=role,
        account=account_in(role),
        context={"aws:sourceaccount": account_in(role)},
        description=ResourceDescription(trust="keyPolicy"),
    )
    return decide(request, policies).allowed


def _asked(arn: str, reviewed: Reviewed | None) -> Asked:
    if reviewed is None:
        return Asked(arn)
    regions = [region for some in reviewed.regions for region in some]
    return Asked(
        arn, reviewed.since, reviewed.until, frozenset() if any(reviewed.everywhere) else frozenset(regions)
    )


def _principal(call: Call, arn: str) -> Principal | None:
    """The user or role of the caller's account."""
    name = arn.rpartition("/")[2]
    found = (user_named if ":user/" in arn else role_named)(call.tx, call.account, name)
    if found is None or found.arn != arn:
        return None
    return Principal(type="user", arn=arn, account=call.account, user_id=found.id, unique_id=found.id)


# --------------------------------------------------------------------------------- jobs


def _all(call: Call) -> list[Generation]:
    """The account's jobs of the Region, oldest first."""
    found = (one for _, one in call.tx.scan(GENERATIONS, f"{call.account}/{call.region}/"))
    return sorted(found, key=lambda one: (one.started, one.id))


def _existing(call: Call, job: str | None) -> Generation:
    """The job.

    Raises:
        errors.Validation: there is none; the model of these operations has no other error.
    """
    found = None if "\0" in (job or "") else call.tx.get(GENERATIONS, f"{call.account}/{call.region}/{job}")
    if found is None:
        raise errors.Validation(f"The policy generation {job} does not exist.")
    return found


@operation("GetGeneratedPolicy", targets=on_any("GetGeneratedPolicy"))
def get_generated_policy(
    call: Call, request: wire.GetGeneratedPolicyRequest, _any: Target
) -> wire.GetGeneratedPolicyResponse:
    """Return a job with its policy."""
    job = _existing(call, request.job_id)
    text = job.template if request.include_service_level_template else job.policy
    return wire.GetGeneratedPolicyResponse(
        job_details=wire.JobDetails(
            job_id=job.id,
            status=job.status,
            started_on=job.started,
            completed_on=job.completed,
            job_error=wire.JobError(code=job.code, message=job.message) if job.code else None,
        ),
        generated_policy_result=wire.GeneratedPolicyResult(
            properties=wire.GeneratedPolicyProperties(
                is_complete=job.complete,
                principal_arn=job.principal,
                cloud_trail_properties=_trails(job.reviewed),
            ),
            generated_policies=[wire.GeneratedPolicy(policy=text)] if text else [],
        ),
    )


def _trails(reviewed: Reviewed | None) -> wire.CloudTrailProperties | None:
    if reviewed is None:
        return None
    rows = zip(reviewed.trails, reviewed.regions, reviewed.everywhere, strict=True)
    return wire.CloudTrailProperties(
        trail_properties=[
            wire.TrailProperties(cloud_trail_arn=arn, regions=[*regions] or None, all_regions=everywhere)
            for arn, regions, everywhere in rows
        ],
        start_time=reviewed.since,
        end_time=reviewed.until,
    )


@operation("ListPolicyGenerations", targets=on_any("ListPolicyGenerations"))
def list_policy_generations(
    call: Call, request: wire.ListPolicyGenerationsRequest, _any: Target
) -> wire.ListPolicyGenerationsResponse:
    """Return the jobs, the newest first."""
    found = [one for one in reversed(_all(call)) if request.principal_arn in {None, one.principal}]
    shown, more = page(found, request)
    return wire.ListPolicyGenerationsResponse(
        policy_generations=[
            wire.PolicyGeneration(
                job_id=one.id,
                principal_arn=one.principal,
                status=one.status,
                started_on=one.started,
                completed_on=one.completed,
            )
            for one in shown
        ],
        next_token=more,
    )


@operation("CancelPolicyGeneration", targets=on_any("CancelPolicyGeneration"), changes=True)
def cancel_policy_generation(
    call: Call, request: wire.CancelPolicyGenerationRequest, _any: Target
) -> wire.CancelPolicyGenerationResponse:
    """Refuse: a job is done before anybody can cancel it."""
    job = _existing(call, request.job_id)
    raise errors.Validation(f"The policy generation {job.id} is {job.status} and cannot be canceled.")


OPERATIONS = (
    start_policy_generation,
    get_generated_policy,
    list_policy_generations,
    cancel_policy_generation,
)
