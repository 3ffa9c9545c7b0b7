//! What the clusters stand in: zones, images, the secrets an operator makes.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{Filter, ImageState};
use aws_sdk_ssm::types::ParameterStringFilter;
use futures_util::future::join_all;
use lyceum_core::cloud::{Class, CloudError, Scope};
use lyceum_core::observed::{Image, ObservedState};

use crate::calls::Call;
use crate::claim::gap;
use crate::clients::Clients;
use crate::error::incomplete;

/// Owner account and name pattern of an operating system's images, as their
/// publishers document them.
const IMAGES: &[(&str, &str, &str)] = &[
    ("debian-12", "136693071363", "debian-12-amd64-*"),
    ("ubuntu-24.04", "099720109477", "ubuntu/images/hvm-ssd-gp3/ubuntu-noble-24.04-amd64-server-*"),
    ("amazon-linux-2023", "137112412989", "al2023-ami-2023.*-x86_64"),
];

/// Names of parameters asked for in one call; the service takes no more.
const NAMES: usize = 50;

/// Zones, images and the operator's secrets of a region; what cannot be read is
/// a gap of that kind, but for the secrets: whether one is there is only worth
/// knowing.
pub(crate) async fn of_region(clients: &Clients, scope: &Scope) -> ObservedState {
    let mut state = ObservedState::default();
    let region = clients.region.clone();
    let wanted = scope.images.get(&region).cloned().unwrap_or_default();
    let names = scope.secrets.get(&region).cloned().unwrap_or_default();
    let calls = &clients.calls;
    let looks = join_all(wanted.iter().map(|wanted| calls.in_time(newest(clients, wanted))));
    let (zones, images, secrets) = tokio::join!(
        calls.in_time(zones(clients)),
        looks,
        calls.in_time(secrets_there(clients, &names))
    );
    match zones {
        Ok(zones) => drop(state.surroundings.zones.insert(region.clone(), zones)),
        Err(error) => state.gaps.push(gap(&region, "zone", &error)),
    }
    for (name, found) in wanted.into_iter().zip(images) {
        match found {
            Ok(Some(image)) => {
                let images: &mut BTreeMap<_, _> =
                    state.surroundings.images.entry(region.clone()).or_default();
                images.insert(name, image);
            }
            // An image nobody offers blocks what needs it, by itself.
            Ok(None) => {}
            Err(error) => state.gaps.push(gap(&region, "image", &error)),
        }
    }
    match secrets {
        Ok(there) => drop(state.surroundings.secrets.insert(region, there)),
        Err(error) => tracing::warn!(region, %error, "cannot tell which secrets are there"),
    }
    state
}

/// Which of these parameters are there. Their values are not asked for.
async fn secrets_there(
    clients: &Clients,
    names: &BTreeSet<String>,
) -> Result<BTreeSet<String>, CloudError> {
    let names: Vec<String> = names.iter().cloned().collect();
    let mut there = BTreeSet::new();
    for some in names.chunks(NAMES) {
        let filter = ParameterStringFilter::builder()
            .key("Name")
            .option("Equals")
            .set_values(Some(some.to_vec()))
            .build()
            .map_err(incomplete)?;
        let found = clients
            .calls
            .pages(
                Call::read("ssm", "DescribeParameters"),
                |token| {
                    let request = clients.ssm.describe_parameters();
                    let request = request.parameter_filters(filter.clone()).max_results(50);
                    request.set_next_token(token).send()
                },
                |page| (page.parameters.unwrap_or_default(), page.next_token),
            )
            .await?;
        there.extend(found.into_iter().filter_map(|parameter| parameter.name));
    }
    Ok(there)
}

async fn zones(clients: &Clients) -> Result<Vec<String>, CloudError> {
    let ordinary = Filter::builder().name("zone-type").values("availability-zone").build();
    let open = Filter::builder().name("state").values("available").build();
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeAvailabilityZones"), || {
            let request = clients.ec2.describe_availability_zones();
            request.filters(ordinary.clone()).filters(open.clone()).send()
        })
        .await?;
    let mut names: Vec<String> =
        answer.availability_zones().iter().filter_map(|zone| zone.zone_name.clone()).collect();
    names.sort();
    Ok(names)
}

/// The newest image of an operating system, or the image of an id.
async fn newest(clients: &Clients, wanted: &str) -> Result<Option<Image>, CloudError> {
    let published = IMAGES.iter().find(|(os, ..)| *os == wanted);
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeImages"), || {
            let request = clients.ec2.describe_images();
            match published {
                Some((_, owner, name)) => request
                    .owners(*owner)
                    .filters(Filter::builder().name("name").values(*name).build())
                    .send(),
                // Who names an image wants it after its publisher's time, too.
                None => request.image_ids(wanted).include_deprecated(true).send(),
            }
        })
        .await;
    let images = match answer {
        Ok(answer) => answer.images.unwrap_or_default(),
        Err(error) if error.class == Class::NotFound => return Ok(None),
        // An id that cannot be one: the request for a published one is ours.
        Err(error) if error.class == Class::Invalid && published.is_none() => return Ok(None),
        Err(error) => return Err(error),
    };
    Ok(images
        .into_iter()
        .filter(|image| image.state.as_ref().is_none_or(|state| *state == ImageState::Available))
        .max_by_key(|image| (image.creation_date.clone(), image.image_id.clone()))
        .map(|image| Image {
            id: image.image_id.unwrap_or_default(),
            name: image.name.unwrap_or_default(),
            root_device: image.root_device_name.unwrap_or_default(),
        }))
}
