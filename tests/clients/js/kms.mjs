// The JS SDK's third version against the server that the environment names. Prints one JSON object.

import assert from "node:assert/strict";
import { createHash, createPublicKey, verify } from "node:crypto";
import {
  CreateAliasCommand,
  CreateKeyCommand,
  DecryptCommand,
  DescribeKeyCommand,
  DisabledException,
  DisableKeyCommand,
  EncryptCommand,
  GenerateDataKeyCommand,
  GetPublicKeyCommand,
  InvalidCiphertextException,
  KMSClient,
  KMSInvalidSignatureException,
  NotFoundException,
  paginateListAliases,
  SignCommand,
  VerifyCommand,
} from "@aws-sdk/client-kms";
import { GetCallerIdentityCommand, STSClient } from "@aws-sdk/client-sts";

const kms = new KMSClient({ maxAttempts: 1 });
const sts = new STSClient({ maxAttempts: 1 });
const text = (value) => new TextEncoder().encode(value);
const createKey = async (members = {}) => (await kms.send(new CreateKeyCommand(members))).KeyMetadata;

async function encryption() {
  const key = await createKey({ Description: "from JavaScript", Tags: [{ TagKey: "a", TagValue: "b" }] });
  assert.ok(key.CreationDate instanceof Date);
  assert.equal(key.Description, "from JavaScript");
  const context = { Department: "Finance" };
  const sealed = await kms.send(
    new EncryptCommand({ KeyId: key.KeyId, Plaintext: text("plain"), EncryptionContext: context }),
  );
  const opened = await kms.send(
    new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob, EncryptionContext: context }),
  );
  assert.equal(new TextDecoder().decode(opened.Plaintext), "plain");
  assert.equal(opened.KeyId, key.Arn);
  const wrong = new DecryptCommand({ CiphertextBlob: sealed.CiphertextBlob });
  await assert.rejects(kms.send(wrong), (error) => error instanceof InvalidCiphertextException);
  const data = await kms.send(new GenerateDataKeyCommand({ KeyId: key.KeyId, KeySpec: "AES_256" }));
  const again = await kms.send(new DecryptCommand({ CiphertextBlob: data.CiphertextBlob }));
  assert.deepEqual(again.Plaintext, data.Plaintext);
}

async function signing() {
  const key = await createKey({ KeySpec: "RSA_2048", KeyUsage: "SIGN_VERIFY" });
  const message = text("what was agreed");
  const digest = createHash("sha256").update(message).digest();
  const asked = { KeyId: key.KeyId, SigningAlgorithm: "RSASSA_PKCS1_V1_5_SHA_256" };
  const { Signature } = await kms.send(new SignCommand({ ...asked, Message: digest, MessageType: "DIGEST" }));
  const { PublicKey } = await kms.send(new GetPublicKeyCommand({ KeyId: key.KeyId }));
  const offline = createPublicKey({ key: Buffer.from(PublicKey), format: "der", type: "spki" });
  assert.ok(verify("sha256", message, offline, Signature));
  const told = await kms.send(new VerifyCommand({ ...asked, Message: message, Signature }));
  assert.equal(told.SignatureValid, true);
  const other = new VerifyCommand({ ...asked, Message: text("something else"), Signature });
  await assert.rejects(kms.send(other), (error) => error instanceof KMSInvalidSignatureException);
}

async function errors() {
  const missing = new DescribeKeyCommand({ KeyId: "fake-key-id" });
  await assert.rejects(kms.send(missing), (error) => {
    assert.ok(error instanceof NotFoundException);
    assert.equal(error.message, "Invalid keyId 'fake-key-id'");
    assert.equal(error.$metadata.httpStatusCode, 400);
    assert.ok(error.$metadata.requestId);
    return true;
  });
  const key = await createKey();
  await kms.send(new DisableKeyCommand({ KeyId: key.KeyId }));
  const refused = new EncryptCommand({ KeyId: key.KeyId, Plaintext: text("plain") });
  await assert.rejects(kms.send(refused), (error) => {
    assert.ok(error instanceof DisabledException);
    assert.equal(error.message, `${key.Arn} is disabled.`);
    return true;
  });
}

async function pages() {
  const key = await createKey();
  const names = ["alias/js/a", "alias/js/b", "alias/js/c"];
  for (const AliasName of names) {
    await kms.send(new CreateAliasCommand({ AliasName, TargetKeyId: key.KeyId }));
  }
  const listed = [];
  for await (const page of paginateListAliases({ client: kms, pageSize: 2 }, { KeyId: key.KeyId })) {
    listed.push(...page.Aliases.map((alias) => alias.AliasName));
  }
  assert.deepEqual(listed, names);
}

const identity = await sts.send(new GetCallerIdentityCommand({}));
const parts = { encryption, signing, errors, pages };
for (const part of Object.values(parts)) {
  await part();
}
console.log(JSON.stringify({ account: identity.Account, passed: Object.keys(parts) }));
