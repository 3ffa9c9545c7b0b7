//! How the cluster is found: private names, the public record, and the
//! parameters that tell the nodes what is where.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use crate::address::{Address, id_of, output_of};
use crate::kind::{
    AccessPoint, DiscoveryService, ElasticIp, FileSystem, Kind, Namespace, Parameter, Record,
    StoredObject, Vpc,
};
use crate::site::{SWARM_TOKEN, Site};

use super::{Agent, Draft, network};

/// Adds names, parameters and the agent's binary.
pub(crate) fn add(draft: &mut Draft<'_>) {
    let namespace =
        Namespace { name: namespace_name(draft), vpc: id_of(&draft.address::<Vpc>("main")) };
    draft.add("main", namespace);
    let hub = network::hub_address(draft.cidr());
    let service = DiscoveryService {
        namespace: id_of(&draft.address::<Namespace>("main")),
        name: "hub".into(),
        ttl_seconds: 10,
        instances: BTreeMap::from([("hub".into(), hub)]),
    };
    draft.add("hub", service);
    add_record(draft);
    add_parameters(draft);
    add_agent(draft);
}

fn namespace_name(draft: &Draft<'_>) -> String {
    format!("{}.{}.internal", draft.name, draft.site.owner)
}

fn add_record(draft: &mut Draft<'_>) {
    let Some(domain) = draft.spec.domain.clone() else { return };
    let address = output_of(&draft.address::<ElasticIp>("hub"), "public_ip");
    let record = Record {
        zone: id_of(&Address::new("@global", "hosted-zone", &domain)),
        name: domain,
        record_type: "A".into(),
        ttl_seconds: 300,
        values: BTreeSet::from([address]),
    };
    draft.add_global("hub", record);
}

fn add_parameters(draft: &mut Draft<'_>) {
    let parameter = |name: &str| Parameter {
        name: format!("{}/{name}", draft.site.parameter_path(draft.name)),
        ..Parameter::default()
    };
    let facts = Parameter { value: facts(draft), ..parameter("facts") };
    let applied = Parameter { seed: "none".into(), ..parameter("applied") };
    let token = Parameter { secure: true, seed: "none".into(), ..parameter(SWARM_TOKEN) };
    draft.add("facts", facts);
    draft.add("applied", applied);
    draft.add(SWARM_TOKEN, token);
}

/// What is where, for the nodes; nothing secret.
fn facts(draft: &Draft<'_>) -> String {
    let points: BTreeMap<String, String> = std::iter::once("homes")
        .chain(draft.spec.storage.shared.iter().map(|shared| shared.name.as_str()))
        .map(|name| (name.to_string(), id_of(&draft.address::<AccessPoint>(name))))
        .collect();
    json!({
        "accessPoints": points,
        "bucket": draft.site.bucket(&draft.spec.region),
        "cluster": draft.name,
        "fileSystem": id_of(&draft.address::<FileSystem>("main")),
        "hub": network::hub_address(draft.cidr()),
        "namespace": namespace_name(draft),
        "publicAddress": output_of(&draft.address::<ElasticIp>("hub"), "public_ip"),
        "region": draft.spec.region,
    })
    .to_string()
}

fn add_agent(draft: &mut Draft<'_>) {
    let Some(agent) = draft.inputs.agents.get(draft.name) else { return };
    let bucket = Address::new(&Site::region_scope(&draft.spec.region), "bucket", "artifacts");
    let object = StoredObject {
        bucket: id_of(&bucket),
        key: agent_key(draft.name, &agent.digest),
        size: agent.size,
        etag: agent.etag.clone(),
    };
    draft.add(&agent_name(agent), object);
}

/// The agent's object, whose id is its key: what names it this way comes after
/// its upload.
pub(crate) fn agent_address(draft: &Draft<'_>, agent: &Agent) -> Address {
    draft.address::<StoredObject>(&agent_name(agent))
}

/// Whether an object is an agent's binary.
pub(crate) fn is_agent(address: &Address) -> bool {
    address.kind() == StoredObject::NAME && address.name().starts_with("agent-")
}

fn agent_name(agent: &Agent) -> String {
    let short: String = agent.digest.chars().take(12).collect();
    format!("agent-{short}")
}

/// Where a cluster's nodes find their agent.
fn agent_key(cluster: &str, digest: &str) -> String {
    format!("{}agents/{digest}", Site::object_prefix(cluster))
}
