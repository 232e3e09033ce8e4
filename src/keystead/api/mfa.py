"""Second factors: where virtual MFA devices are stored, and when a code counts.

A code is accepted once. Several wrong codes in a row close a device for a while that doubles with each
further one, so that who has stolen an access key cannot try all codes.
"""

from __future__ import annotations

from typing import Final

import msgspec

from keystead import arn
from keystead.api.call import Call
from keystead.crypto.totp import step_at, step_of
from keystead.identity import User
from keystead.identity.mfa import MfaDevice
from keystead.storage import Table, Transaction

_WINDOW: Final = 1
"""Time steps before and after the present one whose codes count: clocks differ, and typing takes time."""
_SEARCH: Final = 20
"""Time steps on either side in which two codes in a row tell how far off a device's clock is."""


def _holder(_where: str, device: MfaDevice) -> list[str]:
    return [f"{device.account}/{device.user}"] if device.user else []


MFA_DEVICES: Table[MfaDevice] = Table("mfa_device", MfaDevice, indexes={"user": _holder})
"""account/name in lower case; index `user`: account/user's unique id"""


def device_place(serial: str) -> str | None:
    """The key in `MFA_DEVICES` of a serial number; None for any other text."""
    try:
        parts = arn.parse(serial)
    except ValueError:
        return None
    if parts.service != "iam" or not parts.resource.startswith("mfa/") or "\0" in serial:
        return None
    return f"{parts.account}/{parts.resource.rpartition('/')[2].lower()}"


def device_at(tx: Transaction, serial: str) -> MfaDevice | None:
    """The device with exactly this serial number, or None."""
    place = device_place(serial)
    found = None if place is None else tx.get(MFA_DEVICES, place)
    return found if found is not None and found.arn == serial else None


def put_device(tx: Transaction, device: MfaDevice) -> None:
    """None; the device will be stored as it is here."""
    tx.put(MFA_DEVICES, f"{device.account}/{device.name.lower()}", device)


def devices_of(tx: Transaction, user: User) -> list[MfaDevice]:
    """The devices that are enabled for the user, by name."""
    found = [tx.get(MFA_DEVICES, key) for key in tx.find(MFA_DEVICES, "user", f"{user.account}/{user.id}")]
    return [device for device in found if device is not None and device.user == user.id]


def verify_mfa(call: Call, user: User, serial: str, code: str) -> bool:
    """Whether `code` is one that the user's device with this serial number shows now; it is used up by that.

    That it is used up is stored if the call succeeds.
    """
    device = device_at(call.tx, serial)
    if device is None or (device.account, device.user) != (user.account, user.id):
        return False
    if call.usage.refusals.closed(serial, call.now):
        return False
    present = step_at(call.now) + device.drift
    step = step_of(device.seed, code, range(max(present - _WINDOW, device.last + 1), present + _WINDOW + 1))
    if step is None:
        call.usage.refusals.wrong(serial, call.now)
        return False
    call.usage.refusals.right(serial)
    put_device(call.tx, msgspec.structs.replace(device, last=step))
    return True


def synchronized(call: Call, device: MfaDevice, first: str, second: str) -> MfaDevice | None:
    """The device with the drift that two codes in a row show, both used up; None if they are none of its."""
    if call.usage.refusals.closed(device.arn, call.now):
        return None
    present = step_at(call.now)
    for step in range(max(present - _SEARCH, device.last + 1), present + _SEARCH):
        if step_of(device.seed, first, range(step, step + 1)) is None:
            continue
        if step_of(device.seed, second, range(step + 1, step + 2)) is not None:
            call.usage.refusals.right(device.arn)
            return msgspec.structs.replace(device, drift=step + 1 - present, last=step + 1)
    call.usage.refusals.wrong(device.arn, call.now)
    return None
