//! What the kinds of EFS share: tags.

use std::collections::BTreeMap;

use aws_sdk_efs::types::Tag;
use lyceum_core::cloud::CloudError;

use crate::calls::Call;
use crate::clients::Clients;
use crate::tags;

/// Writes tags of a file system or an access point; no call without any.
pub(crate) async fn write_tags(
    clients: &Clients,
    id: &str,
    changed: &BTreeMap<String, String>,
) -> Result<(), CloudError> {
    let changed = build(changed)?;
    if changed.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("efs", "TagResource"), || {
            clients.efs.tag_resource().resource_id(id).set_tags(Some(changed.clone())).send()
        })
        .await
        .map(drop)
}

/// As EFS takes tags.
pub(crate) fn build(tags: &BTreeMap<String, String>) -> Result<Vec<Tag>, CloudError> {
    tags::build(tags, |key, value| Tag::builder().key(key).value(value).build())
}

/// As EFS gives them.
pub(crate) fn from_efs(tags: Vec<Tag>) -> BTreeMap<String, String> {
    tags.into_iter().map(|tag| (tag.key, tag.value)).collect()
}
