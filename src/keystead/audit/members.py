"""The members of IAM, STS, Organizations, CloudTrail and S3 that events show: those that are listed here.

A member that AWS adds to a model is shown only once its name stands here; a test fails until somebody has decided.
What a model marks as sensitive is never shown, listed or not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_IAM: Final = """
    aWSServiceName accessKey accessKeyId accountAlias actionNames allUsers allowUsersToChangePassword arn
    assertionEncryptionMode assignmentStatus assumeRolePolicyDocument attachmentCount attachmentName
    attachmentType callerArn certificate certificateBody certificateChain certificateId clientID clientIDList
    consoleDeepLink contextEntries contextKeyName contextKeyType contextKeyValues createDate credentialAgeDays
    customSuffix defaultVersionId delegationPermissionCheck delegationRequestId deletionTaskId description
    document enableDate enabledFeatures encoding entityArn entityFilter entityPath expiration expirationDate
    filter fingerprint globalEndpointTokenVersion granularity group groupId groupName hardExpiry
    inlinePolicyIdentifier instanceProfile instanceProfileId instanceProfileName isAttachable isDefaultVersion
    issuerIdentifier jobId key lastUsedDate locale loginProfile marker maxItems maxPasswordAge
    maxSessionDuration minimumPasswordLength minorVersion name newGroupName newPath newServerCertificateName
    newUserName notes notificationChannel onlyAttached onlySendByOwner openIDConnectProviderArn
    orderedOrganizationPolicyInputList organizationId organizationsPolicyId ownerAccountId ownerId parameters
    passwordLastUsed passwordResetRequired passwordReusePrevention path pathPrefix permissions
    permissionsBoundary permissionsBoundaryArn permissionsBoundaryPolicyInputList permissionsBoundaryType
    permissionsBoundaryUsageCount policy policyArn policyDocument policyExclusionList policyId policyInputList
    policyName policySourceArn policyTemplateArn policyType policyUsageFilter policyVersion properties
    redirectUrl region removePrivateKey replacementValues requestMessage requestorWorkflowId
    requireLowercaseCharacters requireNumbers requireSymbols requireUppercaseCharacters resourceArns
    resourceHandlingOption resourceOwner resourcePolicy role roleId roleLastUsed roleName roles
    sAMLMetadataDocument sAMLProviderArn sSHPublicKey sSHPublicKeyBody sSHPublicKeyId scope serialNumber
    serverCertificateId serverCertificateMetadata serverCertificateName serviceControlPolicyInputList
    serviceCredentialAlias serviceName serviceNamespace serviceNamespaces serviceSpecificCredential
    serviceSpecificCredentialId serviceUserName sessionDuration setAsDefault sortKey sourceRoleTemplate status
    tagKeys tags templateArn templateMinorVersion thumbprintList type updateDate uploadDate url user userId
    userName value values versionId virtualMFADevice virtualMFADeviceName
"""

_OWN: Final = """
    admin days keyId marker maxEvents maxVersions needs users
"""

_ORGANIZATIONS: Final = """
    accountId action actionType activeHandshakeId arn availablePolicyTypes awsManaged childId childType
    completedTimestamp content createAccountRequestId createAccountStatus description destinationParentId
    endTimestamp expirationTimestamp failureReason featureSet filter govCloudAccountId handshake handshakeId
    iamUserAccessToBilling id key managementAccountId masterAccountArn masterAccountId maxResults name
    nextToken organization organizationalUnit organizationalUnitId parentHandshakeId parentId parties path
    policy policyId policySummary policyType policyTypes requestedTimestamp resourceId resourcePolicy
    resourcePolicySummary resources responsibilityTransfer roleName root rootId servicePrincipal source
    sourceParentId startTimestamp state states status tagKeys tags target targetId type value
"""

_STS: Final = """
    accessKeyId arn assumedRoleId assumedRoleUser audience credentials durationSeconds encodedMessage
    expiration externalId federatedUser federatedUserId issuer key minimumSessionTokenSize name nameQualifier
    packedPolicySize policy policyArns principalArn providedContexts provider providerArn providerId roleArn
    roleSessionName serialNumber sessionTokenSize sessionTokenUtilization signingAlgorithm sourceIdentity
    subject subjectFromWebIdentityToken subjectType tags targetPrincipal taskPolicyArn transitiveTagKeys value
