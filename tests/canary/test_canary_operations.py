"""Every operation with marked values, also in every kind of error; then no file may hold any of them."""

from __future__ import annotations

import base64
import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from canaries import forms, leaks, marked
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_public_key
from dev_process import DevServer
from signed_http import Client, get


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


class Run:
    """Calls operations and remembers what must never be written down."""

    def __init__(self, client: Client, secrets: dict[str, bytes]) -> None:
        self.client = client
        self.secrets = secrets
        self.called: set[str] = set()

    def hide(self, name: str, secret: bytes) -> bytes:
        self.secrets[name] = secret
        return secret

    def fresh(self, name: str, length: int = 0) -> bytes:
        return self.hide(name, marked(name, length))

    def call(self, operation: str, **members: Any) -> dict[str, Any]:
        self.called.add(operation)
        answer = self.client.call(operation, members)
        assert answer.status < 500, (operation, answer.body)
        return answer.document if answer.body else {}

    def must(self, operation: str, **members: Any) -> dict[str, Any]:
        self.called.add(operation)
        return self.client.must(operation, members)

    def create(self, **members: Any) -> str:
        return self.must("CreateKey", **members)["KeyMetadata"]["KeyId"]

    # ------------------------------------------------------------------------ chapters

    def cryptography(self) -> None:
        key = self.create()
        plaintext = self.fresh("plaintext")
        context = {"tenant": "acme"}
        blob = self.must("Encrypt", KeyId=key, Plaintext=b64(plaintext), EncryptionContext=context)[
            "CiphertextBlob"
        ]
        self.must("Decrypt", CiphertextBlob=blob, EncryptionContext=context)
        self.must("ReEncrypt", CiphertextBlob=blob, SourceEncryptionContext=context, DestinationKeyId=key)
        self.call("Encrypt", KeyId=key, Plaintext=b64(plaintext), DryRun=True)
        for operation in ("GenerateDataKey", "GenerateDataKeyWithoutPlaintext"):
            answer = self.must(operation, KeyId=key, KeySpec="AES_256")
            if "Plaintext" in answer:
                self.hide("data key", base64.b64decode(answer["Plaintext"]))
        for spec in ("RSA_2048", "ECC_NIST_P256"):
            answer = self.must("GenerateDataKeyPair", KeyId=key, KeyPairSpec=spec)
            self.hide(f"{spec} data key", base64.b64decode(answer["PrivateKeyPlaintext"])[-64:-24])
        self.must("GenerateDataKeyPairWithoutPlaintext", KeyId=key, KeyPairSpec="ECC_NIST_P256")
        self.hide("random", base64.b64decode(self.must("GenerateRandom", NumberOfBytes=64)["Plaintext"]))
        self.must("GetKeyLastUsage", KeyId=key)

    def asymmetric(self) -> None:
        signer = self.create(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")
        message = self.fresh("message")
        members = {"KeyId": signer, "Message": b64(message), "SigningAlgorithm": "ECDSA_SHA_256"}
        signature = self.must("Sign", **members)["Signature"]
        self.must("Verify", **members, Signature=signature)
        self.call("Verify", **{**members, "Message": b64(b"another")}, Signature=signature)
        self.must("GetPublicKey", KeyId=signer)
        mac = self.create(KeySpec="HMAC_256", KeyUsage="GENERATE_VERIFY_MAC")
        members = {"KeyId": mac, "Message": b64(self.fresh("mac message")), "MacAlgorithm": "HMAC_SHA_256"}
        tag = self.must("GenerateMac", **members)["Mac"]
        self.must("VerifyMac", **members, Mac=tag)
        self.call("VerifyMac", **members, Mac=b64(bytes(32)))
        agreement = self.create(KeySpec="ECC_NIST_P256", KeyUsage="KEY_AGREEMENT")
        peer = ec.generate_private_key(ec.SECP256R1())
        public = peer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        shared = self.must(
            "DeriveSharedSecret", KeyId=agreement, KeyAgreementAlgorithm="ECDH", PublicKey=b64(public)
        )["SharedSecret"]
        self.hide("shared secret", base64.b64decode(shared))
        kem = self.create(KeySpec="ML_KEM_768", KeyUsage="ENCAPSULATE_DECAPSULATE")
        members = {"KeyId": kem, "EncapsulationAlgorithm": "ML_KEM_SHAKE"}
        members["EncapsulationAlgorithm"] = self.must("DescribeKey", KeyId=kem)["KeyMetadata"][
            "EncapsulationAlgorithms"
        ][0]
        answer = self.must("Encapsulate", **members)
        for name, value in answer.items():
            if "secret" in name.lower() or "plaintext" in name.lower():
                self.hide("encapsulated", base64.b64decode(value))
        self.call(
            "Decapsulate", **members, CiphertextBlob=answer.get("CiphertextBlob", answer.get("Ciphertext"))
        )
        assert "encapsulated" in self.secrets

    def importing(self) -> None:
        key = self.create(Origin="EXTERNAL")
        material = self.fresh("imported material", 32)
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        parameters = self.must("GetParametersForImport", KeyId=key, **wrapping)
        public = load_der_public_key(base64.b64decode(parameters["PublicKey"]))
        oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
        members = {
            "KeyId": key,
            "ImportToken": parameters["ImportToken"],
            "ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE",
        }
        wrong = self.fresh("material of a wrong length", 48)
        self.call("ImportKeyMaterial", **members, EncryptedKeyMaterial=b64(public.encrypt(wrong, oaep)))
        self.call("ImportKeyMaterial", **members, EncryptedKeyMaterial=b64(self.fresh("never wrapped")))
        self.must("ImportKeyMaterial", **members, EncryptedKeyMaterial=b64(public.encrypt(material, oaep)))
        self.must("Encrypt", KeyId=key, Plaintext=b64(self.fresh("under imported material")))
        self.must("DeleteImportedKeyMaterial", KeyId=key)

    def grants(self) -> None:
        key = self.create()
        me = "arn:aws:iam::000000000000:root"
        members = {"KeyId": key, "GranteePrincipal": me, "RetiringPrincipal": me, "Operations": ["Encrypt"]}
        for number in range(3):
            answer = self.must("CreateGrant", **members)
            self.hide(f"grant token {number}", answer["GrantToken"].encode()[-48:])
            self.must("Encrypt", KeyId=key, Plaintext=b64(b"a"), GrantTokens=[answer["GrantToken"]])
            if number == 0:
                self.must("RetireGrant", GrantToken=answer["GrantToken"])
            elif number == 1:
                self.must("RevokeGrant", KeyId=key, GrantId=answer["GrantId"])
        self.must("ListGrants", KeyId=key)
        self.must("ListRetirableGrants", RetiringPrincipal=me)
        self.call(
            "Encrypt", KeyId=key, Plaintext=b64(b"a"), GrantTokens=[self.fresh("made-up token").decode()]
        )

    def key_stores(self) -> None:
        secret = self.fresh("proxy secret", 60).replace(b".", b"/")
        self.hide("proxy secret", secret)
        password = self.fresh("cluster password", 28).decode()
        store = {
            "CustomKeyStoreType": "EXTERNAL_KEY_STORE",
            "XksProxyUriEndpoint": "https://xks.example.com",
            "XksProxyUriPath": "/kms/xks/v1",
            "XksProxyConnectivity": "PUBLIC_ENDPOINT",
        }

        def credential(text: bytes) -> dict[str, str]:
            return {"AccessKeyId": "ABCDEFGHIJKLMNOPQRSTU", "RawSecretAccessKey": text.decode()}

        name = self.must(
            "CreateCustomKeyStore",
            CustomKeyStoreName="outside",
            XksProxyAuthenticationCredential=credential(secret),
            **store,
        )["CustomKeyStoreId"]
        self.call(
            "CreateCustomKeyStore",
            CustomKeyStoreName="cluster",
            CloudHsmClusterId="cluster-1a23b4cdefg",
            KeyStorePassword=password,
            TrustAnchorCertificate="-----BEGIN",
        )
        changed = self.hide("changed proxy secret", marked("changed", 60).replace(b".", b"/"))
        self.must(
            "UpdateCustomKeyStore",
            CustomKeyStoreId=name,
            XksProxyAuthenticationCredential=credential(changed),
        )
        self.call("UpdateCustomKeyStore", CustomKeyStoreId=name, KeyStorePassword=password)
        self.call(
            "CreateCustomKeyStore",
            CustomKeyStoreName="outside",
            XksProxyAuthenticationCredential=credential(
                self.hide("bad proxy secret", marked("bad", 40) + b"!")
            ),
            **store,
        )
        self.must("DescribeCustomKeyStores")
        self.call("ConnectCustomKeyStore", CustomKeyStoreId=name)
        self.call("DisconnectCustomKeyStore", CustomKeyStoreId=name)
        self.must("DeleteCustomKeyStore", CustomKeyStoreId=name)

    def keys(self) -> None:
        """What handles no secret; it is here so that all operations have been called."""
        key = self.create(MultiRegion=True)
        other = self.create()
        policy = self.must("GetKeyPolicy", KeyId=key)["Policy"]
        self.must("PutKeyPolicy", KeyId=key, Policy=policy)
        self.must("ListKeyPolicies", KeyId=key)
        self.must("UpdateKeyDescription", KeyId=key, Description="described")
        self.must("TagResource", KeyId=key, Tags=[{"TagKey": "a", "TagValue": "b"}])
        self.must("ListResourceTags", KeyId=key)
        self.must("UntagResource", KeyId=key, TagKeys=["a"])
        self.must("EnableKeyRotation", KeyId=key)
        self.must("GetKeyRotationStatus", KeyId=key)
        self.must("RotateKeyOnDemand", KeyId=key)
        self.must("ListKeyRotations", KeyId=key)
        self.must("DisableKeyRotation", KeyId=key)
        self.must("ReplicateKey", KeyId=key, ReplicaRegion="eu-west-1")
        self.call("UpdatePrimaryRegion", KeyId=key, PrimaryRegion="eu-west-1")
        self.must("CreateAlias", AliasName="alias/canary", TargetKeyId=other)
        self.call("UpdateAlias", AliasName="alias/canary", TargetKeyId=other)
        self.must("ListAliases")
        self.must("DeleteAlias", AliasName="alias/canary")
        self.must("DisableKey", KeyId=other)
        self.call("Encrypt", KeyId=other, Plaintext=b64(self.fresh("under a disabled key")))
        self.must("EnableKey", KeyId=other)
        self.must("ListKeys")
        self.must("DescribeKey", KeyId=other)
        self.must("ScheduleKeyDeletion", KeyId=other, PendingWindowInDays=7)
        self.must("CancelKeyDeletion", KeyId=other)

    def errors(self) -> None:
        """Marked values in what cannot be read, is not allowed, or is not signed."""
        key, secret = self.create(), self.fresh("in an error")
        text = b64(secret)
        client = self.client
        bodies = [
            b'{"KeyId": "' + key.encode() + b'", "Plaintext": "' + text.encode() + b'"',
            json.dumps({"KeyId": key, "Plaintext": [text]}).encode(),
            json.dumps({"KeyId": key, "Plaintext": secret.decode()}).encode(),
            json.dumps({"KeyId": key, "Plaintext": text, "EncryptionContext": text}).encode(),
            json.dumps({"KeyId": [secret.decode()]}).encode(),
            json.dumps({"KeyId": key, "Plaintext": b64(secret * 100)}).encode(),
            json.dumps({"KeyId": key, "Plaintext": text, "Unknown": secret.decode()}).encode(),
            json.dumps(
                {"KeyId": key, "Plaintext": text, "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
            ).encode(),
            secret,
            secret.decode().encode("utf-16"),
            b'"' + secret * 20_000 + b'"',
        ]
        for body in bodies:
            assert client.call("Encrypt", body).status in {200, 400, 413}
            assert client.call("Nope", body).status in {400, 413}
            assert client.other(secret="wrong").call("Encrypt", body).status in {400, 413}
            assert client.other(access_key_id="AKIANOBODY").call("Encrypt", body).status in {400, 413}
            prepared = client.prepare("Encrypt", body)
            assert client.send(prepared.with_header("Authorization", None)).status in {400, 413}
        with client.connect() as sock:  # cut off in the body
            sock.sendall(client.prepare("Encrypt", bodies[0]).raw()[:-3])
        with client.connect() as sock:  # not HTTP at all
            sock.sendall(secret + b"\r\n\r\n" + secret)
            sock.recv(1000)
        signature = client.prepare("ListKeys").headers["Authorization"][-64:]
        replayed = client.prepare("CreateKey")
        client.send(replayed)
        client.send(replayed)
        self.hide("signature", replayed.headers["Authorization"][-64:].encode())
        self.hide("unused signature", signature.encode())


def all_operations() -> set[str]:
    return set(Loader().load_service_model("kms", "service-2")["operations"])


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_marked_value_is_written_anywhere(tmp_path: Path, log_format: str) -> None:
    places = [tmp_path / name for name in ("data", "logs", "tmp", "cwd")]
    for place in places[1:]:
        place.mkdir()
    access_secret = marked("secret access key", 40).decode()
    secrets: dict[str, bytes] = {}
    server = DevServer(
        tmp_path / "data", tmp_path / "logs", "--log-format", log_format, "--log-level", "debug",
        secret=access_secret, cwd=tmp_path / "cwd", environment={"TMPDIR": str(tmp_path / "tmp")},
    )  # fmt: skip
    with server:
        run = Run(server.client(), secrets)
        for chapter in (
            run.cryptography, run.asymmetric, run.importing, run.grants, run.key_stores, run.keys, run.errors,
        ):  # fmt: skip
            chapter()
        assert all_operations() - run.called == set()
        assert len(secrets) >= 20
        (tmp_path / "logs" / "metrics").write_bytes(get(server.port, "/metrics").body)
        assert leaks(secrets, places) == []  # beside the running server: WAL and all
        _no_core_dumps(server)
        server.kill()
        assert leaks(secrets, places) == []
        server.start()
        run.client = server.client()
        run.must("ListKeys")
        assert server.stop() == 0
        assert leaks(secrets, places) == []
        # The ready message tells the root's secret: it goes to the terminal of whoever starts a trial.
        (tmp_path / "logs" / "stdout").unlink()
        assert leaks({"access secret": access_secret.encode()}, places) == []
    assert b"internal failure" not in (tmp_path / "logs" / "stderr").read_bytes()


def _no_core_dumps(server: DevServer) -> None:
    assert server.process is not None
    limits = Path(f"/proc/{server.process.pid}/limits").read_text()
    assert next(line for line in limits.splitlines() if "core file" in line).split()[4:6] == ["0", "0"]


def test_everything_written_is_its_owners_only(tmp_path: Path) -> None:
    with DevServer(tmp_path / "data", tmp_path / "logs") as server:
        server.client().must("CreateKey")
        for folder, folders, names in os.walk(tmp_path / "data"):
            for path in (Path(folder, name) for name in (*folders, *names)):
                with suppress(FileNotFoundError):  # a running server names files anew
                    mode = stat.S_IMODE(path.stat().st_mode)
                    assert mode & 0o077 == 0, f"{path} is {mode:o}"


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    """A search that finds nothing proves something only if it would have found it."""
    secret = marked("found")
    for form, value in forms(secret).items():
        (tmp_path / "file").write_bytes(b"before" + value + b"after" + bytes(10))
        assert any(f"as {form} in" in line for line in leaks({"it": secret}, [tmp_path])), form
    for prefix in (b"", b"a", b"ab", b"abc"):
        (tmp_path / "file").write_bytes(base64.b64encode(prefix + secret + b"xyz"))
        assert leaks({"it": secret}, [tmp_path])
    (tmp_path / "file").write_bytes(os.urandom(100_000))
    assert leaks({"it": secret}, [tmp_path]) == []
