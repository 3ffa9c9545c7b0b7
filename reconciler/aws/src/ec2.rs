//! What the kinds of EC2 share: the filter that narrows a list to ours, and
//! writing tags.

use aws_sdk_ec2::types::{Filter, Tag};
use lyceum_core::cloud::{Class, CloudError};
use lyceum_core::desired::Resource;
use lyceum_core::observed::Object;
use lyceum_core::site::{Site, TAG_OWNER};

use crate::calls::Call;
use crate::clients::Clients;
use crate::tags;

/// Values of one filter, the most that EC2 takes.
pub(crate) const FILTER_VALUES: usize = 200;

/// Narrows a list to what carries our owner tag.
pub(crate) fn owned(site: &Site) -> Filter {
    Filter::builder().name(format!("tag:{TAG_OWNER}")).values(&site.owner).build()
}

/// Writes the owned tags that are missing or differ; no call when none does.
pub(crate) async fn write_tags(
    clients: &Clients,
    before: &Object,
    after: &Resource,
) -> Result<(), CloudError> {
    let changed = tags::for_ec2(&tags::to_write(before, after));
    if !changed.is_empty() {
        clients
            .calls
            .send(Call::repeatable("ec2", "CreateTags"), || {
                let request = clients.ec2.create_tags().resources(&before.id);
                request.set_tags(Some(changed.clone())).send()
            })
            .await?;
    }
    let gone = tags::to_remove(before, after);
    if gone.is_empty() {
        return Ok(());
    }
    let gone: Vec<_> = gone.iter().map(|key| Tag::builder().key(key).build()).collect();
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteTags"), || {
            clients.ec2.delete_tags().resources(&before.id).set_tags(Some(gone.clone())).send()
        })
        .await
        .map(drop)
}

/// An error whose code is too wide (`InvalidParameterValue`): with `words` in
/// its message it says that something else has to go first.
pub(crate) fn not_yet(error: CloudError, words: &str) -> CloudError {
    match error.message.contains(words) {
        true => CloudError { class: Class::NotYet, ..error },
        false => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(class: Class) -> CloudError {
        CloudError::new(class, "ec2:X", "Network interface 'eni-1' is currently in use.")
    }

    #[test]
    fn the_words_of_an_error_decide_where_its_code_is_too_wide() {
        assert_eq!(not_yet(error(Class::Invalid), "in use").class, Class::NotYet);
        assert_eq!(not_yet(error(Class::Invalid), "attached").class, Class::Invalid);
    }
}