"""

_CLOUDTRAIL: Final = """
    advancedEventSelectors aggregationConfigurations attributeKey attributeValue billingMode channel
    channelArn cloudWatchLogsLogGroupArn cloudWatchLogsRoleArn contextKeySelectors createdTimestamp
    dashboardArn dashboardId dataResources dataType delegatedAdminAccountId delegatedAdminResourcePolicy
    deliveryS3Uri destination destinations dimensions enableLogFileValidation endEventTime endTime endsWith
    equals errorCode eventCategories eventCategory eventDataStore eventDataStoreArn
    eventDataStoreOwnerAccountId eventDataStores eventName eventSelectors eventSource eventsCompleted
    excludeManagementEventSources failedEntries federationRoleArn federationStatus field fieldSelectors
    filesCompleted frequency importId importSource importStatistics importStatus includeGlobalServiceEvents
    includeManagementEvents includeShadowTrails insightSelectors insightSource insightType
    insightsDestination isMultiRegionTrail isOrganizationTrail key kmsKeyId location
    logFileValidationEnabled lookupAttributes maxEventSize maxQueryResults maxResults memberAccountId
    multiRegionEnabled name namePrefix nextToken notEndsWith notEquals notStartsWith organizationEnabled
    period prefixesCompleted prefixesFound prompt queryAlias queryId queryParameterValues queryParameters
    queryStatement queryStatus readWriteType recursiveLogging refreshId refreshSchedule resourceArn
    resourceId resourceIdList resourcePolicy retentionPeriod s3 s3BucketAccessRoleArn s3BucketName
    s3BucketRegion s3KeyPrefix s3LocationUri searchPhrase snsTopicARN snsTopicName source startEventTime
    startIngestion startTime startsWith status tags tagsList templates terminationProtectionEnabled
    timeOfDay trailARN trailName trailNameList type unit updatedTimestamp value values viewProperties
    widgets
"""

_S3: Final = """
    abortIncompleteMultipartUpload allowedHeader allowedMethod allowedOrigin and
    applyServerSideEncryptionByDefault blockPublicAcls blockPublicPolicy blockedEncryptionTypes
    bucket-region bucketKeyEnabled bucketName cORSConfiguration cORSRule cache-Control checksumCRC32
    checksumCRC32C checksumCRC64NVME checksumMD5 checksumSHA1 checksumSHA256 checksumSHA512 checksumType
    checksumXXHASH128 checksumXXHASH3 checksumXXHASH64 code completeMultipartUpload content-Disposition
    content-Encoding content-Language content-Length content-MD5 content-Type continuation-token
    copyObjectResult copyPartResult createBucketConfiguration dataRedundancy date days daysAfterInitiation
    defaultEventHold defaultRetention delete deleteMarker deleteMarkerVersionId deleted delimiter eTag
    encoding-type encryptionType error eventHold eventHoldDuration expiration expiredObjectDeleteMarker
    expires exposeHeader fetch-owner filter iD id if-Match if-Modified-Since if-None-Match if-Unmodified-Since
    ignorePublicAcls kMSMasterKeyID key key-marker lastModified lastModifiedTime legalHold
    lifecycleConfiguration location locationConstraint marker max-buckets max-keys max-parts max-uploads
    maxAgeSeconds message mfaDelete mode name newerNoncurrentVersions noncurrentDays
    noncurrentVersionExpiration noncurrentVersionTransition object objectEncryption objectLockConfiguration
    objectLockEnabled objectOwnership objectSizeGreaterThan objectSizeLessThan ownershipControls part
    part-number-marker partNumber policy prefix publicAccessBlockConfiguration quiet range
    response-cache-control response-content-disposition response-content-encoding response-content-language
    response-content-type response-expires restrictPublicBuckets retainUntilDate retention rule sSE-KMS
    sSEAlgorithm serverSideEncryptionConfiguration size start-after status storageClass tag tagSet tagging
    tags transition type upload-id-marker uploadId value version-id-marker versionId versioningConfiguration
    x-amz-abort-date x-amz-abort-rule-id x-amz-acl x-amz-bucket-arn x-amz-bucket-namespace
    x-amz-bucket-object-lock-enabled x-amz-bypass-governance-retention x-amz-checksum-algorithm
    x-amz-checksum-crc32 x-amz-checksum-crc32c x-amz-checksum-crc64nvme x-amz-checksum-md5
    x-amz-checksum-mode x-amz-checksum-sha1 x-amz-checksum-sha256 x-amz-checksum-sha512 x-amz-checksum-type
    x-amz-checksum-xxhash128 x-amz-checksum-xxhash3 x-amz-checksum-xxhash64
    x-amz-confirm-remove-self-bucket-access x-amz-copy-source x-amz-copy-source-if-match
    x-amz-copy-source-if-modified-since x-amz-copy-source-if-none-match
    x-amz-copy-source-if-unmodified-since x-amz-copy-source-range
    x-amz-copy-source-server-side-encryption-customer-algorithm
    x-amz-copy-source-server-side-encryption-customer-key-MD5 x-amz-copy-source-version-id
    x-amz-delete-marker x-amz-expected-bucket-owner x-amz-expiration x-amz-grant-full-control
    x-amz-grant-read x-amz-grant-read-acp x-amz-grant-write x-amz-grant-write-acp
    x-amz-if-match-initiated-time x-amz-if-match-last-modified-time x-amz-if-match-size x-amz-max-parts
    x-amz-metadata-directive x-amz-mfa x-amz-mp-object-size x-amz-object-annotation-directive
    x-amz-object-attributes x-amz-object-lock-event-hold x-amz-object-lock-event-hold-duration-days
    x-amz-object-lock-event-hold-duration-years x-amz-object-lock-legal-hold x-amz-object-lock-mode
    x-amz-object-lock-retain-until-date x-amz-object-ownership x-amz-object-size
    x-amz-optional-object-attributes x-amz-part-number-marker x-amz-request-charged x-amz-request-payer
    x-amz-sdk-checksum-algorithm x-amz-server-side-encryption x-amz-server-side-encryption-aws-kms-key-id
    x-amz-server-side-encryption-bucket-key-enabled x-amz-server-side-encryption-customer-algorithm
    x-amz-server-side-encryption-customer-key-MD5 x-amz-source-expected-bucket-owner x-amz-storage-class
    x-amz-tagging x-amz-tagging-directive x-amz-transition-default-minimum-object-size x-amz-version-id
    x-amz-website-redirect-location x-amz-write-offset-bytes years
