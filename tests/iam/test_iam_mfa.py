"""Virtual MFA devices: their codes, computed here by hand, count once."""

import base64
import hashlib
import hmac
import io
import struct
import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keystead.api.directory import USERS
from keystead.api.mfa import MFA_DEVICES, verify_mfa
from keystead.api.refusals import Refusals
from keystead.clock import ManualClock
from keystead.crypto import totp
from keystead.testing import RunningServer, allow

STEP = 30
SERIAL = "arn:aws:iam::000000000000:mfa/phone"


def code(seed, time):
    """RFC 6238 with SHA-1 and six digits."""
    digest = hmac.new(seed, struct.pack(">Q", int(time // STEP)), hashlib.sha1).digest()
    offset = digest[-1] & 15
    return f"{(struct.unpack('>I', digest[offset : offset + 4])[0] & 0x7FFFFFFF) % 10**6:06}"


@pytest.fixture
def server():
    """A server whose time stands still unless it is moved, so that no code changes in between."""
    with RunningServer(clock=ManualClock(start=1_800_000_000.0)) as running:
        yield running


class Phone:
    """An authenticator app that has scanned a device's seed; `slow` is how many seconds its clock is behind."""

    def __init__(self, server, iam, name="phone", slow=0):
        made = iam.create_virtual_mfa_device(VirtualMFADeviceName=name)["VirtualMFADevice"]
        self.serial, self.seed = made["SerialNumber"], base64.b32decode(made["Base32StringSeed"])
        self.picture = made["QRCodePNG"]
        self._server, self._slow = server, slow

    def code(self, later=0):
        return code(self.seed, self._server.clock.now() + later - self._slow)

    def pair(self):
        return {"AuthenticationCode1": self.code(-STEP), "AuthenticationCode2": self.code()}


@pytest.fixture
def phone(server, iam):
    iam.create_user(UserName="alice")
    return Phone(server, iam)


def enable(iam, phone, user="alice", **codes):
    iam.enable_mfa_device(UserName=user, SerialNumber=phone.serial, **(codes or phone.pair()))


def accepted(server, serial, given, user="alice"):
    """Whether a call that gives this code at this time has it accepted, committed as a call would be."""

    def ask(tx):
        found = next(each for _, each in tx.scan(USERS, "") if each.name == user)
        return verify_mfa(Asking(tx, server.clock.now(), server.app.usage), found, serial, given)

    return server.store.run(ask)


class Asking:
    """As much of a call as a code is verified with."""

    def __init__(self, tx, now, usage):
        self.tx, self.now, self.usage = tx, now, usage


def test_codes_are_those_of_rfc_6238():
    seed = b"12345678901234567890"  # appendix B; its last six of eight digits
    for time, eight in ((59, "94287082"), (1111111109, "07081804"), (20000000000, "65353130")):
        assert totp.code_of(seed, totp.step_at(time)) == eight[2:] == code(seed, time)


@settings(max_examples=30)
@given(seed=st.binary(min_size=20, max_size=64), time=st.floats(0, 4e9))
def test_codes_are_what_an_app_shows(seed, time):
    assert totp.code_of(seed, totp.step_at(time)) == code(seed, time)


def test_a_device_is_made_with_a_seed_and_a_picture(server, iam, phone):
    assert phone.serial == SERIAL
    assert len(phone.seed) == 40
    assert phone.picture.startswith(b"\x89PNG\r\n\x1a\n")
    assert iam.list_virtual_mfa_devices()["VirtualMFADevices"] == [{"SerialNumber": SERIAL}]


def test_the_picture_holds_the_seed(phone):
    from segno import make_qr

    seed = base64.b32encode(phone.seed).decode()
    same = io.BytesIO()
    make_qr(f"otpauth://totp/phone@000000000000?secret={seed}", error="m").save(same, kind="png", scale=4)
    assert zlib.crc32(phone.picture) == zlib.crc32(same.getvalue())


def test_the_seed_is_in_no_event(server, iam, phone):
    enable(iam, phone)
    seen = str(server.events())
    assert SERIAL in seen
    for secret in (base64.b32encode(phone.seed).decode(), *phone.pair().values()):
        assert secret not in seen
    device = server.store.transaction().get(MFA_DEVICES, "000000000000/phone")
    assert repr(device) == f"MfaDevice({SERIAL})"


def test_a_device_is_enabled_by_two_codes_in_a_row(iam, phone, refused):
    for first, second in ((0, 0), (0, -STEP), (-2 * STEP, 0)):
        with refused("InvalidAuthenticationCode", status=403):
            enable(iam, phone, AuthenticationCode1=phone.code(first), AuthenticationCode2=phone.code(second))
    enable(iam, phone)
    (device,) = iam.list_mfa_devices(UserName="alice")["MFADevices"]
    assert (device["UserName"], device["SerialNumber"]) == ("alice", SERIAL)
    assert iam.get_mfa_device(SerialNumber=SERIAL, UserName="alice")["EnableDate"] == device["EnableDate"]
    with refused("EntityAlreadyExists"):
        enable(iam, phone)


def test_codes_used_to_enable_a_device_are_used_up(server, iam, phone):
    enable(iam, phone)
    assert not accepted(server, SERIAL, phone.code())
    server.advance(STEP)
    assert accepted(server, SERIAL, phone.code())


def test_a_code_is_accepted_once(server, iam, phone):
    enable(iam, phone)
    server.advance(2 * STEP)
    earlier, now = phone.code(-STEP), phone.code()
    assert accepted(server, SERIAL, now)
    assert not accepted(server, SERIAL, now)
    assert not accepted(server, SERIAL, earlier)
    server.advance(STEP)
    assert accepted(server, SERIAL, phone.code())


def test_a_code_of_the_step_before_or_after_counts_and_no_other(server, iam, phone):
    enable(iam, phone)
    server.advance(10 * STEP)
    for later in (-2 * STEP, 2 * STEP):
        assert not accepted(server, SERIAL, phone.code(later))
    assert accepted(server, SERIAL, phone.code(-STEP))
    assert accepted(server, SERIAL, phone.code(STEP))


def test_a_code_counts_for_its_user_and_device_only(server, iam, phone):
    iam.create_user(UserName="bob")
    enable(iam, phone)
    server.advance(STEP)
    assert not accepted(server, SERIAL, phone.code(), user="bob")
    assert not accepted(server, SERIAL.replace("phone", "none"), phone.code())
    assert not accepted(server, "not an ARN", phone.code())
    assert accepted(server, SERIAL, phone.code())


@pytest.mark.parametrize("slow", [-240, -31, 45, 300])
def test_a_clock_that_is_off_is_learnt(server, iam, slow):
    iam.create_user(UserName="alice")
    phone = Phone(server, iam, slow=slow)
    enable(iam, phone)
    server.advance(STEP)
    assert accepted(server, SERIAL, phone.code())


def test_a_clock_that_went_off_is_learnt_again(server, iam, phone, refused):
    enable(iam, phone)
    server.advance(STEP * 10)
    phone._slow = 150
    assert not accepted(server, SERIAL, phone.code())
    with refused("InvalidAuthenticationCode"):
        iam.resync_mfa_device(
            UserName="alice", SerialNumber=SERIAL, AuthenticationCode1="000000", AuthenticationCode2="000000"
        )
    iam.resync_mfa_device(UserName="alice", SerialNumber=SERIAL, **phone.pair())
    server.advance(STEP)
    assert accepted(server, SERIAL, phone.code())


def wrong(phone):
    """A code that the device shows at no time near."""
    near = {phone.code(step * STEP) for step in range(-25, 26)}
    return next(text for number in range(100) if (text := f"{number:06}") not in near)


def test_wrong_codes_close_a_device_for_a_while(server, iam, phone):
    enable(iam, phone)
    server.advance(STEP)
    for _ in range(5):
        assert not accepted(server, SERIAL, wrong(phone))
    assert not accepted(server, SERIAL, phone.code())
    server.advance(STEP)
    assert accepted(server, SERIAL, phone.code())
    server.advance(STEP)
    assert accepted(server, SERIAL, phone.code())


def test_each_further_wrong_code_closes_it_for_longer_up_to_an_hour():
    refusals, now = Refusals(), 0.0
    waits = []
    for _ in range(20):
        refusals.wrong("d", now)
        start = now
        while refusals.closed("d", now):
            now += 10
        waits.append(now - start)
    assert waits[:7] == [0, 0, 0, 0, 30, 60, 120]
    assert waits == sorted(waits)
    assert waits[-1] == 3600
    refusals.right("d")
    assert not refusals.closed("d", now)


def test_what_is_remembered_of_wrong_codes_is_bounded():
    refusals = Refusals()
    for number in range(10_050):
        refusals.wrong(str(number), 0.0)
    assert len(refusals._wrong) == 10_000


def test_a_device_is_taken_back_before_it_or_its_user_is_deleted(iam, phone, refused):
    enable(iam, phone)
    with refused("DeleteConflict", status=409):
        iam.delete_virtual_mfa_device(SerialNumber=SERIAL)
    with refused("DeleteConflict", "Cannot delete entity, must delete MFA device first."):
        iam.delete_user(UserName="alice")
    iam.deactivate_mfa_device(UserName="alice", SerialNumber=SERIAL)
    assert iam.list_mfa_devices(UserName="alice")["MFADevices"] == []
    iam.delete_virtual_mfa_device(SerialNumber=SERIAL)
    iam.delete_user(UserName="alice")
    with refused("NoSuchEntity", status=404):
        iam.delete_virtual_mfa_device(SerialNumber=SERIAL)


def test_devices_are_listed_by_whether_they_are_assigned(server, iam, phone):
    other = Phone(server, iam, "other")
    enable(iam, phone)

    def listed(**wanted):
        return [each["SerialNumber"] for each in iam.list_virtual_mfa_devices(**wanted)["VirtualMFADevices"]]

    assert listed(AssignmentStatus="Assigned") == [phone.serial]
    assert listed(AssignmentStatus="Unassigned") == [other.serial]
    assert listed() == listed(AssignmentStatus="Any") == [other.serial, phone.serial]
    (shown,) = iam.list_virtual_mfa_devices(AssignmentStatus="Assigned")["VirtualMFADevices"]
    assert shown["User"]["UserName"] == "alice"
    assert "Base32StringSeed" not in shown
    assert listed(MaxItems=1) == [other.serial]


def test_names_of_devices_are_taken_once_and_others_devices_are_not_here(server, iam, phone, refused):
    with refused("EntityAlreadyExists", status=409):
        iam.create_virtual_mfa_device(VirtualMFADeviceName="PHONE")
    other = server.client("iam", account="111122223333")
    other.create_user(UserName="alice")
    with refused("NoSuchEntity"):
        other.enable_mfa_device(UserName="alice", SerialNumber=SERIAL, **phone.pair())
    with refused("NoSuchEntity"):
        other.delete_virtual_mfa_device(SerialNumber=SERIAL)
    assert other.list_virtual_mfa_devices()["VirtualMFADevices"] == []


def test_a_user_has_eight_devices_at_most(server, iam, phone, refused):
    for number in range(8):
        enable(iam, Phone(server, iam, f"p{number}"))
    with refused("LimitExceeded", "Cannot exceed quota for MFADevicesPerUser: 8"):
        enable(iam, phone)


def test_users_look_after_their_own_device(server, iam, refused):
    own = "arn:aws:iam::000000000000:user/${aws:username}"
    device = "arn:aws:iam::000000000000:mfa/${aws:username}"
    alice = server.user("alice", {"own": allow("iam:*MFADevice*", resource=[own, device])}).client("iam")
    phone = Phone(server, alice, "alice")
    enable(alice, phone)
    assert [each["SerialNumber"] for each in alice.list_mfa_devices()["MFADevices"]] == [phone.serial]
    alice.deactivate_mfa_device(SerialNumber=phone.serial)
    alice.delete_virtual_mfa_device(SerialNumber=phone.serial)
    server.user("bob")
    for call in (
        lambda: alice.create_virtual_mfa_device(VirtualMFADeviceName="bob"),
        lambda: alice.enable_mfa_device(UserName="bob", SerialNumber=phone.serial, **phone.pair()),
        alice.list_virtual_mfa_devices,
    ):
        with refused("AccessDenied"):
            call()


def test_the_root_has_no_device(iam, phone, refused):
    assert iam.list_mfa_devices()["MFADevices"] == []
    with refused("ValidationError"):
        iam.deactivate_mfa_device(SerialNumber=SERIAL)


def test_devices_have_tags(server, iam, refused):
    tags = [{"Key": "team", "Value": "blue"}]
    serial = iam.create_virtual_mfa_device(VirtualMFADeviceName="tagged", Tags=tags)["VirtualMFADevice"][
        "SerialNumber"
    ]
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == tags
    iam.tag_mfa_device(SerialNumber=serial, Tags=[{"Key": "Team", "Value": "red"}])
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == [{"Key": "Team", "Value": "red"}]
    only_blue = allow("iam:DeleteVirtualMFADevice", StringEquals={"aws:ResourceTag/Team": "blue"})
    blue = server.user("blue", {"a": only_blue}).client("iam")
    with refused("AccessDenied"):
        blue.delete_virtual_mfa_device(SerialNumber=serial)
    iam.untag_mfa_device(SerialNumber=serial, TagKeys=["team"])
    assert iam.list_mfa_device_tags(SerialNumber=serial)["Tags"] == []
    iam.tag_mfa_device(SerialNumber=serial, Tags=[{"Key": "Team", "Value": "blue"}])
    blue.delete_virtual_mfa_device(SerialNumber=serial)
