"""The story of default and custom keys: the same stolen role reads one and not the other."""

from __future__ import annotations

import json
import shlex
from typing import Any

from keystead.cli.demo.documents import BUCKET, Documents
from keystead.cli.demo.stage import Credentials, Stage
from keystead.cli.output import Failed

ACCOUNT = "000000000000"
PARTNER = "111122223333"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
LETTER = b"Dear partner, the merger is on for Friday."
INVOICE = b"Invoice 7: 1,200"
NEXT_INVOICE = b"Invoice 8: 340"
DEFAULT = "alias/aws/s3"
CUSTOM = "alias/documents"
DENIED = "AccessDenied"
GONE = "KMS.NotFoundException"


def play(stage: Stage) -> None:
    """Tell the whole story.

    Raises:
        Failed: something did not go as the story says.
    """
    Story(stage).play()


class Story:
    """The people of the story, and what happens to them, one chapter after the other."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.key = self.second = ""

    def play(self) -> None:
        """All chapters."""
        for chapter in (
            self.people,
            self.default_key,
            self.custom_key,
            self.stolen_role,
            self.separate_duties,
            self.partner,
            self.repoint,
            self.disable,
            self.shred,
        ):
            chapter()

    # ----------------------------------------------------------------------- chapters

    def people(self) -> None:
        """Three roles of one account, and a user of another one."""
        self.stage.chapter("The people")
        self.stage.say(
            "A company's account has three roles. App writes and reads documents. KeyAdmin looks after keys. "
            "Batch makes reports at night; it may read all objects, and has no permission for any key. The documents "
            "lie in a bucket, and S3 encrypts each under a key of KMS. A partner in another account may read in the "
            "bucket, too; its policy says so."
        )
        self.operator = self._user(ACCOUNT, self.stage.root, "operator", _allow("sts:AssumeRole"))
        self.app = self._role("App", "s3:PutObject", "s3:GetObject", "kms:GenerateDataKey", "kms:Decrypt")
        self.admin = self._role(
            "KeyAdmin", "s3:GetObject", "kms:CreateKey", "kms:CreateAlias", "kms:UpdateAlias"
        )
        self.batch = self._role("Batch", "s3:GetObject")
        partner_root = self._account(PARTNER)
        self.auditor = self._user(PARTNER, partner_root, "auditor", _allow("s3:GetObject", "kms:Decrypt"))
        self.documents = Documents(self.stage, _bucket_policy())
        self.stage.say("Now the worst case: somebody steals the credentials of Batch.")

    def default_key(self) -> None:
        """What the stolen role does with data under the default key."""
        self.stage.chapter("The default key")
        self.stage.say("App stores a letter, and leaves the choice of the key to S3: the default key.")
        self.documents.put(self.app, "letter", LETTER, None)
        self.stage.show("stored")
        self.stage.say(
            "The thief asks S3 for the letter, with the stolen role. The default key lets everybody in the account "
            "in, as long as they come through S3."
        )
        self._read(self.batch, "letter", LETTER)
        self.stage.say(
            "Can the default key be told not to do that? Nobody can change its policy, not even the root."
        )
        described = self.stage.quietly(self.stage.root, "kms", "describe_key", KeyId=DEFAULT)
        key = described["KeyMetadata"]["KeyId"]
        policy = _policy(("Deny", {"AWS": _role_arn("Batch")}, ["kms:Decrypt"], {}))
        self.stage.refused(self.stage.root, "kms", "put_key_policy", KeyId=key, Policy=policy)
        self.stage.say("Nor can it be disabled in an emergency, or shared.")
        self.stage.refused(self.stage.root, "kms", "disable_key", KeyId=key)

    def custom_key(self) -> None:
        """A key with a policy of the company's own."""
        self.stage.chapter("A custom key")
        self.stage.say(
            "KeyAdmin makes a key of the company's own. Its policy says: KeyAdmin administers it and cannot use it. "
            "App uses it and cannot administer it, and only through S3, and only for documents "
            "of the department 'finance'. The partner's account may decrypt those documents."
        )
        self.stage.file("finance.json", json.loads(custom_policy()))
        self.key = self._new_key()
        self.stage.run(self.admin, "kms", "create_alias", AliasName=CUSTOM, TargetKeyId=self.key)
        self.documents.put(self.app, "invoice", INVOICE, CUSTOM, department="finance")
        self.stage.show("stored")
        self._read(self.app, "invoice", INVOICE)

    def stolen_role(self) -> None:
        """The same theft again."""
        self.stage.chapter("The same stolen role again")
        self.stage.say("The thief asks for the invoice, just as before.")
        self._must(self.documents.get_refused(self.batch, "invoice") == DENIED)
        self.stage.say(
            "The thief takes the server's disk as well. What lies there, objects and records, is ciphertext."
        )
        self._search(INVOICE, LETTER)
        self.stage.say("The thief steals App's role, too. Directly, past S3, the key is closed to App.")
        bound = {"department": "finance"}
        self.stage.refused(
            self.app, "kms", "generate_data_key", KeyId=CUSTOM, KeySpec="AES_256", EncryptionContext=bound
        )
        self.stage.say(
            "And App cannot use the key for what it is not meant for: a document of another department."
        )
        self._must(self.documents.put_refused(self.app, "gossip", CUSTOM, department="rumours") == DENIED)

    def separate_duties(self) -> None:
        """Who administers a key does not use it, and the other way round."""
        self.stage.chapter("Separate duties")
        self.stage.say(
            "KeyAdmin looks after the key but cannot read what it protects, though it may read in the bucket. (It could "
            "let itself in by a new policy or a grant, and that leaves its event. Who must not be able to is given "
            "neither kms:PutKeyPolicy nor kms:CreateGrant.)"
        )
        self._must(self.documents.get_refused(self.admin, "invoice") == DENIED)
        self.stage.say("App reads what the key protects but cannot change who may do so.")
        self.stage.refused(self.app, "kms", "schedule_key_deletion", KeyId=self.key)

    def partner(self) -> None:
        """Sharing with another account, and with no other."""
        self.stage.chapter("Sharing")
        self.stage.say(
            "The key policy lets the partner's account decrypt, and the partner's own policy lets its auditor."
        )
        self._read(self.auditor, "invoice", INVOICE)
        self.stage.say("The letter under the default key cannot be shared at all.")
        self._must(self.documents.get_refused(self.auditor, "letter") == DENIED)

    def repoint(self) -> None:
        """A new key behind the same alias."""
        self.stage.chapter("A new key, and nobody notices")
        self.stage.say("KeyAdmin makes a second key and points the alias to it. App goes on as before.")
        self.second = self._new_key()
        self.stage.run(self.admin, "kms", "update_alias", AliasName=CUSTOM, TargetKeyId=self.second)
        answer = self.documents.put(self.app, "invoice-8", NEXT_INVOICE, CUSTOM, department="finance")
        self._must(answer["SSEKMSKeyId"].endswith(self.second))
        self.stage.show("stored, under the new key")
        self._read(self.app, "invoice", INVOICE)
        self._read(self.app, "invoice-8", NEXT_INVOICE)

    def disable(self) -> None:
        """An emergency stop."""
        self.stage.chapter("Stop")
        self.stage.say(
            "Something is wrong: KeyAdmin disables the first key. The very next request is refused."
        )
        self.stage.run(self.admin, "kms", "disable_key", KeyId=self.key)
        self._must(self.documents.get_refused(self.app, "invoice") == "KMS.DisabledException")
        self.stage.say("A false alarm: the key is enabled again, and the document is there.")
        self.stage.run(self.admin, "kms", "enable_key", KeyId=self.key)
        self._read(self.app, "invoice", INVOICE)

    def shred(self) -> None:
        """Deleting data by deleting its key."""
        self.stage.chapter("Shred")
        self.stage.say(
            "Years later all documents under the first key must go, with every copy and backup of them. "
            "KeyAdmin deletes the key. Seven days are left to think better of it; nobody reads them meanwhile."
        )
        self.stage.run(self.admin, "kms", "schedule_key_deletion", KeyId=self.key, PendingWindowInDays=7)
        self._must(self.documents.get_refused(self.app, "invoice") == "KMS.KMSInvalidStateException")
        self.stage.say("Seven days later …")
        self.stage.pass_days(8)
        self.app = self._session("App")  # the old session has ended meanwhile
        self._must(self.documents.get_refused(self.app, "invoice") == GONE)
        self.stage.say(
            "The object still lies in the bucket. Nobody will ever read it again. The other one is untouched."
        )
        self._read(self.app, "invoice-8", NEXT_INVOICE)

    # ------------------------------------------------------------------------- steps

    def _read(self, who: Credentials, name: str, expected: bytes) -> None:
        text = self.documents.get(who, name)
        self._same(text, expected)

    def _same(self, text: bytes, expected: bytes) -> None:
        self._must(text == expected)
        self.stage.show(text.decode())

    def _must(self, holds: bool) -> None:
        if not holds:
            raise Failed("the story fails here: the answer is not the expected one")

    def _search(self, *texts: bytes) -> None:
        """Show that the server keeps none of the texts as they are."""
        print(f"\nthief $ grep -rlE {shlex.quote('|'.join(text.decode() for text in texts))} data")
        files = [any(text in content for text in texts) for content in self.documents.on_disk()]
        self._must(bool(files) and not any(files))
        self.stage.show(f"nothing, in {len(files)} files")

    def _new_key(self) -> str:
        made = self.stage.run(
            self.admin, "kms", "create_key", {"Policy": "file://finance.json"},
            Description="Documents of finance", Policy=custom_policy(),
        )  # fmt: skip
        key: str = made["KeyMetadata"]["KeyId"]
        self.stage.show(f"KeyId: {key}")
        return key

    def _role(self, name: str, *actions: str) -> Credentials:
        root, stage = self.stage.root, self.stage
        trust = _policy(("Allow", {"AWS": ROOT}, ["sts:AssumeRole"], {}), resource=None)
        stage.quietly(root, "iam", "create_role", RoleName=name, AssumeRolePolicyDocument=trust)
        policy = _allow(*actions)
        stage.quietly(root, "iam", "put_role_policy", RoleName=name, PolicyName="own", PolicyDocument=policy)
        return self._session(name)

    def _session(self, name: str) -> Credentials:
        """A session of a role, for an hour."""
        answer = self.stage.quietly(
            self.operator, "sts", "assume_role", RoleArn=_role_arn(name), RoleSessionName="demo"
        )
        given = answer["Credentials"]
        return Credentials(name, given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def _user(self, account: str, root: Credentials, name: str, policy: str) -> Credentials:
        stage = self.stage
        stage.quietly(root, "iam", "create_user", UserName=name)
        stage.quietly(root, "iam", "put_user_policy", UserName=name, PolicyName="own", PolicyDocument=policy)
        given = stage.quietly(root, "iam", "create_access_key", UserName=name)["AccessKey"]
        shown = name if account == ACCOUNT else f"{name} of account {account}"
        return Credentials(shown, given["AccessKeyId"], given["SecretAccessKey"])

    def _account(self, account: str) -> Credentials:
        made = self.stage.keystead("account", "add", "--account-id", account)
        return Credentials("root", made["access_key_id"], made["secret_access_key"])


def _role_arn(name: str) -> str:
    return f"arn:aws:iam::{ACCOUNT}:role/{name}"


def _policy(*rows: tuple[str, Any, list[str], dict[str, Any]], resource: str | None = "*") -> str:
    statements = []
    for effect, principal, actions, condition in rows:
        statement: dict[str, Any] = {"Effect": effect, "Principal": principal, "Action": actions}
        if resource is not None:
            statement["Resource"] = resource
        if condition:
            statement["Condition"] = condition
        statements.append(statement)
    return json.dumps({"Version": "2012-10-17", "Statement": statements})


def _allow(*actions: str) -> str:
    statement = {"Effect": "Allow", "Action": list(actions), "Resource": "*"}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def _bucket_policy() -> str:
    """Who may come to the bucket from outside the account."""
    partner = {"AWS": f"arn:aws:iam::{PARTNER}:root"}
    return _policy(("Allow", partner, ["s3:GetObject"], {}), resource=f"arn:aws:s3:::{BUCKET}/*")


def custom_policy() -> str:
    """The key policy of the story: who administers, who uses and how, who shares."""
    administer = [
        "kms:Create*", "kms:Describe*", "kms:Enable*", "kms:List*", "kms:Put*", "kms:Update*", "kms:Revoke*",
        "kms:Disable*", "kms:Get*", "kms:TagResource", "kms:UntagResource", "kms:ScheduleKeyDeletion",
        "kms:CancelKeyDeletion",
    ]  # fmt: skip
    finance = {"kms:EncryptionContext:department": "finance"}
    through = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
    return _policy(
        ("Allow", {"AWS": _role_arn("KeyAdmin")}, administer, {}),
        ("Allow", {"AWS": _role_arn("App")}, ["kms:GenerateDataKey", "kms:Decrypt"],
         {"StringEquals": {**through, **finance}}),
        ("Allow", {"AWS": f"arn:aws:iam::{PARTNER}:root"}, ["kms:Decrypt"], {"StringEquals": finance}),
    )  # fmt: skip
