//! EFS file systems with their mount targets, lifecycle and backup policy.

use std::time::Duration;

use aws_sdk_efs::types::{
    BackupPolicy, FileSystemDescription, LifeCycleState, LifecyclePolicy, MountTargetDescription,
    PerformanceMode, Status, ThroughputMode, TransitionToIaRules,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::FileSystem;
use lyceum_core::observed::Object;

use self::mount_targets::Groups;
use crate::calls::{Call, each, made_or_found, until};
use crate::claim::{Claim, Found, Listing, claim};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::tokens::of_address;
use crate::{efs, tags};

mod mount_targets;

/// How long a file system or a mount target may take to come or go.
const CHANGE: Duration = Duration::from_secs(300);
/// Every file system of our owner; three calls more for each.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let mut listing = Listing::default();
    let mut ours = Vec::new();
    for found in described(clients, None).await? {
        let tags = efs::from_efs(found.tags.clone());
        let facts = ("file-system", found.file_system_id.as_str(), &tags);
        if let Some(address) = listing.address(&clients.site, &clients.region, facts) {
            ours.push((address, found));
        }
    }
    let clients = &clients.of_item();
    let all = each(ours, |(address, found)| async move {
        let children = children(clients, &found.file_system_id).await;
        (address, found, children)
    });
    let mut whole = Vec::new();
    for (address, found, children) in all.await {
        match children {
            Ok(children) => whole.push((address, found, children)),
            Err(error) => listing.unread(&clients.region, &address, &error),
        }
    }
    let targets = whole.iter().flat_map(|(.., children)| &children.targets);
    let interfaces = mount_targets::interfaces(clients, targets).await?;
    for (address, found, children) in whole {
        match mount_targets::by_subnet(clients, &children.targets, &interfaces).await {
            Ok(targets) => {
                listing.push(address, &clients.region, read(found, &children, targets))
            }
            Err(error) => listing.unread(&clients.region, &address, &error),
        }
    }
    Ok(listing)
}

/// Makes a file system, then what belongs to it.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &FileSystem,
) -> Result<Outputs, CloudError> {
    let tags = efs::build(&tags::at_creation(resource))?;
    let token = of_address(&clients.site.source, &resource.address);
    let throughput = Some(want.throughput_mode.as_str()).filter(|mode| !mode.is_empty());
    let made = clients
        .calls
        .send(Call::repeatable("efs", "CreateFileSystem"), || {
            let request = clients.efs.create_file_system().creation_token(&token);
            let request = request.encrypted(want.encrypted).backup(want.backup);
            let request = request
                .performance_mode(PerformanceMode::from(want.performance_mode.as_str()))
                .set_throughput_mode(throughput.map(ThroughputMode::from));
            request.set_tags(Some(tags.clone())).send()
        })
        .await
        .map(|made| made.file_system_id);
    let id = made_or_found(made, ours(clients, &resource.address, &token)).await?;
    let arn = until("efs:DescribeFileSystems", CHANGE, || available(clients, &id)).await?;
    let children = children(clients, &id).await?;
    let seen = FileSystem {
        transition_to_ia_days: children.transition_to_ia_days,
        backup: children.backup,
        ..FileSystem::default()
    };
    write(clients, &id, &seen, want).await?;
    Ok(Outputs::from([("id".into(), id), ("arn".into(), arn)]))
}

/// Writes tags and what belongs to it, where it differs.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &FileSystem),
    (after, want): (&Resource, &FileSystem),
) -> Result<Outputs, CloudError> {
    efs::write_tags(clients, before, after).await?;
    write(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Removes a file system after its mount targets. That it may go was consented to.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &FileSystem,
) -> Result<(), CloudError> {
    let targets = mount_targets::present(clients, &object.id).await?;
    mount_targets::remove(clients, &object.id, &targets).await?;
    clients
        .calls
        .send(Call::repeatable("efs", "DeleteFileSystem"), || {
            clients.efs.delete_file_system().file_system_id(&object.id).send()
        })
        .await
        .map(drop)
}

/// File systems that are not about to go: all, or those of a creation token.
async fn described(
    clients: &Clients,
    token: Option<&str>,
) -> Result<Vec<FileSystemDescription>, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("efs", "DescribeFileSystems"),
            |marker| {
                let request = clients.efs.describe_file_systems().max_items(100);
                let request = request.set_creation_token(token.map(str::to_string));
                request.set_marker(marker).send()
            },
            |page| (page.file_systems.unwrap_or_default(), page.next_marker),
        )
        .await?;
    let going = [LifeCycleState::Deleting, LifeCycleState::Deleted];
    Ok(listed.into_iter().filter(|found| !going.contains(&found.life_cycle_state)).collect())
}

/// What belongs to a file system, as it is read.
struct Children {
    transition_to_ia_days: u32,
    backup: bool,
    targets: Vec<MountTargetDescription>,
}

