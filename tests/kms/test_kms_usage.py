"""When a key was last used, by boto3 against a running server."""

DAY = 86_400


def last(kms, key):
    return kms.get_key_last_usage(KeyId=key["KeyId"])


def test_an_unused_key_has_an_empty_record(kms, new_key):
    key = new_key()
    answer = last(kms, key)
    assert answer["KeyLastUsage"] == {}
    assert answer["KeyId"] == key["KeyId"]
    assert answer["KeyCreationDate"] == answer["TrackingStartDate"] == key["CreationDate"]


def test_the_last_successful_use_is_named_with_its_event(kms, new_key, eventually):
    key = new_key()
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")
    answer = kms.generate_data_key(KeyId=key["KeyId"], KeySpec="AES_256")
    request = answer["ResponseMetadata"]["RequestId"]
    used = eventually(
        lambda: last(kms, key)["KeyLastUsage"], lambda used: used.get("KmsRequestId") == request
    )
    assert used["Operation"] == "GenerateDataKey"
    assert used["Timestamp"] >= key["CreationDate"]
    assert len(used["CloudTrailEventId"]) == 36


def test_failures_and_management_do_not_count(kms, new_key, refused):
    key = new_key()
    with refused("DryRunOperationException"):
        kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p", DryRun=True)
    with refused("InvalidCiphertextException"):
        kms.decrypt(KeyId=key["KeyId"], CiphertextBlob=b"c")
    kms.describe_key(KeyId=key["KeyId"])
    kms.disable_key(KeyId=key["KeyId"])
    assert last(kms, key)["KeyLastUsage"] == {}


def test_reencrypt_marks_both_keys(kms, new_key, eventually):
    source, destination = new_key(), new_key()
    blob = kms.encrypt(KeyId=source["KeyId"], Plaintext=b"p")["CiphertextBlob"]
    kms.re_encrypt(CiphertextBlob=blob, DestinationKeyId=destination["KeyId"])
    for key in (source, destination):
        eventually(
            lambda k=key: last(kms, k)["KeyLastUsage"], lambda used: used.get("Operation") == "ReEncrypt"
        )


def test_each_region_counts_for_itself(server, kms, new_key, eventually):
    key = new_key(MultiRegion=True)
    there = server.client("kms", region="eu-west-1")
    kms.replicate_key(KeyId=key["KeyId"], ReplicaRegion="eu-west-1")
    kms.encrypt(KeyId=key["KeyId"], Plaintext=b"p")
    eventually(lambda: last(kms, key)["KeyLastUsage"], len)
    assert last(there, key)["KeyLastUsage"] == {}