"""

_ACCESS_ANALYZER: Final = """
    access accessPointPolicy accessPoints accessPreviewId accessRole accountIds actions allRegions
    analysisRule analyzerArn analyzerName archiveRules arn attributeName attributes bucketAclGrants
    bucketPolicy bucketPublicAccessBlock clientToken cloudTrailArn cloudTrailDetails configuration
    configurations constraints contains dynamodbStream dynamodbTable ebsSnapshot ecrRepository
    efsFileSystem encryptionContextEquals encryptionContextSubset endTime eq exclusions exists
    fileSystemPolicy filter grantee granteePrincipal grants groups iamRole id ids ignorePublicAcls
    includeResourcePlaceholders includeServiceLevelTemplate inclusions internalAccess
    internetConfiguration issuingAccount jobId keyPolicies kmsKey kmsKeyId locale maxResults neq
    networkOrigin nextToken operations orderBy permission policyDocument policyGenerationDetails
    policyType principalArn publicAccessBlock queuePolicy rdsDbClusterSnapshot rdsDbSnapshot regions
    repositoryPolicy resourceArn resourceArns resourceOwnerAccount resourceTags resourceType resourceTypes
    resources restrictPublicBuckets retiringPrincipal ruleName s3Bucket s3ExpressDirectoryBucket
    secretPolicy secretsManagerSecret snsTopic sort sqsQueue startTime status streamPolicy tablePolicy
    tagKeys tags topicPolicy trails trustPolicy type unusedAccess unusedAccessAge uri userIds
    validatePolicyResourceType vpcConfiguration vpcId
"""

HIDDEN_BY_CHOICE: Final[Mapping[str, frozenset[str]]] = {
    "s3": frozenset({"body", "x-amz-bucket-object-lock-token", "x-amz-meta-"})
}
"""Names that no event shows though no model marks them: what is in an object, what its owner says of it, and a token."""

MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    service: frozenset(names.split())
    for service, names in {
        "access-analyzer": _ACCESS_ANALYZER,
        "cloudtrail": _CLOUDTRAIL,
        "iam": _IAM,
        "keystead": _OWN,
        "organizations": _ORGANIZATIONS,
        "s3": _S3,
        "sts": _STS,
    }.items()
}
"""By service; a name counts at any depth of a request or an answer."""
