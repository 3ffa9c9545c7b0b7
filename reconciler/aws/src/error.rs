//! The one table of AWS's error codes.

use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use aws_smithy_types::error::operation::BuildError;
use lyceum_core::cloud::{Class, CloudError};

/// Code to meaning. A code is matched whole, or by its end after a dot
/// (`InvalidVpcID.NotFound`). What is not here is judged by its HTTP status.
const CODES: &[(Class, &[&str])] = &[
    (
        Class::Throttled,
        &[
            "RequestLimitExceeded",
            "Throttling",
            "ThrottlingException",
            "ThrottledException",
            "TooManyRequestsException",
            "TooManyUpdates",
            "RequestThrottled",
            "RequestThrottledException",
            "PriorRequestNotComplete",
            "SlowDown",
            "BandwidthLimitExceeded",
            "EC2ThrottledException",
            "ProvisionedThroughputExceededException",
        ],
    ),
    (
        Class::Ambiguous,
        &[
            "InternalError",
            "InternalFailure",
            "InternalServerError",
            "InternalServiceError",
            "InternalServiceFault",
            "ServiceUnavailable",
            "ServiceUnavailableException",
            "ServiceFailure",
            "Unavailable",
            "RequestTimeout",
            "RequestTimeoutException",
        ],
    ),
    (
        Class::NotYet,
        &[
            "DependencyViolation",
            "DependencyTimeout",
            "ResourceInUse",
            "ResourceInUseFault",
            "ResourceInUseException",
            "ResourceContentionFault",
            "ScalingActivityInProgress",
            "ScalingActivityInProgressFault",
            "FileSystemInUse",
            "IncorrectFileSystemLifeCycleState",
            "IncorrectMountTargetState",
            "IncorrectInstanceState",
            "IncorrectState",
            "IncorrectSpotRequestState",
            "VolumeInUse",
            "IncorrectModificationState",
            "VolumeModificationRateExceeded",
            "InvalidIPAddress.InUse",
            "InvalidNetworkInterface.InUse",
            "InvalidParameterValue.InUse",
            "DeleteConflict",
            "DeleteConflictException",
            "EntityTemporarilyUnmodifiable",
            "ConcurrentModification",
            "ConcurrentModificationException",
            "OperationAborted",
            "ConditionalRequestConflict",
            "InsufficientInstanceCapacity",
            "Gateway.NotAttached",
            "QueueDeletedRecently",
            "AWS.SimpleQueueService.QueueDeletedRecently",
            "DuplicateRequest",
            "BucketNotEmpty",
        ],
    ),
    (
        Class::NotFound,
        &[
            "NotFound",
            "NotFoundException",
            "NotAttached",
            "ResourceNotFoundException",
            "ResourceNotFound",
            "NoSuchEntity",
            "NoSuchEntityException",
            "NoSuchBucket",
            "NoSuchKey",
            "NoSuchBucketPolicy",
            "NoSuchTagSet",
            "NoSuchLifecycleConfiguration",
            "NoSuchHostedZone",
            "ServerSideEncryptionConfigurationNotFoundError",
            "NoSuchPublicAccessBlockConfiguration",
            "ParameterNotFound",
            "FileSystemNotFound",
            "MountTargetNotFound",
            "AccessPointNotFound",
            "PolicyNotFound",
            "NamespaceNotFound",
            "ServiceNotFound",
            "InstanceNotFound",
            "OperationNotFound",
            "QueueDoesNotExist",
            "AWS.SimpleQueueService.NonExistentQueue",
            "InvalidAssociationID",
            "VersionNotFound",
        ],
    ),
    (
        Class::Exists,
        &[
            "Duplicate",
            "AlreadyExists",
            "AlreadyExistsFault",
            "AlreadyExistsException",
            "EntityAlreadyExists",
            "EntityAlreadyExistsException",
            "ParameterAlreadyExists",
            "FileSystemAlreadyExists",
            "AccessPointAlreadyExists",
            "MountTargetConflict",
            "NamespaceAlreadyExists",
            "ConflictingDomainExists",
            "ServiceAlreadyExists",
            "QueueAlreadyExists",
            "BucketAlreadyOwnedByYou",
            "AlreadyAssociated",
            "RouteAlreadyExists",
            "Conflict",
        ],
    ),
    (
        Class::Denied,
        &[
            "AccessDenied",
            "AccessDeniedException",
            "UnauthorizedOperation",
            "UnauthorizedException",
            "AuthFailure",
            "OptInRequired",
            "ExpiredToken",
            "ExpiredTokenException",
            "InvalidClientTokenId",
            "UnrecognizedClientException",
            "SignatureDoesNotMatch",
            "InvalidAccessKeyId",
            "MissingAuthenticationToken",
        ],
    ),
    (Class::Invalid, &["MaxSpotInstanceCountExceeded"]),
    (Class::Unsupported, &["NotImplemented", "UnsupportedOperation", "InvalidAction"]),
];

