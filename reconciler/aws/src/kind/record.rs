//! Route 53 records in public zones that are there already. A record has no
//! tags: a TXT record beside it, `_lyceum.<name>`, says whose it is. Both are
//! written in one batch, which happens whole or not at all; a record that is
//! new is created, never overwritten.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_route53::types::{
    Change, ChangeAction, ChangeBatch, HostedZone, ResourceRecord, ResourceRecordSet, RrType,
};
use lyceum_core::address::Address;
use lyceum_core::cloud::{Class, CloudError, Outputs, Scope};
use lyceum_core::desired::Resource;
use lyceum_core::kind::Record;
use lyceum_core::observed::{Gap, Object};
use lyceum_core::site::GLOBAL;

use crate::calls::{Call, each, made_or_found};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::{found, incomplete};
use crate::marker;

/// Zones that are read although no cluster's domain is in them, so that the
/// record of a cluster that lost its domain is found. With more public zones
/// than that only those of a domain are read.
const OTHER_ZONES: usize = 10;

/// Public zones: DNS name without the closing dot to id.
pub(crate) type Zones = BTreeMap<String, String>;

/// Every public zone. Of two with one name the first by id is taken.
pub(crate) async fn zones(clients: &Clients) -> Result<Zones, CloudError> {
    let listed = clients
        .calls
        .pages(
            Call::read("route53", "ListHostedZones"),
            |marker| clients.route53.list_hosted_zones().set_marker(marker).send(),
            |page| (page.hosted_zones, page.next_marker.filter(|_| page.is_truncated)),
        )
        .await?;
    let public = |zone: &HostedZone| zone.config().is_none_or(|config| !config.private_zone());
    let mut zones = Zones::new();
    for zone in listed.into_iter().filter(public) {
        let id = zone.id.trim_start_matches("/hostedzone/").to_string();
        let known = zones.entry(plain(&zone.name)).or_insert_with(|| id.clone());
        *known = id.min(known.clone());
    }
    Ok(zones)
}

/// Every record of ours in the zones of the clusters' domains, and in all
/// others while they are few; a call for each such zone.
pub(crate) async fn list(
    clients: &Clients,
    zones: &Zones,
    scope: &Scope,
) -> Result<Listing, CloudError> {
    let few = zones.len() <= OTHER_ZONES;
    let holds = |zone: &str| scope.domains.values().any(|domain| within(domain, zone));
    let read: Vec<Zone> = zones
        .iter()
        .filter(|(name, _)| few || holds(name))
        .map(|(name, id)| (name.clone(), id.clone()))
        .collect();
    let mut listing = Listing::default();
    let clients = &clients.of_item();
    for ((name, id), sets) in each(read, |zone| read_zone(clients, zone)).await {
        // A zone that is gone by now has no records.
        match found(sets) {
            Ok(sets) => take((clients, scope), &mut listing, &id, sets.unwrap_or_default()),
            Err(error) => listing.gaps.extend(unread(scope, &name, &error)),
        }
    }
    Ok(listing)
}

/// What a zone that cannot be read hides: the records of the clusters whose
/// domains it holds. A record that another cluster has left there is not seen,
/// and so stays until it is.
fn unread(scope: &Scope, zone: &str, error: &CloudError) -> Vec<Gap> {
    tracing::warn!(zone, %error, "the records of the zone cannot be read");
    let clusters = scope.domains.iter().filter(|(_, domain)| within(domain, zone));
    let gap = |cluster: &String| Gap {
        region: GLOBAL.into(),
        kind: "record".into(),
        scope: cluster.clone(),
        cause: format!("{zone}: {error}"),
    };
    clusters.map(|(cluster, _)| gap(cluster)).collect()
}

/// Makes a record with its marker. One that is there and ours is written over.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &Record,
) -> Result<Outputs, CloudError> {
    let new = changes(clients, &resource.address, want, ChangeAction::Create)?;
    let made = send(clients, &want.zone, Call::once("route53", CHANGE), new).await.map(|()| false);
    if made_or_found(made, ours(clients, &resource.address, want)).await? {
        upsert(clients, &resource.address, want).await?;
    }
    Ok(Outputs::from([("id".into(), id(want))]))
}

/// Writes a record with its marker.
pub(crate) async fn update(
    clients: &Clients,
    (_before, seen): (&Object, &Record),
    (after, want): (&Resource, &Record),
) -> Result<Outputs, CloudError> {
    if seen != want {
        upsert(clients, &after.address, want).await?;
    }
    Ok(Outputs::new())
}

