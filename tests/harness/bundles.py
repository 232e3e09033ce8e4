"""Evidence of a server that ran, as a bundle in a directory, and what somebody could do to it."""

import json
import re
import shutil
import tarfile

import msgspec

from keystead.audit.custody import known_log_keys
from keystead.audit.reader import read_journal
from keystead.audit.segment import Kind
from keystead.crypto import Secret
from keystead.receipts import Receipts
from keystead.testing import RunningServer
from keystead.tlog import (
    Checkpoint,
    Salts,
    Signer,
    append,
    event_leaf,
    hash_reader,
    inclusion,
    note_leaf,
    openings,
    sign_checkpoint,
    tiles_of,
)
from keystead.tlog.checkpoint import LOG, WITNESS
from keystead.tlog.tile import ENTRIES, decode_bundle, encode_bundle, parse_path

ORIGIN = "keystead.example/log"
SIGNER = Signer(ORIGIN, LOG, Secret(bytes([1]) * 32))
OTHER_SIGNER = Signer(ORIGIN, LOG, Secret(bytes([2]) * 32))
WITNESSES = [Signer(f"witness.example/w{n}", WITNESS, Secret(bytes([10 + n]) * 32)) for n in range(3)]
SALTS = Salts(Secret(bytes(range(32))))


def patient(server):
    """A client of KMS, each answer to which waits until the log has its event: the server must wait for it, too."""
    keys, client = known_log_keys(server.store), server.client("kms")
    Receipts(keys.signer(keys.origin(None)).key.text).register(client.meta.events)
    return client


def record(data_dir, calls=300):
    """A key's ARN, after a server has recorded and logged `calls` and a few more in `data_dir`, and was stopped."""
    with RunningServer(data_dir, receipt_wait=300) as server:
        kms = server.client("kms")
        key = kms.create_key()["KeyMetadata"]["Arn"]
        kms.create_alias(AliasName="alias/payroll", TargetKeyId=key)
        for number in range(calls):
            if number % 50 == 0:
                kms.encrypt(KeyId="alias/payroll", Plaintext=b"x", EncryptionContext={"patient": "Jane Roe"})
            else:
                kms.generate_random(NumberOfBytes=1 + number % 2)  # else entries would be of several events
        for _ in range(5):
            kms.generate_random(NumberOfBytes=1)
        patient(server).generate_random(NumberOfBytes=1)
    return key


