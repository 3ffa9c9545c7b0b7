//! Route tables with their routes and associations, which have no tags of their
//! own: every route that AWS did not make itself, and every association but the
//! main one, belongs to the table.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_ec2::types::{
    Filter, ResourceType, Route, RouteOrigin, RouteTable as Described, RouteTableAssociation,
    RouteTableAssociationStateCode as Association,
};
use lyceum_core::cloud::{CloudError, Outputs};
use lyceum_core::desired::Resource;
use lyceum_core::kind::RouteTable;
use lyceum_core::observed::Object;

use crate::calls::{Call, VISIBLE, until};
use crate::claim::{Found, Listing};
use crate::clients::Clients;
use crate::error::found;
use crate::{ec2, tags};

/// Every route table of our owner.
pub(crate) async fn list(clients: &Clients) -> Result<Listing, CloudError> {
    let mut listing = Listing::default();
    for table in describe(clients, ec2::owned(&clients.site)).await? {
        listing.claim(&clients.site, &clients.region, read(table));
    }
    Ok(listing)
}

/// Makes a table, then its routes and associations.
pub(crate) async fn create(
    clients: &Clients,
    resource: &Resource,
    want: &RouteTable,
) -> Result<Outputs, CloudError> {
    let tags = tags::specification(ResourceType::RouteTable, resource);
    let made = clients
        .calls
        .send(Call::once("ec2", "CreateRouteTable"), || {
            let request = clients.ec2.create_route_table().vpc_id(&want.vpc);
            request.tag_specifications(tags.clone()).send()
        })
        .await?;
    let id = made.route_table.and_then(|made| made.route_table_id).unwrap_or_default();
    until("ec2:DescribeRouteTables", VISIBLE, || visible(clients, &id)).await?;
    let fresh = RouteTable { vpc: want.vpc.clone(), ..RouteTable::default() };
    set_routes(clients, &id, &fresh, want).await?;
    set_subnets(clients, &id, &fresh, want).await?;
    Ok(Outputs::from([("id".into(), id)]))
}

/// Changes routes, associations and tags that differ.
pub(crate) async fn update(
    clients: &Clients,
    (before, seen): (&Object, &RouteTable),
    (after, want): (&Resource, &RouteTable),
) -> Result<Outputs, CloudError> {
    ec2::write_tags(clients, before, after).await?;
    set_routes(clients, &before.id, seen, want).await?;
    set_subnets(clients, &before.id, seen, want).await?;
    Ok(Outputs::new())
}

/// Takes the table from its subnets and removes it with its routes.
pub(crate) async fn delete(
    clients: &Clients,
    object: &Object,
    _seen: &RouteTable,
) -> Result<(), CloudError> {
    let tables = describe(clients, filter("route-table-id", [&object.id])).await?;
    for association in tables.iter().flat_map(|table| table.associations()) {
        if association.main != Some(true) {
            disassociate(clients, association).await?;
        }
    }
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteRouteTable"), || {
            clients.ec2.delete_route_table().route_table_id(&object.id).send()
        })
        .await
        .map(drop)
}

async fn describe(clients: &Clients, filter: Filter) -> Result<Vec<Described>, CloudError> {
    clients
        .calls
        .pages(
            Call::read("ec2", "DescribeRouteTables"),
            |token| {
                let request = clients.ec2.describe_route_tables().filters(filter.clone());
                request.set_next_token(token).send()
            },
            |page| (page.route_tables.unwrap_or_default(), page.next_token),
        )
        .await
}

fn filter<'a>(name: &str, values: impl IntoIterator<Item = &'a String>) -> Filter {
    Filter::builder().name(name).set_values(Some(values.into_iter().cloned().collect())).build()
}