/// What a failed call means, in one vocabulary.
pub(crate) fn classify<E>(operation: &str, error: &SdkError<E, HttpResponse>) -> CloudError
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
{
    let code = error.code().unwrap_or_default().to_string();
    let message = match error.message() {
        Some(message) if !message.is_empty() => message.to_string(),
        _ => chain(error),
    };
    let class = match error {
        SdkError::ConstructionFailure(_) => Class::Invalid,
        // No answer, or one that cannot be read: it may have been carried out.
        SdkError::TimeoutError(_) | SdkError::DispatchFailure(_) | SdkError::ResponseError(_) => {
            Class::Ambiguous
        }
        _ => by_code(&code).unwrap_or_else(|| {
            error.raw_response().map_or(Class::Ambiguous, |answer| {
                by_status(answer.status().as_u16(), is_page(answer))
            })
        }),
    };
    let class = if credentials_missing(&message) { Class::Denied } else { class };
    CloudError { class, operation: operation.into(), code, message }
}

/// What is there, or nothing where the answer is that it is not.
pub(crate) fn found<T>(answer: Result<T, CloudError>) -> Result<Option<T>, CloudError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.class == Class::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// A request that lacks something the service asks for.
pub(crate) fn incomplete(error: BuildError) -> CloudError {
    CloudError::new(Class::Invalid, "request", error.to_string())
}

/// The longest chain of causes that is told.
const LONGEST: usize = 300;

/// An error and its causes in one line; the SDK's own rendering is a dump.
fn chain(error: &dyn std::error::Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = error.source();
    }
    match told.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &told[..end]),
        None => told,
    }
}

fn by_code(code: &str) -> Option<Class> {
    if code.is_empty() {
        return None;
    }
    let end = code.rsplit('.').next().unwrap_or(code);
    let whole = |word: &&str| *word == code;
    let ending = |word: &&str| *word == end;
    let find = |matches: &dyn Fn(&&str) -> bool| {
        CODES.iter().find(|(_, words)| words.iter().any(matches)).map(|(class, _)| *class)
    };
    find(&whole).or_else(|| find(&ending)).or_else(|| quota(end))
}

/// A quota that is used up: no waiting helps. The codes whose limit is one of
/// rate are in the table.
fn quota(end: &str) -> Option<Class> {
    let code = end.trim_end_matches("Exception").trim_end_matches("Fault");
    code.ends_with("LimitExceeded").then_some(Class::Invalid)
}

fn by_status(status: u16, page: bool) -> Class {
    match status {
        403 | 401 => Class::Denied,
        404 => Class::NotFound,
        409 => Class::Exists,
        412 => Class::Exists,
        429 => Class::Throttled,
        501 => Class::Unsupported,
        // A web page where an answer was due: the endpoint has no such call.
        500 if page => Class::Unsupported,
        500.. => Class::Ambiguous,
        // An error without a code in an answer that is none.
        ..=399 => Class::Ambiguous,
        _ => Class::Invalid,
    }
}

fn is_page(answer: &HttpResponse) -> bool {
    answer.headers().get("content-type").is_some_and(|kind| kind.starts_with("text/html"))
}

/// No credentials is found out before a call is sent, as a dispatch failure.
fn credentials_missing(message: &str) -> bool {
    message.contains("no credentials") || message.contains("credentials provider was not enabled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_not_found_is_nothing() {
        let error = |class| CloudError::new(class, "ec2:X", "x");
        assert_eq!(found(Ok(1)).unwrap(), Some(1));
        assert_eq!(found::<()>(Err(error(Class::NotFound))).unwrap(), None);
        assert_eq!(found::<()>(Err(error(Class::Denied))).unwrap_err().class, Class::Denied);
    }

    #[test]
    fn codes_are_matched_whole_or_by_their_end() {
        assert_eq!(by_code("RequestLimitExceeded"), Some(Class::Throttled));
        assert_eq!(by_code("InvalidVpcID.NotFound"), Some(Class::NotFound));
        assert_eq!(by_code("InvalidGroup.Duplicate"), Some(Class::Exists));
        assert_eq!(by_code("InvalidIPAddress.InUse"), Some(Class::NotYet));
        assert_eq!(by_code("InvalidLaunchTemplateId.VersionNotFound"), Some(Class::NotFound));
        assert_eq!(by_code("IncorrectModificationState"), Some(Class::NotYet));
        assert_eq!(by_code("SomethingNew"), None);
    }

    #[test]
    fn a_quota_that_is_used_up_is_no_matter_of_waiting() {
        let quotas = [
            "LimitExceeded",
            "LimitExceededException",
            "FileSystemLimitExceeded",
            "AccessPointLimitExceeded",
            "VcpuLimitExceeded",
            "MaxSpotInstanceCountExceeded",
        ];
        for code in quotas {
            assert_eq!(by_code(code), Some(Class::Invalid), "{code}");
        }
        assert_eq!(by_code("BandwidthLimitExceeded"), Some(Class::Throttled));
    }

    #[test]
    fn an_answer_without_a_code_that_is_no_error_leaves_it_open() {
        assert_eq!(by_status(200, false), Class::Ambiguous);
        assert_eq!(by_status(307, false), Class::Ambiguous);
        assert_eq!(by_status(400, false), Class::Invalid);
    }

    #[test]
    fn no_code_stands_for_two_classes() {
        let mut seen = std::collections::BTreeSet::new();
        for word in CODES.iter().flat_map(|(_, words)| words.iter()) {
            assert!(seen.insert(word), "{word} is in the table twice");
        }
    }

    #[test]
    fn a_web_page_is_a_call_that_is_not_offered() {
        assert_eq!(by_status(500, true), Class::Unsupported);
        assert_eq!(by_status(500, false), Class::Ambiguous);
        assert_eq!(by_status(503, true), Class::Ambiguous);
    }
}
