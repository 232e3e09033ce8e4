"""A server with another account and an analyzer, and what tests of findings do with them."""

import json

THERE = "444455556666"


class Watched:
    """An analyzer, and clients of what it looks at."""

    def __init__(self, server):
        self.server = server
        self.account = server.settings.account_id
        self.root = f"arn:aws:iam::{self.account}:root"
        server.root(THERE)
        self.aa, self.kms, self.s3, self.iam = (
            server.client(name) for name in ("accessanalyzer", "kms", "s3", "iam")
        )
        self.arn = self.aa.create_analyzer(analyzerName="main", type="ACCOUNT")["arn"]

    def policy(self, *statements):
        return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})

    def key(self, *statements):
        """A key that its account rules, and that these statements open."""
        own = {
            "Sid": "Own",
            "Effect": "Allow",
            "Principal": {"AWS": self.root},
            "Action": "kms:*",
            "Resource": "*",
        }
        policy = self.policy(own, *statements)
        return self.kms.create_key(Policy=policy, BypassPolicyLockoutSafetyCheck=True)["KeyMetadata"]["Arn"]

    def open_key(self, key, *statements):
        own = {
            "Sid": "Own",
            "Effect": "Allow",
            "Principal": {"AWS": self.root},
            "Action": "kms:*",
            "Resource": "*",
        }
        self.kms.put_key_policy(
            KeyId=key, Policy=self.policy(own, *statements), BypassPolicyLockoutSafetyCheck=True
        )

    def scan(self, resource):
        self.aa.start_resource_scan(analyzerArn=self.arn, resourceArn=resource)
        return self.findings(resource)

    def findings(self, resource, **criteria):
        asked = {"resource": {"eq": [resource]}, **criteria}
        return self.aa.list_findings(analyzerArn=self.arn, filter=asked)["findings"]

    def active(self, resource):
        return self.findings(resource, status={"eq": ["ACTIVE"]})
