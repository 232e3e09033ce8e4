"""Virtual MFA devices: made, enabled with two codes in a row, brought back in step, deactivated, deleted.

The seed is shown once, in the answer that makes a device, and recorded nowhere else.
"""

from __future__ import annotations

import base64
import io
from collections.abc import Callable
from typing import Any, Final

import msgspec
import segno

from keystead import errors
from keystead.api import Call, Target, operation
from keystead.api.directory import USERS
from keystead.api.mfa import MFA_DEVICES, device_at, device_place, devices_of, put_device, synchronized
from keystead.api.operation import Targets
from keystead.identity import User
from keystead.identity.mfa import MfaDevice
from keystead.services.iam.entities import existing_user, put
from keystead.services.iam.paging import page_list
from keystead.services.iam.quotas import DEVICES_PER_USER, check_quota
from keystead.services.iam.shown import shown_user
from keystead.services.iam.tag_rules import new_tags
from keystead.services.iam.targets import (
    Facts,
    on_listing,
    on_new,
    on_own_user,
    on_user,
    own_user_name,
    request_tags,
    resource_tags,
)
from keystead.wire.models import iam as wire

_SEED_BYTES: Final = 40
"""64 characters of Base32, as AWS makes them."""
_QR_SCALE: Final = 4
"""Pixels for one module of a QR code."""


# ----------------------------------------------------------------------------------- targets


def on_device(action: str, facts: Facts | None = None) -> Targets:
    """The device that `request.serial_number` names (Service Authorization Reference: resource `mfa`)."""

    def targets(call: Call, request: Any) -> tuple[Target, ...]:
        serial = request.serial_number or ""
        device = device_at(call.tx, serial)
        given = facts(call, request) if facts else {}
        known = resource_tags(device.tags) if device is not None else {}
        resource = serial if device_place(serial) is not None else "*"
        return (Target(f"iam:{action}", resource, call.account, facts={**known, **given}),)

    return targets


def existing_device(call: Call, serial: str | None) -> MfaDevice:
    """The device of the caller's account with this serial number.

    Raises:
        errors.NoSuchEntity: there is none.
    """
    device = device_at(call.tx, serial or "")
    if device is None or device.account != call.account:
        raise errors.NoSuchEntity(f"VirtualMFADevice with serial number {serial} doesn't exist.")
    return device


def change_device(call: Call, device: MfaDevice) -> None:
    """None; the device will be stored as it is here."""
    put_device(call.tx, device)


def _enabled(call: Call, user: User, serial: str | None) -> MfaDevice:
    """The user's device with this serial number.

    Raises:
        errors.NoSuchEntity: there is none, or it is not the user's.
    """
    device = device_at(call.tx, serial or "")
    if device is None or (device.account, device.user) != (user.account, user.id):
        raise errors.NoSuchEntity(
            f"MFA Device with serial number {serial} is not valid for user {user.name}."
        )
    return device


def _whose(call: Call, request: Any) -> User:
    """The user that the request is about, else the caller.

    Raises:
        errors.NoSuchEntity: there is no such user.
        errors.Validation: no name was given, and the caller is no user.
    """
    name = own_user_name(call, request.user_name)
    if name is None:
        raise errors.Validation("Must specify userName when calling with non-User credentials")
    return existing_user(call, name)


# -------------------------------------------------------------------------------------- life


@operation(
    "CreateVirtualMFADevice",
    targets=on_new(
        "CreateVirtualMFADevice", "mfa", "virtual_mfa_device_name", request_tags, tagging="TagMFADevice"
    ),
    changes=True,
)
def create_virtual_mfa_device(
    call: Call, request: wire.CreateVirtualMFADeviceRequest, *_targets: Target
) -> wire.CreateVirtualMFADeviceResponse:
    """Make a device and show its seed, as text and as a QR code."""
    name = request.virtual_mfa_device_name or ""
    device = MfaDevice(
        account=call.account,
        name=name,
        seed=call.entropy.random(_SEED_BYTES),
        created=call.now,
        path=request.path or "/",
        tags=new_tags(request.tags),
    )
    place = f"{call.account}/{name.lower()}"
    if call.tx.get(MFA_DEVICES, place) is not None:
        raise errors.EntityAlreadyExists("MFADevice entity at the same path and name already exists.")
    put_device(call.tx, device)
    seed = base64.b32encode(device.seed).decode()
    return wire.CreateVirtualMFADeviceResponse(
        virtual_mfa_device=wire.VirtualMFADevice(
            serial_number=device.arn,
            base32_string_seed=seed.encode(),
            qr_code_png=_picture(f"otpauth://totp/{name}@{call.account}?secret={seed}"),
        )
    )


def _picture(text: str) -> bytes:
    """A QR code of `text` as a PNG."""
    out = io.BytesIO()
    segno.make_qr(text, error="m").save(out, kind="png", scale=_QR_SCALE)
    return out.getvalue()


@operation("DeleteVirtualMFADevice", targets=on_device("DeleteVirtualMFADevice"), changes=True)
def delete_virtual_mfa_device(
    call: Call, request: wire.DeleteVirtualMFADeviceRequest, _device_target: Target
) -> None:
    """Delete a device that nobody uses."""
    device = existing_device(call, request.serial_number)
    if device.user:
        raise errors.DeleteConflict("Device must be deactivated before it can be deleted.")
    call.tx.delete(MFA_DEVICES, f"{device.account}/{device.name.lower()}")