fn read(table: Described) -> Found {
    let routes = table.routes().iter().filter(|route| made_by_somebody(route));
    let body = RouteTable {
        routes: routes.filter_map(|route| Some((destination(route)?, target(route)))).collect(),
        subnets: table
            .associations()
            .iter()
            .filter(|association| lasting(association))
            .filter_map(|association| association.subnet_id.clone())
            .collect(),
        vpc: table.vpc_id.unwrap_or_default(),
    };
    Found {
        id: table.route_table_id.unwrap_or_default(),
        tags: tags::from_ec2(&table.tags.unwrap_or_default()),
        outputs: Outputs::new(),
        body: body.into(),
    }
}

/// Neither the VPC's own local route, nor one that a gateway propagates, nor
/// one that an endpoint (`vpce-…`) brings and only its own calls can change.
fn made_by_somebody(route: &Route) -> bool {
    let by_aws = [RouteOrigin::CreateRouteTable, RouteOrigin::EnableVgwRoutePropagation];
    let gateway = route.gateway_id().unwrap_or_default();
    gateway != "local"
        && !gateway.starts_with("vpce-")
        && route.origin().is_none_or(|origin| !by_aws.contains(origin))
}

fn destination(route: &Route) -> Option<String> {
    let (v4, v6) = (&route.destination_cidr_block, &route.destination_ipv6_cidr_block);
    v4.as_ref().or(v6.as_ref()).or(route.destination_prefix_list_id.as_ref()).cloned()
}

/// The id of whatever the route leads to.
fn target(route: &Route) -> String {
    let targets = [
        &route.gateway_id,
        &route.nat_gateway_id,
        &route.network_interface_id,
        &route.instance_id,
        &route.vpc_peering_connection_id,
        &route.transit_gateway_id,
        &route.egress_only_internet_gateway_id,
        &route.carrier_gateway_id,
        &route.local_gateway_id,
        &route.core_network_arn,
    ];
    targets.into_iter().flatten().find(|id| !id.is_empty()).cloned().unwrap_or_default()
}

fn lasting(association: &RouteTableAssociation) -> bool {
    let going = [Association::Disassociating, Association::Disassociated, Association::Failed];
    let state = association.association_state().and_then(|state| state.state());
    association.main != Some(true) && state.is_none_or(|state| !going.contains(state))
}

async fn visible(clients: &Clients, id: &str) -> Result<Option<()>, CloudError> {
    let answer = clients
        .calls
        .send(Call::read("ec2", "DescribeRouteTables"), || {
            clients.ec2.describe_route_tables().route_table_ids(id).send()
        })
        .await;
    Ok(found(answer)?.filter(|answer| !answer.route_tables().is_empty()).map(drop))
}

async fn set_routes(
    clients: &Clients,
    table: &str,
    seen: &RouteTable,
    want: &RouteTable,
) -> Result<(), CloudError> {
    for (range, gateway) in &want.routes {
        match seen.routes.get(range) {
            Some(present) if present == gateway => {}
            Some(_) => replace_route(clients, table, range, gateway).await?,
            None => create_route(clients, table, range, gateway).await?,
        }
    }
    for range in difference(&seen.routes, &want.routes) {
        delete_route(clients, table, range).await?;
    }
    Ok(())
}

fn difference<'a>(
    seen: &'a BTreeMap<String, String>,
    want: &'a BTreeMap<String, String>,
) -> impl Iterator<Item = &'a String> {
    seen.keys().filter(|range| !want.contains_key(*range))
}

/// A destination as a request takes it: one field by the form of the text.
struct Destination {
    v4: Option<String>,
    v6: Option<String>,
    prefix_list: Option<String>,
}

impl Destination {
    fn of(range: &str) -> Self {
        let prefix_list = range.starts_with("pl-");
        let v6 = !prefix_list && range.contains(':');
        let when = |is: bool| is.then(|| range.to_string());
        Self { v4: when(!prefix_list && !v6), v6: when(v6), prefix_list: when(prefix_list) }
    }
}

async fn create_route(
    clients: &Clients,
    table: &str,
    range: &str,
    gateway: &str,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "CreateRoute"), || {
            let to = Destination::of(range);
            let request = clients.ec2.create_route().route_table_id(table).gateway_id(gateway);
            request
                .set_destination_cidr_block(to.v4)
                .set_destination_ipv6_cidr_block(to.v6)
                .set_destination_prefix_list_id(to.prefix_list)
                .send()
        })
        .await
        .map(drop)
}

