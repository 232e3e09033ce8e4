"""What the reference page of events says: which members an operation's event shows, and which it hides.

`generate_docs.py` writes the page. How a table is written says `reference_pages.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from keystead.api.service import Service
from keystead.audit.redact import paths_of
from keystead.audit.rules import HIDDEN, Paths, rule_of
from keystead.tlog.names import EVENT_NAMES
from reference_operations import SERVICES
from reference_pages import mark, table


def folded(paths: Iterable[str]) -> str:
    """Paths in code type, those of one structure as `tags{tagKey, tagValue}`."""
    parts = (path.partition(".") for path in dict.fromkeys(paths))
    shown = []
    for name, group in groupby(parts, key=lambda part: part[0]):
        rests = [rest for _, _, rest in group if rest]
        shown.append(f"{name}{{{plain(rests)}}}" if rests else name)
    return ", ".join(f"`{text}`" for text in shown)


def plain(paths: Paths | list[str]) -> str:
    """The same within a structure."""
    return folded(paths).replace("`", "")


def event_rows(service: Service) -> Iterator[list[str]]:
    """A row for each operation that a service answers."""
    for name in sorted(service.operations):
        rule, shape = rule_of(service.name, name), service.model.operations[name]
        request, hidden, response = paths_of(rule, shape.input, shape.output)
        told = folded(request) + (f"; hidden: {folded(hidden)}" if hidden else "")
        yield [f"`{name}`", mark(rule.read_only), told, folded(response)]


def events() -> str:
    """The page of events."""
    head = ("Operation", "Read only", "requestParameters", "responseElements")
    parts = [f"## {part.title}\n\n{table(head, event_rows(part.service))}" for part in SERVICES]
    return INTRODUCTION + "\n\n" + "\n\n".join(parts)


RENAMED = ", ".join(f"`{name}` of {operation}" for operation, name in sorted(EVENT_NAMES.items()))

INTRODUCTION = f"""# Events

One JSON object for each call, as AWS CloudTrail writes it, in the account of its caller; a call that acts on keys or
roles of another account has one there too, with the same `sharedEventID` and `requestID`, where the caller is an
`AWSAccount` without names. A denied call is told to its caller's account only.

Every event has `eventVersion`, `userIdentity`, `eventTime`, `eventSource`, `eventName`, `awsRegion`,
`sourceIPAddress`, `userAgent`, `requestParameters`, `responseElements`, `eventID`, `readOnly`, `eventType`,
`managementEvent`, `recipientAccountId` and `eventCategory`; those of calls also `requestID`. When there is something
to tell: `errorCode`, `errorMessage`, `additionalEventData` (`keyMaterialId`, of ReEncrypt `sourceKeyMaterialId` and
`destinationKeyMaterialId`; `recipient` of an attested caller), `resources`, `sharedEventID`, and `tlsDetails` of an
encrypted connection. What the service does by itself (`RotateKey`, `DeleteKey`, `DeleteExpiredKeyMaterial`,
`SynchronizeMultiRegionKey`, `CreateKey` of a service's default key) is an `AwsServiceEvent` with
`serviceEventDetails`.

The tables name every member of a request or an answer that an event may show; what they do not name is in no event.
Members are shown when they were sent or answered; *hidden* ones then read `{HIDDEN}`. A denied
call shows neither requestParameters (but of S3) nor responseElements, a failed one no responseElements. Encryption
contexts, aliases, descriptions, tags and policies are shown in plain text: put no secret there.

Events of S3 also have `Host` among requestParameters, the parameter that says which operation it is (`acl`, `list-type`),
and of a presigned URL `X-Amz-Algorithm`, `X-Amz-Date`, `X-Amz-Expires` and `X-Amz-SignedHeaders`; in `additionalEventData`
they have `SignatureVersion`, `AuthenticationMethod`, `CipherSuite`, `x-amz-id-2`, and of a call that succeeded
`bytesTransferredIn`, `bytesTransferredOut` and, of a new object, `SSEApplied`. Some are not called as their operation: {RENAMED};
that of a form is `PostObject`."""