/// Removes a record with its marker, as they are now.
pub(crate) async fn delete(
    clients: &Clients,
    _object: &Object,
    seen: &Record,
) -> Result<(), CloudError> {
    let names = [(seen.name.clone(), RrType::A), (marker_name(&seen.name), RrType::Txt)];
    let there = sets(clients, &seen.zone).await?;
    let changes: Result<Vec<Change>, CloudError> = there
        .into_iter()
        .filter(|set| names.contains(&(plain(&set.name), set.r#type.clone())))
        .map(|set| change(ChangeAction::Delete, set))
        .collect();
    match changes? {
        none if none.is_empty() => Ok(()),
        both => send(clients, &seen.zone, Call::repeatable("route53", CHANGE), both).await,
    }
}

const CHANGE: &str = "ChangeResourceRecordSets";

/// As it is compared: in lower case, without the closing dot, a star as a star.
fn plain(name: &str) -> String {
    name.trim_end_matches('.').replace("\\052", "*").to_ascii_lowercase()
}

fn within(domain: &str, zone: &str) -> bool {
    domain == zone || domain.strip_suffix(zone).is_some_and(|before| before.ends_with('.'))
}

fn marker_name(name: &str) -> String {
    format!("_lyceum.{name}")
}

fn id(record: &Record) -> String {
    format!("{}/{}/{}", record.zone, record.name, record.record_type)
}

/// A zone's name and id.
type Zone = (String, String);

async fn read_zone(
    clients: &Clients,
    zone: Zone,
) -> (Zone, Result<Vec<ResourceRecordSet>, CloudError>) {
    let sets = sets(clients, &zone.1).await;
    (zone, sets)
}

/// The position of the next page: name and type, as one token.
async fn sets(clients: &Clients, zone: &str) -> Result<Vec<ResourceRecordSet>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("route53", "ListResourceRecordSets"),
            |token| {
                let (name, kind) = token
                    .as_deref()
                    .and_then(|token| token.split_once(' '))
                    .map(|(name, kind)| (name.to_string(), RrType::from(kind)))
                    .unzip();
                let request = clients.route53.list_resource_record_sets().hosted_zone_id(zone);
                request.set_start_record_name(name).set_start_record_type(kind).send()
            },
            |page| {
                let next = page.next_record_name.zip(page.next_record_type);
                let next = next.map(|(name, kind)| format!("{name} {}", kind.as_str()));
                (page.resource_record_sets, next.filter(|_| page.is_truncated))
            },
        )
        .await
}

/// Takes the address records of a zone that have a marker of our owner's, and
/// notes what else has the name of a cluster.
fn take(
    (clients, scope): (&Clients, &Scope),
    listing: &mut Listing,
    zone: &str,
    sets: Vec<ResourceRecordSet>,
) {
    let mut markers = BTreeMap::new();
    for set in sets.iter().filter(|set| set.r#type == RrType::Txt) {
        for value in values(set) {
            if let Some(whose) = marker::parse_text(&clients.site, &value) {
                markers.insert(plain(&set.name), whose);
            }
        }
    }
    for set in sets.iter().filter(|set| [RrType::A, RrType::Cname].contains(&set.r#type)) {
        let name = plain(&set.name);
        let marker = markers.get(&marker_name(&name)).filter(|_| set.r#type == RrType::A);
        let Some((source, address)) = marker else {
            if scope.domains.values().any(|domain| *domain == name) {
                listing.taken_names.entry(name).or_default().extend(leads_to(set));
            }
            continue;
        };
        let record = Record {
            zone: zone.into(),
            name,
            record_type: RrType::A.as_str().into(),
            ttl_seconds: set.ttl.unwrap_or(0),
            values: values(set),
        };
        let id = id(&record);
        if *source == clients.site.source {
            let found = Found {
                id,
                tags: BTreeMap::new(),
                outputs: Outputs::new(),
                body: record.into(),
            };
            listing.push(address.clone(), GLOBAL, found);
        } else {
            listing.other_source(address.scope(), &id, source);
        }
    }
}

fn values(set: &ResourceRecordSet) -> BTreeSet<String> {
    set.resource_records().iter().map(|record| record.value.clone()).collect()
}

/// Whether the record of this name is ours already: its marker says so, or it has
/// lost its marker and leads where only ours does, to our own addresses.
async fn ours(
    clients: &Clients,
    address: &Address,
    want: &Record,
) -> Result<Option<bool>, CloudError> {
    let there = sets(clients, &want.zone).await?;
    let of = |name: String, kind: RrType| {
        let mut sets = there.iter().filter(move |set| set.r#type == kind);
        sets.find(|set| plain(&set.name) == name).map(values)
    };
    let mine = match of(marker_name(&want.name), RrType::Txt) {
        Some(marker) => {
            let mine = Some((clients.site.source.clone(), address.clone()));
            marker.iter().any(|value| marker::parse_text(&clients.site, value) == mine)
        }
        None => of(want.name.clone(), RrType::A).is_some_and(|values| values == want.values),
    };
    Ok(mine.then_some(true))
}

/// Where a record leads; an alias of AWS's has a target instead of values.
fn leads_to(set: &ResourceRecordSet) -> BTreeSet<String> {
    let alias = set.alias_target().map(|target| target.dns_name.clone());
    values(set).into_iter().chain(alias).collect()
}

async fn upsert(clients: &Clients, address: &Address, want: &Record) -> Result<(), CloudError> {
    let both = changes(clients, address, want, ChangeAction::Upsert)?;
    send(clients, &want.zone, Call::repeatable("route53", CHANGE), both).await
}

/// A record and its marker.
fn changes(
    clients: &Clients,
    address: &Address,
    want: &Record,
    action: ChangeAction,
) -> Result<Vec<Change>, CloudError> {
    if want.record_type != RrType::A.as_str() {
        let message = format!("{} records are not written, A records are", want.record_type);
        return Err(CloudError::new(Class::Invalid, "route53:ChangeResourceRecordSets", message));
    }
    let marker = format!("\"{}\"", marker::text(&clients.site, address));
    let record = (want.name.clone(), RrType::A, want.values.iter().cloned().collect());
    [record, (marker_name(&want.name), RrType::Txt, vec![marker])]
        .into_iter()
        .map(|set| change(action.clone(), record_set(set, want.ttl_seconds)?))
        .collect()
}

fn record_set(
    (name, kind, values): (String, RrType, Vec<String>),
    ttl: i64,
) -> Result<ResourceRecordSet, CloudError> {
    let values: Result<Vec<ResourceRecord>, _> =
        values.iter().map(|value| ResourceRecord::builder().value(value).build()).collect();
    ResourceRecordSet::builder()
        .name(name)
        .r#type(kind)
        .ttl(ttl)
        .set_resource_records(Some(values.map_err(incomplete)?))
        .build()
        .map_err(incomplete)
}

fn change(action: ChangeAction, set: ResourceRecordSet) -> Result<Change, CloudError> {
    Change::builder().action(action).resource_record_set(set).build().map_err(incomplete)
}

async fn send(
    clients: &Clients,
    zone: &str,
    call: Call,
    changes: Vec<Change>,
) -> Result<(), CloudError> {
    let batch = ChangeBatch::builder().set_changes(Some(changes)).build().map_err(incomplete)?;
    let answer = clients
        .calls
        .send(call, || {
            let request = clients.route53.change_resource_record_sets().hosted_zone_id(zone);
            request.change_batch(batch.clone()).send()
        })
        .await;
    answer.map(drop).map_err(refused)
}

/// One code stands for everything that is wrong with a batch.
fn refused(mut error: CloudError) -> CloudError {
    if error.code == "InvalidChangeBatch" && error.message.contains("already exists") {
        error.class = Class::Exists;
    }
    if error.code == "InvalidChangeBatch" && error.message.contains("not found") {
        error.class = Class::NotFound;
    }
    error
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_is_within_its_zone_and_no_other() {
        assert!(within("notebooks.example.edu", "example.edu"));
        assert!(within("example.edu", "example.edu"));
        assert!(!within("notexample.edu", "example.edu"));
    }

    #[test]
    fn a_zone_that_cannot_be_read_is_a_gap_for_the_clusters_in_it_alone() {
        let domains = [("geo", "geo.example.edu"), ("bio", "bio.example.org")];
        let domains = domains.map(|(name, domain)| (name.to_string(), domain.to_string()));
        let scope = Scope { domains: domains.into(), ..Scope::default() };
        let denied = CloudError::new(Class::Denied, "route53:ListResourceRecordSets", "no");
        let gaps = |zone| unread(&scope, zone, &denied).into_iter().map(|gap| gap.scope);
        assert_eq!(gaps("example.edu").collect::<Vec<_>>(), ["geo"]);
        assert_eq!(gaps("example.net").count(), 0);
    }

    #[test]
    fn names_are_compared_as_dns_does() {
        assert_eq!(plain("\\052.Example.EDU."), "*.example.edu");
    }

    #[test]
    fn a_name_that_is_taken_is_told_from_a_wrong_batch() {
        let wrong = |message: &str| CloudError {
            class: Class::Invalid,
            operation: "route53:ChangeResourceRecordSets".into(),
            code: "InvalidChangeBatch".into(),
            message: message.into(),
        };
        let taken = "[Tried to create resource record set [name='a', type='A'] but it already exists]";
        assert_eq!(refused(wrong(taken)).class, Class::Exists);
        assert_eq!(refused(wrong("[Invalid Resource Record: not an IPv4 address]")).class, Class::Invalid);
    }
}