async fn replace_route(
    clients: &Clients,
    table: &str,
    range: &str,
    gateway: &str,
) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "ReplaceRoute"), || {
            let to = Destination::of(range);
            let request = clients.ec2.replace_route().route_table_id(table).gateway_id(gateway);
            request
                .set_destination_cidr_block(to.v4)
                .set_destination_ipv6_cidr_block(to.v6)
                .set_destination_prefix_list_id(to.prefix_list)
                .send()
        })
        .await
        .map(drop)
}

async fn delete_route(clients: &Clients, table: &str, range: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "DeleteRoute"), || {
            let to = Destination::of(range);
            let request = clients.ec2.delete_route().route_table_id(table);
            request
                .set_destination_cidr_block(to.v4)
                .set_destination_ipv6_cidr_block(to.v6)
                .set_destination_prefix_list_id(to.prefix_list)
                .send()
        })
        .await
        .map(drop)
}

/// Moves the subnets that differ: one look tells which table each of them has
/// now, since a subnet with a table of its own must be moved, not added.
async fn set_subnets(
    clients: &Clients,
    table: &str,
    seen: &RouteTable,
    want: &RouteTable,
) -> Result<(), CloudError> {
    let differing: BTreeSet<&String> = seen.subnets.symmetric_difference(&want.subnets).collect();
    if differing.is_empty() {
        return Ok(());
    }
    let tables = describe(clients, filter("association.subnet-id", differing.clone())).await?;
    let present: BTreeMap<&str, &RouteTableAssociation> = tables
        .iter()
        .flat_map(|table| table.associations())
        .filter(|association| lasting(association))
        .filter_map(|association| Some((association.subnet_id()?, association)))
        .collect();
    for subnet in differing {
        match (want.subnets.contains(subnet), present.get(subnet.as_str())) {
            (true, None) => associate(clients, table, subnet).await?,
            (true, Some(at)) if at.route_table_id() != Some(table) => {
                reassociate(clients, table, at).await?;
            }
            (false, Some(at)) if at.route_table_id() == Some(table) => {
                disassociate(clients, at).await?;
            }
            _ => {}
        }
    }
    Ok(())
}

async fn associate(clients: &Clients, table: &str, subnet: &str) -> Result<(), CloudError> {
    clients
        .calls
        .send(Call::repeatable("ec2", "AssociateRouteTable"), || {
            clients.ec2.associate_route_table().route_table_id(table).subnet_id(subnet).send()
        })
        .await
        .map(drop)
}

async fn reassociate(
    clients: &Clients,
    table: &str,
    present: &RouteTableAssociation,
) -> Result<(), CloudError> {
    let association = present.route_table_association_id().unwrap_or_default();
    // The association has another id afterwards: it cannot be found twice.
    clients
        .calls
        .send(Call::once("ec2", "ReplaceRouteTableAssociation"), || {
            let request = clients.ec2.replace_route_table_association();
            request.association_id(association).route_table_id(table).send()
        })
        .await
        .map(drop)
}

async fn disassociate(
    clients: &Clients,
    present: &RouteTableAssociation,
) -> Result<(), CloudError> {
    let association = present.route_table_association_id().unwrap_or_default();
    let answer = clients
        .calls
        .send(Call::repeatable("ec2", "DisassociateRouteTable"), || {
            clients.ec2.disassociate_route_table().association_id(association).send()
        })
        .await;
    found(answer).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_aws_put_there_is_not_observed() {
        let route = |gateway: &str| {
            let route = Route::builder().gateway_id(gateway).origin(RouteOrigin::CreateRoute);
            made_by_somebody(&route.build())
        };
        assert!(route("igw-1"));
        assert!(!route("local"));
        assert!(!route("vpce-1"));
    }
}
