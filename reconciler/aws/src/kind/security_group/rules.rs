//! The rules of a security group, one peer each.
//!
//! Invariant: AWS knows a rule by everything but its description (its key); no
//! two rules of a group have the same key.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use aws_sdk_ec2::types::{
    Filter, IpPermission, IpRange, Ipv6Range, PrefixListId, ResourceType,
    SecurityGroup as Described, SecurityGroupRule, UserIdGroupPair,
};
use lyceum_core::cloud::CloudError;
use lyceum_core::desired::Resource;
use lyceum_core::kind::{Direction, FirewallRule};
use lyceum_core::site::TAG_OWNER;

use crate::calls::Call;
use crate::clients::Clients;
use crate::error::found;
use crate::tags;

type Rules = BTreeSet<FirewallRule>;

/// Every rule of a group, in one form.
pub(super) fn read(group: &Described) -> Rules {
    let ingress = group.ip_permissions().iter().map(|permission| (Direction::Ingress, permission));
    let egress =
        group.ip_permissions_egress().iter().map(|permission| (Direction::Egress, permission));
    ingress.chain(egress).flat_map(|(direction, permission)| open(direction, permission)).collect()
}

/// Changes the rules that differ. What is missing comes before what is too much
/// goes, so that no traffic is cut off in between.
pub(super) async fn set(
    clients: &Clients,
    group: &str,
    (seen, want): (&Rules, &Rules),
    owner: &Resource,
) -> Result<(), CloudError> {
    let (missing, extra): (Rules, Rules) = (want - seen, seen - want);
    let named: BTreeSet<_> = extra.iter().map(key).collect();
    let (renamed, missing): (Rules, Rules) =
        missing.into_iter().partition(|rule| named.contains(&key(rule)));
    let renamed_keys: BTreeSet<_> = renamed.iter().map(key).collect();
    let extra: Rules =
        extra.iter().filter(|rule| !renamed_keys.contains(&key(rule))).cloned().collect();
    describe_anew(clients, group, &renamed, owner).await?;
    authorize(clients, group, &missing, owner).await?;
    revoke(clients, group, &extra).await
}

/// Removes rules of a group by their ids; what is gone already is no error.
pub(super) async fn revoke(
    clients: &Clients,
    group: &str,
    rules: &Rules,
) -> Result<(), CloudError> {
    if rules.is_empty() {
        return Ok(());
    }
    revoke_of(clients, group, &listed(clients, group).await?, rules).await
}

/// Those of the rules that are listed.
async fn revoke_of(
    clients: &Clients,
    group: &str,
    present: &[SecurityGroupRule],
    rules: &Rules,
) -> Result<(), CloudError> {
    let keys: BTreeSet<_> = rules.iter().map(key).collect();
    for direction in [Direction::Ingress, Direction::Egress] {
        let ids: Vec<String> = present
            .iter()
            .filter(|rule| direction_of(rule) == direction && keys.contains(&key_of(rule)))
            .filter_map(|rule| rule.security_group_rule_id.clone())
            .collect();
        revoke_ids(clients, group, direction, ids).await?;
    }
    Ok(())
}

type Key = (Direction, String, i32, i32, String);

fn key(rule: &FirewallRule) -> Key {
    let (protocol, peer) = (rule.protocol.clone(), rule.peer.clone());
    (rule.direction, protocol, rule.from_port, rule.to_port, peer)
}

fn key_of(rule: &SecurityGroupRule) -> Key {
    let group = rule.referenced_group_info().and_then(|group| group.group_id());
    let ranges = rule.cidr_ipv4().or(rule.cidr_ipv6()).map(range);
    let peer = ranges.or(group.or(rule.prefix_list_id()).map(str::to_string)).unwrap_or_default();
    let (protocol, from, to) = traffic(rule.ip_protocol(), rule.from_port, rule.to_port);
    (direction_of(rule), protocol, from, to, peer)
}

fn direction_of(rule: &SecurityGroupRule) -> Direction {
    if rule.is_egress == Some(true) { Direction::Egress } else { Direction::Ingress }
}

fn open(direction: Direction, permission: &IpPermission) -> Vec<FirewallRule> {
    let (protocol, from_port, to_port) =
        traffic(permission.ip_protocol(), permission.from_port, permission.to_port);
    let rule = |peer: String, description: Option<&str>| FirewallRule {
        direction,
        protocol: protocol.clone(),
        from_port,
        to_port,
        peer,
        description: description.unwrap_or_default().into(),
    };
    let v4 = permission.ip_ranges().iter();
    let v6 = permission.ipv6_ranges().iter();
    let groups = permission.user_id_group_pairs().iter();
    let lists = permission.prefix_list_ids().iter();
    v4.map(|peer| rule(range(peer.cidr_ip().unwrap_or_default()), peer.description()))
        .chain(v6.map(|peer| rule(range(peer.cidr_ipv6().unwrap_or_default()), peer.description())))
        .chain(groups.map(|peer| rule(text(peer.group_id()), peer.description())))
        .chain(lists.map(|peer| rule(text(peer.prefix_list_id()), peer.description())))
        .collect()
}

