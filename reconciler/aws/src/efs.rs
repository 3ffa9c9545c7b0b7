//! What the kinds of EFS share: tags.

use std::collections::BTreeMap;

use aws_sdk_efs::types::Tag;
use lyceum_core::cloud::CloudError;
use lyceum_core::desired::Resource;
use lyceum_core::observed::Object;

use crate::calls::Call;
use crate::clients::Clients;
use crate::tags;

/// Writes tags of a file system or an access point; no call without any.
pub(crate) async fn write_tags(
    clients: &Clients,
    before: &Object,
    after: &Resource,
) -> Result<(), CloudError> {
    let id = &before.id;
    let changed = build(&tags::to_write(before, after))?;
    if !changed.is_empty() {
        clients
            .calls
            .send(Call::repeatable("efs", "TagResource"), || {
                clients.efs.tag_resource().resource_id(id).set_tags(Some(changed.clone())).send()
            })
            .await?;
    }
    let gone = tags::to_remove(before, after);
    if gone.is_empty() {
        return Ok(());
    }
    clients
        .calls
        .send(Call::repeatable("efs", "UntagResource"), || {
            clients.efs.untag_resource().resource_id(id).set_tag_keys(Some(gone.clone())).send()
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
