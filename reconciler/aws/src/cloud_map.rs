//! What the kinds of Cloud Map share: its changes are operations that end later.

use std::time::Duration;

use aws_sdk_servicediscovery::types::{Operation, OperationStatus};
use aws_smithy_types::DateTime;
use lyceum_core::cloud::{Class, CloudError};

use crate::calls::{Call, until};
use crate::clients::Clients;
use crate::tokens;

/// How long an operation may take; a namespace takes about a minute.
const OPERATION: Duration = Duration::from_secs(300);

/// Waits until an operation has ended well.
pub(crate) async fn finished(
    clients: &Clients,
    operation: &str,
    id: Option<&str>,
) -> Result<(), CloudError> {
    let Some(id) = id else { return Ok(()) };
    outcome(operation, &wait(clients, id).await?)
}

/// Waits until an operation that a token stands for has ended well, and says when
/// it began. `None`: an earlier call began it, and it failed then.
pub(crate) async fn begun(
    clients: &Clients,
    operation: &str,
    id: &str,
) -> Result<Option<Option<DateTime>>, CloudError> {
    let ended = wait(clients, id).await?;
    match outcome(operation, &ended) {
        Ok(()) => Ok(Some(ended.create_date)),
        Err(_) if tokens::is_earlier(ended.create_date()) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn wait(clients: &Clients, id: &str) -> Result<Operation, CloudError> {
    until("servicediscovery:GetOperation", OPERATION, || ended(clients, id)).await
}

fn outcome(operation: &str, ended: &Operation) -> Result<(), CloudError> {
    if ended.status() == Some(&OperationStatus::Success) {
        return Ok(());
    }
    let code = ended.error_code().unwrap_or_default().to_string();
    let message = ended.error_message().unwrap_or("the operation failed").to_string();
    Err(CloudError { class: class(&code), operation: operation.into(), code, message })
}

async fn ended(clients: &Clients, id: &str) -> Result<Option<Operation>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("servicediscovery", "GetOperation"), || {
            clients.discovery.get_operation().operation_id(id).send()
        })
        .await?;
    Ok(answer.operation.filter(|operation| {
        matches!(operation.status(), Some(OperationStatus::Success | OperationStatus::Fail))
    }))
}

/// An operation's own codes; what is not here may pass with time.
fn class(code: &str) -> Class {
    match code {
        "ACCESS_DENIED" => Class::Denied,
        "CONFLICTING_DOMAIN_EXISTS" => Class::Exists,
        "NAMESPACE_NOT_FOUND" | "SERVICE_NOT_FOUND" | "INSTANCE_NOT_FOUND" => Class::NotFound,
        "INVALID_INPUT" | "HOSTED_ZONE_LIMIT_EXCEEDED" => Class::Invalid,
        _ => Class::NotYet,
    }
}