fn text(value: Option<&str>) -> String {
    value.unwrap_or_default().into()
}

/// Protocol by name, and ports that are there: all protocols have all ports.
fn traffic(protocol: Option<&str>, from: Option<i32>, to: Option<i32>) -> (String, i32, i32) {
    let protocol = match protocol.unwrap_or("-1") {
        "6" => "tcp",
        "17" => "udp",
        "1" => "icmp",
        "58" => "icmpv6",
        "all" => "-1",
        other => other,
    };
    match protocol {
        "-1" => ("-1".into(), -1, -1),
        _ => (protocol.to_lowercase(), from.unwrap_or(-1), to.unwrap_or(-1)),
    }
}

/// A range in one form: host bits zero, IPv6 in lower case and shortened.
fn range(text: &str) -> String {
    let parts = text.split_once('/');
    let parsed = parts.and_then(|(ip, bits)| Some((ip.parse().ok()?, bits.parse::<u32>().ok()?)));
    match parsed {
        Some((IpAddr::V4(ip), bits @ 0..=32)) => {
            let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv4Addr::from_bits(ip.to_bits() & mask))
        }
        Some((IpAddr::V6(ip), bits @ 0..=128)) => {
            let mask = u128::MAX.checked_shl(128 - bits).unwrap_or(0);
            format!("{}/{bits}", Ipv6Addr::from_bits(ip.to_bits() & mask))
        }
        _ => text.into(),
    }
}

/// Gives rules another description. Rules between groups are made anew: the
/// emulator does not describe them again, and on AWS the moment without the
/// rule closes no connection that is open, since those are tracked. So are rules
/// without our tags, such as AWS's own first one where whoever made the group got
/// no further: what is not tagged may not be tagged later. One from or to everywhere
/// is not tracked, and packets of that moment have to be sent again.
async fn describe_anew(
    clients: &Clients,
    group: &str,
    rules: &Rules,
    owner: &Resource,
) -> Result<(), CloudError> {
    if rules.is_empty() {
        return Ok(());
    }
    let is_ours = |rule: &&SecurityGroupRule| {
        tags::from_ec2(rule.tags()).get(TAG_OWNER) == Some(&clients.site.owner)
    };
    let present = listed(clients, group).await?;
    let ours: BTreeSet<_> = present.iter().filter(is_ours).map(key_of).collect();
    let (anew, in_place): (Rules, Rules) = rules
        .iter()
        .cloned()
        .partition(|rule| rule.peer.starts_with("sg-") || !ours.contains(&key(rule)));
    revoke_of(clients, group, &present, &anew).await?;
    authorize(clients, group, &anew, owner).await?;
    let ingress = permissions(&in_place, Direction::Ingress);
    if !ingress.is_empty() {
        let call = Call::repeatable("ec2", "UpdateSecurityGroupRuleDescriptionsIngress");
        let request =
            || clients.ec2.update_security_group_rule_descriptions_ingress().group_id(group);
        let send = || request().set_ip_permissions(Some(ingress.clone())).send();
        clients.calls.send(call, send).await?;
    }
    let egress = permissions(&in_place, Direction::Egress);
    if !egress.is_empty() {
        let call = Call::repeatable("ec2", "UpdateSecurityGroupRuleDescriptionsEgress");
        let request =
            || clients.ec2.update_security_group_rule_descriptions_egress().group_id(group);
        let send = || request().set_ip_permissions(Some(egress.clone())).send();
        clients.calls.send(call, send).await?;
    }
    Ok(())
}

/// Adds rules, tagged as their group is.
async fn authorize(
    clients: &Clients,
    group: &str,
    rules: &Rules,
    owner: &Resource,
) -> Result<(), CloudError> {
    let tags = tags::specification(ResourceType::SecurityGroupRule, owner);
    let ingress = permissions(rules, Direction::Ingress);
    if !ingress.is_empty() {
        let call = Call::repeatable("ec2", "AuthorizeSecurityGroupIngress");
        let request = || clients.ec2.authorize_security_group_ingress().group_id(group);
        let send = || {
            let request = request().set_ip_permissions(Some(ingress.clone()));
            request.tag_specifications(tags.clone()).send()
        };
        clients.calls.send(call, send).await?;
    }
    let egress = permissions(rules, Direction::Egress);
    if !egress.is_empty() {
        let call = Call::repeatable("ec2", "AuthorizeSecurityGroupEgress");
        let request = || clients.ec2.authorize_security_group_egress().group_id(group);
        let send = || {
            let request = request().set_ip_permissions(Some(egress.clone()));
            request.tag_specifications(tags.clone()).send()
        };
        clients.calls.send(call, send).await?;
    }
    Ok(())
}