@operation("EnableMFADevice", targets=on_user("EnableMFADevice"), changes=True)
def enable_mfa_device(call: Call, request: wire.EnableMFADeviceRequest, _user: Target) -> None:
    """Give a device to a user, who shows two codes in a row of it."""
    user, device = existing_user(call, request.user_name), existing_device(call, request.serial_number)
    if device.user:
        raise errors.EntityAlreadyExists("MFADevice already in use.")
    check_quota(DEVICES_PER_USER, len(devices_of(call.tx, user)))
    known = _in_step(call, device, request)
    put_device(call.tx, msgspec.structs.replace(known, user=user.id, enabled=call.now))
    # Written as it is, so that the quota and a deletion of the user are decided one after the other.
    put(call, user)


@operation("ResyncMFADevice", targets=on_user("ResyncMFADevice"), changes=True)
def resync_mfa_device(call: Call, request: wire.ResyncMFADeviceRequest, _user: Target) -> None:
    """Learn from two codes in a row how far off the device's clock is."""
    user = existing_user(call, request.user_name)
    put_device(call.tx, _in_step(call, _enabled(call, user, request.serial_number), request))


def _in_step(call: Call, device: MfaDevice, request: Any) -> MfaDevice:
    """The device, its clock known.

    Raises:
        errors.InvalidAuthenticationCode: the codes are not two in a row of this device, or were used.
    """
    known = synchronized(call, device, request.authentication_code1, request.authentication_code2)
    if known is None:
        raise errors.InvalidAuthenticationCode("Authentication code for device is not valid.")
    return known


@operation("DeactivateMFADevice", targets=on_own_user("DeactivateMFADevice"), changes=True)
def deactivate_mfa_device(call: Call, request: wire.DeactivateMFADeviceRequest, _user: Target) -> None:
    """Take a device from its user."""
    user = _whose(call, request)
    device = _enabled(call, user, request.serial_number)
    put_device(call.tx, msgspec.structs.replace(device, user="", enabled=0.0))


# ----------------------------------------------------------------------------------- reading


@operation("GetMFADevice", targets=on_own_user("GetMFADevice"))
def get_mfa_device(call: Call, request: wire.GetMFADeviceRequest, _user: Target) -> wire.GetMFADeviceResponse:
    """Return when a user's device was enabled."""
    user = _whose(call, request)
    device = _enabled(call, user, request.serial_number)
    return wire.GetMFADeviceResponse(
        user_name=user.name, serial_number=device.arn, enable_date=device.enabled
    )


@operation("ListMFADevices", targets=on_own_user("ListMFADevices"))
def list_mfa_devices(
    call: Call, request: wire.ListMFADevicesRequest, _user: Target
) -> wire.ListMFADevicesResponse:
    """Return a page of the devices that are enabled for a user; the root has none here."""
    name = own_user_name(call, request.user_name)
    user = existing_user(call, name) if name is not None else None
    held = devices_of(call.tx, user) if user is not None else []
    devices, marker = page_list(call, request, held, user.id if user is not None else "")
    shown = [
        wire.MFADevice(user_name=name, serial_number=device.arn, enable_date=device.enabled)
        for device in devices
    ]
    return wire.ListMFADevicesResponse(mfa_devices=shown, is_truncated=marker is not None, marker=marker)


_WANTED: Final[dict[str, Callable[[MfaDevice], bool]]] = {
    "Any": lambda _device: True,
    "Assigned": lambda device: bool(device.user),
    "Unassigned": lambda device: not device.user,
}


@operation("ListVirtualMFADevices", targets=on_listing("ListVirtualMFADevices", "mfa"))
def list_virtual_mfa_devices(
    call: Call, request: wire.ListVirtualMFADevicesRequest, _devices: Target
) -> wire.ListVirtualMFADevicesResponse:
    """Return a page of the account's devices, and whose they are."""
    want = _WANTED[request.assignment_status or "Any"]
    held = [device for _, device in call.tx.scan(MFA_DEVICES, f"{call.account}/") if want(device)]
    devices, marker = page_list(call, request, held, request.assignment_status or "")
    return wire.ListVirtualMFADevicesResponse(
        virtual_mfa_devices=[_shown(call, device) for device in devices],
        is_truncated=marker is not None,
        marker=marker,
    )


def _shown(call: Call, device: MfaDevice) -> wire.VirtualMFADevice:
    user = call.tx.get(USERS, f"{device.account}/{device.user}") if device.user else None
    return wire.VirtualMFADevice(
        serial_number=device.arn,
        user=shown_user(user, whole=False) if user is not None else None,
        enable_date=device.enabled if device.user else None,
    )


OPERATIONS = (
    create_virtual_mfa_device,
    delete_virtual_mfa_device,
    enable_mfa_device,
    resync_mfa_device,
    deactivate_mfa_device,
    get_mfa_device,
    list_mfa_devices,
    list_virtual_mfa_devices,
)
