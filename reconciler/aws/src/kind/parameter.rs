//! SSM parameters. The list leaves their tags out: they are ours by name. What
//! an operator puts under a cluster's prefix has another name and is no object
//! of ours. No value that is encrypted is ever asked for.

use aws_sdk_ssm::types::{ParameterStringFilter, ParameterType, Tag};
use lyceum_core::address::Address;
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Parameter;
use lyceum_core::observed::Object;
use lyceum_core::site::{RESERVED_PARAMETERS, SIGNING_KEY, SIGNING_KEY_PRIVATE, Site};

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::tags;

/// Every parameter under our owner's prefix, without decryption, ten a page: what is
/// encrypted and what is not in two lists, since a page has to wait for the one before.
pub(crate) async fn described(
    clients: &Clients,
) -> Result<Vec<aws_sdk_ssm::types::Parameter>, CloudError> {
    let encrypted = [ParameterType::SecureString];
    let plain = [ParameterType::String, ParameterType::StringList];
    let (mut all, rest) =
        tokio::try_join!(of_types(clients, &encrypted), of_types(clients, &plain))?;
    all.extend(rest);
    Ok(all)
}

async fn of_types(
    clients: &Clients,
    types: &[ParameterType],
) -> Result<Vec<aws_sdk_ssm::types::Parameter>, CloudError> {
    let path = format!("/{}/", clients.site.owner);
    let names = types.iter().map(|one| one.as_str().to_owned()).collect();
    let filter = ParameterStringFilter::builder().key("Type").option("Equals");
    let filter = filter.set_values(Some(names)).build().map_err(incomplete)?;
    clients
        .calls
        .pages(
            Call::read("ssm", "GetParametersByPath"),
            |token| {
                let request = clients.ssm.get_parameters_by_path().path(&path).recursive(true);
                let request = request.parameter_filters(filter.clone());
                request.with_decryption(false).max_results(10).set_next_token(token).send()
            },
            |page| (page.parameters.unwrap_or_default(), page.next_token),
        )
        .await
}

/// Those of them that are ours; of others below a cluster's prefix the names.
pub(crate) fn listing(
    clients: &Clients,
    described: &[aws_sdk_ssm::types::Parameter],
) -> Listing {
    let mut listing = Listing::default();
    for parameter in described {
        let name = parameter.name().unwrap_or_default();
        let Some((cluster, short)) = place(&clients.site, name) else { continue };
        if let Some(address) = address(&clients.site, name) {
            listing.push(address, &clients.region, read(parameter.clone()));
        } else if !RESERVED_PARAMETERS.contains(&short) {
            listing.strange_parameters.entry(cluster.into()).or_default().insert(name.into());
        }
    }
    listing
}

/// Makes a parameter with its tags; one that exists is never overwritten.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Parameter,
) -> Result<Outputs, CloudError> {
    let all = tags::at_creation(resource);
    let tags = tags::build(&all, |key, value| Tag::builder().key(key).value(value).build())?;
    let value = if want.value.is_empty() { &want.seed } else { &want.value };
    clients
        .calls
        .send(Call::once("ssm", "PutParameter"), || {
            let request = clients.ssm.put_parameter().name(&want.name).value(value);
            request.r#type(kind(want)).set_tags(Some(tags.clone())).send()
        })
        .await?;
    let arn = until("ssm:GetParameter", VISIBLE, || visible(clients, &want.name)).await?;
    Ok(Outputs::from([("id".into(), want.name.clone()), ("arn".into(), arn)]))
}

/// Writes an owned value that differs.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &Parameter),
    (_after, want): (&Resource, &Parameter),
) -> Result<Outputs, CloudError> {
    if want.value.is_empty() || seen.value == want.value {
        return Ok(Outputs::new());
    }
    clients
        .calls
        .send(Call::repeatable("ssm", "PutParameter"), || {
            let request = clients.ssm.put_parameter().name(&want.name).value(&want.value);
            request.r#type(kind(want)).overwrite(true).send()
        })
        .await?;
    Ok(Outputs::new())
}

/// Removes a parameter with all its versions.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &Parameter,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ssm", "DeleteParameter"), || {
            clients.ssm.delete_parameter().name(&object.id).send()
        })
        .await
        .map(drop)
}

/// `/lyceum/geo-101/facts` is `geo-101/parameter/facts`.
fn address(site: &Site, name: &str) -> Option<Address> {
    let (cluster, short) = place(site, name)?;
    // The halves of a key are no parameters by themselves.
    let reserved = RESERVED_PARAMETERS.contains(&short)
        && ![SIGNING_KEY, SIGNING_KEY_PRIVATE].contains(&short);
    reserved.then(|| Address::new(cluster, "parameter", short))
}

/// The cluster a parameter lies under, and its name there.
pub(super) fn place<'a>(site: &Site, name: &'a str) -> Option<(&'a str, &'a str)> {
    let place = name.strip_prefix(&format!("/{}/", site.owner))?.split_once('/')?;
    Some(place).filter(|(cluster, _)| !cluster.is_empty())
}

/// Whether a value is owned or was only a seed, the desired side knows.
fn read(parameter: aws_sdk_ssm::types::Parameter) -> Found {
    let secure = parameter.r#type == Some(ParameterType::SecureString);
    let value = parameter.value.filter(|_| !secure).unwrap_or_default();
    let name = parameter.name.unwrap_or_default();
    let body = Parameter { name: name.clone(), secure, value: value.clone(), seed: value };
    let outputs = Outputs::from([("arn".into(), parameter.arn.unwrap_or_default())]);
    Found { id: name, tags: Default::default(), outputs, body: body.into() }
}

fn kind(want: &Parameter) -> ParameterType {
    if want.secure { ParameterType::SecureString } else { ParameterType::String }
}

pub(super) async fn visible(clients: &Clients, name: &str) -> Result<Option<String>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ssm", "GetParameter"), || {
            clients.ssm.get_parameter().name(name).with_decryption(false).send()
        })
        .await;
    Ok(found(answer)?.and_then(|answer| answer.parameter?.arn))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_operator_put_there_is_not_ours() {
        let site = Site {
            owner: "lyceum".into(),
            source: "abc".into(),
            account: "1".into(),
            partition: "aws".into(),
        };
        let ours = Address::new("geo-101", "parameter", "facts");
        assert_eq!(address(&site, "/lyceum/geo-101/facts"), Some(ours));
        assert_eq!(address(&site, "/lyceum/geo-101/oauth-client-secret"), None);
        assert_eq!(address(&site, "/lyceum/geo-101/old/facts"), None);
        assert_eq!(address(&site, "/lyceum/facts"), None);
        assert_eq!(address(&site, "/lyceum/geo-101/node-key-private"), None);
    }
}