async fn children(clients: &Clients, id: &str) -> Result<Children, CloudError> {
    let (transition_to_ia_days, backup, targets) = tokio::try_join!(
        read_lifecycle(clients, id),
        read_backup(clients, id),
        mount_targets::present(clients, id),
    )?;
    Ok(Children { transition_to_ia_days, backup, targets })
}

fn read(
    found: FileSystemDescription,
    children: &Children,
    mount_targets: Groups,
) -> Found {
    let throughput = found.throughput_mode.map(|mode| mode.as_str().to_string());
    let body = FileSystem {
        encrypted: found.encrypted.unwrap_or(false),
        performance_mode: found.performance_mode.as_str().into(),
        throughput_mode: throughput.unwrap_or_default(),
        transition_to_ia_days: children.transition_to_ia_days,
        backup: children.backup,
        mount_targets,
    };
    Found {
        id: found.file_system_id,
        tags: efs::from_efs(found.tags),
        outputs: Outputs::from([("arn".into(), found.file_system_arn.unwrap_or_default())]),
        body: body.into(),
    }
}

async fn read_lifecycle(clients: &Clients, id: &str) -> Result<u32, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("efs", "DescribeLifecycleConfiguration"), || {
            clients.efs.describe_lifecycle_configuration().file_system_id(id).send()
        })
        .await?;
    let days = |rule: &TransitionToIaRules| {
        let text = rule.as_str().strip_prefix("AFTER_")?;
        text.split('_').next()?.parse().ok()
    };
    Ok(answer
        .lifecycle_policies()
        .iter()
        .find_map(|policy| policy.transition_to_ia().and_then(days))
        .unwrap_or(0))
}

async fn read_backup(clients: &Clients, id: &str) -> Result<bool, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("efs", "DescribeBackupPolicy"), || {
            clients.efs.describe_backup_policy().file_system_id(id).send()
        })
        .await;
    let policy = found(answer)?.and_then(|answer| answer.backup_policy);
    Ok(policy.is_some_and(|policy| matches!(policy.status, Status::Enabled | Status::Enabling)))
}

/// The file system of this token that carries our address.
async fn ours(
    clients: &Clients,
    address: &Address,
    token: &str,
) -> Result<Option<String>, CloudError> {
    let there = described(clients, Some(token)).await?;
    let mine = |found: &FileSystemDescription| {
        let tags = efs::from_efs(found.tags.clone());
        claim(&clients.site, "file-system", &tags) == Claim::Ours(address.clone())
    };
    Ok(there.into_iter().find(mine).map(|found| found.file_system_id))
}

async fn available(clients: &Clients, id: &str) -> Result<Option<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("efs", "DescribeFileSystems"), || {
            clients.efs.describe_file_systems().file_system_id(id).send()
        })
        .await;
    let listed = found(answer)?.and_then(|answer| answer.file_systems).unwrap_or_default();
    let ready = |found: &FileSystemDescription| found.life_cycle_state == LifeCycleState::Available;
    Ok(listed.into_iter().find(ready).and_then(|found| found.file_system_arn))
}

/// The backup policy comes last: an endpoint that does not offer it must not
/// keep the rest from being written.
async fn write(
    clients: &Clients,
    id: &str,
    seen: &FileSystem,
    want: &FileSystem,
) -> Result<(), CloudError> {
    if seen.transition_to_ia_days != want.transition_to_ia_days {
        write_lifecycle(clients, id, want.transition_to_ia_days).await?;
    }
    if seen.mount_targets != want.mount_targets {
        mount_targets::write(clients, id, &seen.mount_targets, &want.mount_targets).await?;
    }
    if seen.backup != want.backup {
        write_backup(clients, id, want.backup).await?;
    }
    Ok(())
}

async fn write_lifecycle(clients: &Clients, id: &str, days: u32) -> Result<(), CloudError> {
    let rule = match days {
        1 => Some("AFTER_1_DAY".to_string()),
        0 => None,
        days => Some(format!("AFTER_{days}_DAYS")),
    };
    let policies: Vec<LifecyclePolicy> = rule
        .map(|rule| TransitionToIaRules::from(rule.as_str()))
        .map(|rule| LifecyclePolicy::builder().transition_to_ia(rule).build())
        .into_iter()
        .collect();
    clients
        .calls
        .send(Call::repeatable("efs", "PutLifecycleConfiguration"), || {
            let request = clients.efs.put_lifecycle_configuration().file_system_id(id);
            request.set_lifecycle_policies(Some(policies.clone())).send()
        })
        .await
        .map(drop)
}

async fn write_backup(clients: &Clients, id: &str, on: bool) -> Result<(), CloudError> {
    let status = if on { Status::Enabled } else { Status::Disabled };
    let policy = BackupPolicy::builder().status(status).build().map_err(incomplete)?;
    clients
        .calls
        .send(Call::repeatable("efs", "PutBackupPolicy"), || {
            let request = clients.efs.put_backup_policy().file_system_id(id);
            request.backup_policy(policy.clone()).send()
        })
        .await
        .map(drop)
}