fn permissions(rules: &Rules, direction: Direction) -> Vec<IpPermission> {
    rules.iter().filter(|rule| rule.direction == direction).map(permission).collect()
}

fn permission(rule: &FirewallRule) -> IpPermission {
    let about = (!rule.description.is_empty()).then(|| rule.description.clone());
    let (peer, permission) = (&rule.peer, IpPermission::builder().ip_protocol(&rule.protocol));
    let permission = match rule.protocol.as_str() {
        "-1" => permission,
        _ => permission.from_port(rule.from_port).to_port(rule.to_port),
    };
    match peer.as_str() {
        group if group.starts_with("sg-") => permission.user_id_group_pairs(
            UserIdGroupPair::builder().group_id(group).set_description(about).build(),
        ),
        list if list.starts_with("pl-") => permission.prefix_list_ids(
            PrefixListId::builder().prefix_list_id(list).set_description(about).build(),
        ),
        v6 if v6.contains(':') => permission
            .ipv6_ranges(Ipv6Range::builder().cidr_ipv6(v6).set_description(about).build()),
        v4 => permission.ip_ranges(IpRange::builder().cidr_ip(v4).set_description(about).build()),
    }
    .build()
}

async fn listed(clients: &Clients, group: &str) -> Result<Vec<SecurityGroupRule>, CloudError> {
    let of_group = Filter::builder().name("group-id").values(group).build();
    clients
        .calls
        .pages(
            Call::read("ec2", "DescribeSecurityGroupRules"),
            |token| {
                let request = clients.ec2.describe_security_group_rules();
                request.filters(of_group.clone()).set_next_token(token).send()
            },
            |page| (page.security_group_rules.unwrap_or_default(), page.next_token),
        )
        .await
}

async fn revoke_ids(
    clients: &Clients,
    group: &str,
    direction: Direction,
    ids: Vec<String>,
) -> Result<(), CloudError> {
    if ids.is_empty() {
        return Ok(());
    }
    let (calls, ec2, ids) = (&clients.calls, &clients.ec2, Some(ids));
    match direction {
        Direction::Ingress => {
            let call = Call::repeatable("ec2", "RevokeSecurityGroupIngress");
            let request = || ec2.revoke_security_group_ingress().group_id(group);
            let send = || request().set_security_group_rule_ids(ids.clone()).send();
            found(calls.send(call, send).await).map(drop)
        }
        Direction::Egress => {
            let call = Call::repeatable("ec2", "RevokeSecurityGroupEgress");
            let request = || ec2.revoke_security_group_egress().group_id(group);
            let send = || request().set_security_group_rule_ids(ids.clone()).send();
            found(calls.send(call, send).await).map(drop)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_have_one_form() {
        assert_eq!(range("10.1.2.3/8"), "10.0.0.0/8");
        assert_eq!(range("1.2.3.4/0"), "0.0.0.0/0");
        assert_eq!(range("2001:DB8:0:0::1/32"), "2001:db8::/32");
        assert_eq!(range("::/0"), "::/0");
        assert_eq!(range("10.0.0.0/33"), "10.0.0.0/33");
    }

    #[test]
    fn protocols_have_one_name_and_all_of_them_have_no_ports() {
        assert_eq!(traffic(Some("6"), Some(22), Some(22)), ("tcp".into(), 22, 22));
        assert_eq!(traffic(Some("-1"), None, None), ("-1".into(), -1, -1));
        assert_eq!(traffic(Some("-1"), Some(0), Some(65535)), ("-1".into(), -1, -1));
        assert_eq!(traffic(Some("50"), None, None), ("50".into(), -1, -1));
    }

    #[test]
    fn a_rule_survives_its_way_through_a_permission() {
        for peer in ["10.0.0.0/8", "2001:db8::/32", "sg-1", "pl-1"] {
            let rule = FirewallRule {
                direction: Direction::Ingress,
                protocol: "tcp".into(),
                from_port: 1,
                to_port: 2,
                peer: peer.into(),
                description: "why".into(),
            };
            assert_eq!(open(Direction::Ingress, &permission(&rule)), [rule]);
        }
    }
}
