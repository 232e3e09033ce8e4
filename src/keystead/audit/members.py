"""The members of IAM, STS, Organizations and CloudTrail that events show: names of theirs that are listed here and no others.

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

MEMBERS: Final[Mapping[str, frozenset[str]]] = {
    service: frozenset(names.split())
    for service, names in {
        "cloudtrail": _CLOUDTRAIL,
        "iam": _IAM,
        "organizations": _ORGANIZATIONS,
        "sts": _STS,
    }.items()
}
"""By service; a name counts at any depth of a request or an answer."""