class Bundle:
    """A log that is made of a server's journals, published in `path`."""

    def __init__(self, path, signer=SIGNER):
        self.path = path
        self.signer = signer
        self.events = []
        self.size = 0

    @classmethod
    def of(cls, data_dir, path, versions=(2,)):
        """All of the journal, as one worker has it; the log's key is brought along.

        Entries of events are of these versions in turn.
        """
        bundle = cls(path)
        frames = list(read_journal(data_dir, "w0"))
        bundle.events = [frame.payload for frame in frames]
        bundle.append(
            [
                note_leaf(frame.payload, "w0", frame.index)
                if frame.kind is Kind.NOTE
                else event_leaf(
                    frame.payload, "w0", frame.index, SALTS, version=versions[frame.index % len(versions)]
                )
                for frame in frames
            ]
        )
        bundle.write("keys.txt", SIGNER.key.text.encode() + b"\n")
        return bundle

    def copy(self, path):
        shutil.copytree(self.path, path)
        other = Bundle(path, self.signer)
        other.events, other.size, other.checkpoint = self.events, self.size, self.checkpoint
        return other

    # ------------------------------------------------------------------------ files

    def write(self, name, data):
        file = self.path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)

    def read(self, name):
        return (self.path / name).read_bytes()

    def tile(self, tile):
        return self.read(f"log/{tile.path}")

    def tar(self, path, mode="w"):
        with tarfile.open(path, mode) as tar:
            for file in sorted(self.path.rglob("*")):
                if file.is_file():
                    tar.add(file, str(file.relative_to(self.path)))
        return path

    # ------------------------------------------------------------------------- logs

    @property
    def entries(self):
        return [
            entry
            for tile in tiles_of(self.size)
            if tile.level == ENTRIES
            for entry in decode_bundle(self.tile(tile), tile.width)
        ]

    @classmethod
    def unpacked(cls, file, path, signer):
        """The bundle in a tar file, whose log `signer` signed."""
        bundle = cls(path, signer)
        with tarfile.open(file) as tar:
            for member in tar:
                bundle.write(member.name, tar.extractfile(member).read())
        bundle.checkpoint = bundle.read("log/checkpoint").decode()
        bundle.size = int(bundle.checkpoint.splitlines()[1])
        return bundle

    def append(self, leaves):
        """Publish `leaves`, as the sequencer does."""
        growth = append(self.size, self.tile, leaves)
        for tile, data in growth.writes:
            self.write(f"log/{tile.path}", data)
        self.size = growth.size
        self.checkpoint = sign_checkpoint(
            Checkpoint(self.signer.key.name, growth.size, growth.root), self.signer
        )
        self.write("log/checkpoint", self.checkpoint.encode())

    def rebuild(self, leaves):
        """Publish other entries in the place of all that were there; the checkpoint stays as it is."""
        note = self.read("log/checkpoint")
        shutil.rmtree(self.path / "log")
        self.size = 0
        self.append(leaves)
        self.write("log/checkpoint", note)

    def change_bundle(self, number, change):
        """Put what `change` makes of the entries of a bundle in their place, and touch nothing else."""
        tile = [tile for tile in tiles_of(self.size) if tile.level == ENTRIES][number]
        self.write(f"log/{tile.path}", encode_bundle(change(decode_bundle(self.tile(tile), tile.width))))

    def cosign(self, time, count=1):
        text = self.checkpoint.partition("\n\n")[0] + "\n"
        self.checkpoint += "".join(witness.sign(text, time) for witness in WITNESSES[:count])
        self.write("log/checkpoint", self.checkpoint.encode())

    def receipt(self, index, *pointers):
        """The receipt of an entry, which opens what is at these pointers."""
        proof = inclusion(index, self.size, hash_reader(self.size, self.tile))
        members = {"index": index, "leaf": self.entries[index], "checkpoint": self.checkpoint, "proof": proof}
        if pointers:
            opened = openings(self.events[index], self.entries[index], index, SALTS)
            members["openings"] = [opening for opening in opened if opening.pointer in pointers]
        return msgspec.json.encode(members)

    def open(self, index):
        lines = [
            msgspec.json.encode(opening)
            for opening in openings(self.events[index], self.entries[index], index, SALTS)
        ]
        self.write("openings.jsonl", b"\n".join(lines) + b"\n")
        return lines

    def files(self):
        """The names of tiles and bundles."""
        found = [str(file.relative_to(self.path)) for file in self.path.rglob("*") if file.is_file()]
        return sorted(name for name in found if name.startswith("log/tile/") and parse_path(name[4:]))


KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
ENCRYPT = json.dumps(
    {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::000000000000:user/alice",
            "userName": "alice",
        },
        "eventTime": "2026-01-02T03:04:05Z",
        "eventSource": "kms.amazonaws.com",
        "eventName": "Encrypt",
        "awsRegion": "us-east-1",
        "sourceIPAddress": "192.0.2.17",
        "userAgent": "Boto3/1.44",
        "requestParameters": {"keyId": "alias/payroll", "encryptionContext": {"patient": "Jane Roe"}},
        "responseElements": None,
        "requestID": "f4bd9eee-ce17-4fd5-a9b1-0fb1d4e4e2a1",
        "eventID": "0e8c2b2c-7b7e-4a8a-9c1d-3d1d1a6f2b10",
        "readOnly": True,
        "resources": [{"accountId": "000000000000", "type": "AWS::KMS::Key", "ARN": KEY}],
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": "000000000000",
        "eventCategory": "Management",
    },
    separators=(",", ":"),
).encode()
"""An event as a server writes it."""


def alike(event, count, first=0):
    """So many events that are as this one but for the ids of their requests and their own, which begin with their numbers."""
    return [
        re.sub(rb'("(?:requestID|eventID)":")[0-9a-f]{8}', rb"\g<1>%08x" % number, event)
        for number in range(first, first + count)
    ]


def edited(entry, **changes):
    """The entry with other members, still canonical."""
    members = json.loads(entry) | changes
    return json.dumps(members, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
