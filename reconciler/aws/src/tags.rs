//! Tags: what is put on an object when it is made, and what has to change.

use std::collections::BTreeMap;
use std::time::SystemTime;

use aws_sdk_ec2::types::{ResourceType, Tag, TagSpecification};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use aws_smithy_types::error::operation::BuildError;
use lyceum_core::cloud::CloudError;
use lyceum_core::desired::Resource;
use lyceum_core::observed::Object;
use lyceum_core::site::{TAG_CREATED, TAG_LABEL_PREFIX};

use crate::error::incomplete;

/// The tags of an object that is made now: the resource's, and the time.
pub(crate) fn at_creation(resource: &Resource) -> BTreeMap<String, String> {
    let mut tags = resource.tags.clone();
    tags.insert(TAG_CREATED.into(), now());
    tags
}

/// The owned tags that are missing or differ. Foreign tags are left alone.
pub(crate) fn to_write(before: &Object, after: &Resource) -> BTreeMap<String, String> {
    after
        .tags
        .iter()
        .filter(|(key, value)| before.tags.get(*key) != Some(value))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// The keys of labels that are there and wanted no more.
pub(crate) fn to_remove(before: &Object, after: &Resource) -> Vec<String> {
    let label = |key: &&String| key.starts_with(TAG_LABEL_PREFIX) && !after.tags.contains_key(*key);
    before.tags.keys().filter(label).cloned().collect()
}

/// As EC2 takes tags at creation, the time not among them: for a request with a
/// token, see `tokens`.
pub(crate) fn constant(kind: ResourceType, resource: &Resource) -> TagSpecification {
    TagSpecification::builder().resource_type(kind).set_tags(Some(for_ec2(&resource.tags))).build()
}

/// Tags with the time of creation that the service keeps by itself.
pub(crate) fn with_time(
    mut tags: BTreeMap<String, String>,
    made: Option<&DateTime>,
) -> BTreeMap<String, String> {
    if let Some(made) = made {
        tags.insert(TAG_CREATED.into(), text(made));
    }
    tags
}

/// As EC2 takes tags at creation.
pub(crate) fn specification(kind: ResourceType, resource: &Resource) -> TagSpecification {
    TagSpecification::builder()
        .resource_type(kind)
        .set_tags(Some(for_ec2(&at_creation(resource))))
        .build()
}

/// As EC2 takes tags.
pub(crate) fn for_ec2(tags: &BTreeMap<String, String>) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}

/// As EC2 gives them.
pub(crate) fn from_ec2(tags: &[Tag]) -> BTreeMap<String, String> {
    tags.iter()
        .filter_map(|tag| {
            Some((tag.key()?.to_string(), tag.value().unwrap_or_default().to_string()))
        })
        .collect()
}

/// As any other service takes them; `make` builds one.
pub(crate) fn build<T>(
    tags: &BTreeMap<String, String>,
    make: impl Fn(&str, &str) -> Result<T, BuildError>,
) -> Result<Vec<T>, CloudError> {
    tags.iter().map(|(key, value)| make(key, value).map_err(incomplete)).collect()
}

fn now() -> String {
    text(&DateTime::from(SystemTime::now()))
}

/// RFC 3339 in UTC with milliseconds always written, so that the texts sort as
/// the times do.
fn text(time: &DateTime) -> String {
    let seconds = DateTime::from_secs(time.secs()).fmt(Format::DateTime).unwrap_or_default();
    format!("{}.{:03}Z", seconds.trim_end_matches('Z'), time.subsec_nanos() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_texts() {
        let text = now();
        assert_eq!(text.len(), "2026-01-01T00:00:00.000Z".len(), "{text}");
        assert!(text.ends_with('Z') && text.contains('T'));
    }
}
