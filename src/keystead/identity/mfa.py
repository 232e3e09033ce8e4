"""Virtual MFA devices: seeds that an authenticator app shares with the account."""

from __future__ import annotations

import msgspec

from keystead.identity.names import iam_arn


class MfaDevice(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A virtual MFA device. Its repr keeps the seed to itself.

    Attributes:
        seed: what codes are computed from, random.
        user: the unique id of the user it is enabled for, empty while there is none.
        enabled: when it was enabled, epoch seconds.
        drift: how many time steps the app's clock is ahead.
        last: the time step of the last code that was accepted; neither it nor an earlier one is again.
    """

    account: str
    name: str
    seed: bytes
    created: float
    path: str = "/"
    tags: dict[str, str] = {}
    user: str = ""
    enabled: float = 0.0
    drift: int = 0
    last: int = -1

    @property
    def arn(self) -> str:
        """The device's serial number, which is its ARN."""
        return iam_arn(self.account, "mfa", self.path, self.name)

    def __repr__(self) -> str:
        return f"MfaDevice({self.arn})"
