// The JS SDK's client of S3 against the server that the environment names. Prints one JSON object.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { CreateKeyCommand, DisableKeyCommand, KMSClient } from "@aws-sdk/client-kms";
import {
  CompleteMultipartUploadCommand,
  CopyObjectCommand,
  CreateBucketCommand,
  CreateMultipartUploadCommand,
  DeleteObjectsCommand,
  GetObjectCommand,
  HeadObjectCommand,
  NoSuchKey,
  paginateListObjectsV2,
  PutBucketEncryptionCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from "@aws-sdk/client-s3";

const Bucket = "javascript";
const s3 = new S3Client({ maxAttempts: 1, forcePathStyle: true });
const kms = new KMSClient({ maxAttempts: 1 });
const { Arn: key } = (await kms.send(new CreateKeyCommand({}))).KeyMetadata;
const read = async (Key, more = {}) =>
  Buffer.from(await (await s3.send(new GetObjectCommand({ Bucket, Key, ...more }))).Body.transformToByteArray());

async function encryption() {
  await s3.send(new CreateBucketCommand({ Bucket }));
  const rule = {
    ApplyServerSideEncryptionByDefault: { SSEAlgorithm: "aws:kms", KMSMasterKeyID: key },
    BucketKeyEnabled: true,
  };
  const ServerSideEncryptionConfiguration = { Rules: [rule] };
  await s3.send(new PutBucketEncryptionCommand({ Bucket, ServerSideEncryptionConfiguration }));
  const put = await s3.send(
    new PutObjectCommand({ Bucket, Key: "a ü/b", Body: "plain", ContentType: "text/plain", Metadata: { who: "me" } }),
  );
  assert.equal(put.ServerSideEncryption, "aws:kms");
  assert.equal(put.SSEKMSKeyId, key);
  assert.equal(put.BucketKeyEnabled, true);
  assert.ok(put.ChecksumCRC32);
  const head = await s3.send(new HeadObjectCommand({ Bucket, Key: "a ü/b", ChecksumMode: "ENABLED" }));
  assert.deepEqual([head.ContentLength, head.ContentType, head.Metadata], [5, "text/plain", { who: "me" }]);
  assert.equal(head.ChecksumCRC32, put.ChecksumCRC32);
  assert.equal((await read("a ü/b")).toString(), "plain");
}

async function parts() {
  const body = randomBytes(6 * 1024 * 1024);
  const Key = "large";
  const { UploadId } = await s3.send(new CreateMultipartUploadCommand({ Bucket, Key }));
  const cut = 5 * 1024 * 1024;
  const Parts = await Promise.all(
    [body.subarray(0, cut), body.subarray(cut)].map(async (Body, at) => {
      const part = await s3.send(new UploadPartCommand({ Bucket, Key, UploadId, PartNumber: at + 1, Body }));
      return { PartNumber: at + 1, ETag: part.ETag, ChecksumCRC32: part.ChecksumCRC32 };
    }),
  );
  await s3.send(new CompleteMultipartUploadCommand({ Bucket, Key, UploadId, MultipartUpload: { Parts } }));
  assert.ok(body.equals(await read(Key)));
  assert.ok(body.subarray(cut - 2, cut + 3).equals(await read(Key, { Range: `bytes=${cut - 2}-${cut + 2}` })));
  await s3.send(new CopyObjectCommand({ Bucket, Key: "copy", CopySource: `${Bucket}/${Key}` }));
  assert.ok(body.equals(await read("copy")));
}

async function versions() {
  const VersioningConfiguration = { Status: "Enabled" };
  await s3.send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration }));
  const first = await s3.send(new PutObjectCommand({ Bucket, Key: "v", Body: "first" }));
  await s3.send(new PutObjectCommand({ Bucket, Key: "v", Body: "second" }));
  assert.equal((await read("v", { VersionId: first.VersionId })).toString(), "first");
  const gone = await s3.send(new DeleteObjectsCommand({ Bucket, Delete: { Objects: [{ Key: "v" }] } }));
  assert.equal(gone.Deleted[0].DeleteMarker, true);
}

async function pages() {
  const found = [];
  for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, { Bucket })) {
    found.push(...(page.Contents ?? []).map((entry) => entry.Key));
  }
  assert.deepEqual(found, ["a ü/b", "copy", "large"]);
}

async function refusals() {
  await assert.rejects(read("nothing"), (error) => error instanceof NoSuchKey);
  await kms.send(new DisableKeyCommand({ KeyId: key }));
  await assert.rejects(read("large"), (error) => error.name === "KMS.DisabledException");
}

const passed = [];
for (const chapter of [encryption, parts, versions, pages, refusals]) {
  await chapter();
  passed.push(chapter.name);
}
console.log(JSON.stringify({ passed }));
