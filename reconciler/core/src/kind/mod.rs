//! The kinds of resource: what each is, and how each of its attributes may
//! change. One file a kind; `lyceum-aws` has a file of the same name that reads
//! and writes it.
//!
//! Invariants: every field of a kind has a rule in its `ATTRIBUTES`; maps and
//! sets are ordered and compared by meaning; what cannot stand alone (routes,
//! rules, hooks, mount targets) is a field of its parent. To add a kind: its
//! file here, its file in `lyceum-aws`, a line in [`kinds!`] below, a test.

use std::fmt::Debug;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a difference in an attribute means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Ours, changed in place.
    Owned,
    /// Ours, changed by stopping and starting the machine: waits for consent.
    Restart,
    /// Ours, changed only by making the object anew.
    Replace,
    /// Ours, a size: grows in place, cannot shrink without replacement.
    Grow,
    /// Set when the object is made and left alone afterwards.
    Initial,
    /// Left alone as long as the named attribute stays what it is.
    InitialWhile(&'static str),
}

/// One kind of resource.
pub trait Kind: Serialize + DeserializeOwned + Clone + PartialEq + Debug {
    /// As it stands in addresses, in kebab case.
    const NAME: &'static str;
    /// Every field with its rule.
    const ATTRIBUTES: &'static [(&'static str, Rule)];
    /// Attributes that hold ids of other objects, with the kind of these: what
    /// they name goes after this one. An id alone does not tell its kind; a
    /// role, a profile and a group may have one name.
    const REFERS: &'static [(&'static str, &'static str)] = &[];
    /// Losing it loses somebody's data.
    const HOLDS_DATA: bool = false;
    /// Its tags come with the list call, so that their drift can be seen.
    const READS_TAGS: bool = true;
    /// Outputs that an update in place changes.
    const VOLATILE: &'static [&'static str] = &[];
    /// Making it anew, or stopping it, ends what people are doing: waits for
    /// consent.
    const DISRUPTS: bool = false;
    /// Kinds of the same scope that come before this one although no attribute
    /// refers to them, and go after it.
    const AFTER: &'static [&'static str] = &[];
    /// Attributes that are kept in a tag of the object, with that tag's key.
    const IN_TAGS: &'static [(&'static str, &'static str)] = &[];
    /// Attributes that may refer in circles (the rules of two security groups
    /// to each other): the object is made without them, they are filled in
    /// when all exist, and emptied before any goes.
    const LATE: &'static [&'static str] = &[];

    /// What is desired at a moment (seconds since 1970, UTC). Only schedules
    /// make a difference.
    fn at(self, _now: i64) -> Self {
        self
    }

    /// The desired value, given what is there: the place to accept a value that
    /// AWS or a schedule is about to change by itself.
    fn given(self, _observed: &Self, _now: i64) -> Self {
        self
    }

    /// An output that is certain before the object is there.
    fn foretold(&self, _output: &str) -> Option<&str> {
        None
    }
}

/// What is known of a kind without having one.
#[derive(Clone, Copy, Debug)]
pub struct Facts {
    /// See [`Kind::NAME`].
    pub name: &'static str,
    /// See [`Kind::ATTRIBUTES`].
    pub attributes: &'static [(&'static str, Rule)],
    /// See [`Kind::REFERS`].
    pub refers: &'static [(&'static str, &'static str)],
    /// See [`Kind::HOLDS_DATA`].
    pub holds_data: bool,
    /// See [`Kind::READS_TAGS`].
    pub reads_tags: bool,
    /// See [`Kind::VOLATILE`].
    pub volatile: &'static [&'static str],
    /// See [`Kind::DISRUPTS`].
    pub disrupts: bool,
    /// See [`Kind::AFTER`].
    pub after: &'static [&'static str],
    /// See [`Kind::LATE`].
    pub late: &'static [&'static str],
    /// See [`Kind::IN_TAGS`].
    pub in_tags: &'static [(&'static str, &'static str)],
}

impl Facts {
    /// The rule of an attribute.
    pub fn rule(&self, attribute: &str) -> Rule {
        self.attributes
            .iter()
            .find(|(name, _)| *name == attribute)
            .map_or(Rule::Owned, |(_, rule)| *rule)
    }
}

/// A value that does not have the shape of its kind.
#[derive(Debug, thiserror::Error)]
#[error("the value is not a {kind}")]
pub struct WrongShape {
    kind: String,
    source: Option<serde_json::Error>,
}

macro_rules! kinds {
    ($($module:ident :: $kind:ident),* $(,)?) => {
        $(mod $module; pub use $module::*;)*

        /// The attributes of a resource of any kind.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(tag = "kind", content = "attributes")]
        pub enum Body {
            $(#[allow(missing_docs)] $kind($kind),)*
        }

        /// Every kind.
        pub const KINDS: &[Facts] = &[$(Facts {
            name: $kind::NAME,
            attributes: $kind::ATTRIBUTES,
            refers: $kind::REFERS,
            holds_data: $kind::HOLDS_DATA,
            reads_tags: $kind::READS_TAGS,
            volatile: $kind::VOLATILE,
            disrupts: $kind::DISRUPTS,
            after: $kind::AFTER,
            late: $kind::LATE,
            in_tags: $kind::IN_TAGS,
        }),*];

        impl Body {
            /// The kind's facts.
            pub fn facts(&self) -> &'static Facts {
                match self { $(Body::$kind(_) => facts($kind::NAME),)* }
            }

            /// The attributes as JSON, maps ordered.
            pub fn attributes(&self) -> Value {
                match self { $(Body::$kind(body) => to_value(body),)* }
            }

            /// The body of kind `kind` with these attributes.
            pub fn from_attributes(kind: &str, value: Value) -> Result<Body, WrongShape> {
                $(if kind == $kind::NAME {
                    return serde_json::from_value(value).map(Body::$kind)
                        .map_err(|source| WrongShape { kind: kind.into(), source: Some(source) });
                })*
                Err(WrongShape { kind: kind.into(), source: None })
            }

            /// See [`Kind::at`].
            pub fn at(self, now: i64) -> Body {
                match self { $(Body::$kind(body) => Body::$kind(body.at(now)),)* }
            }

            /// See [`Kind::foretold`].
            pub fn foretold(&self, output: &str) -> Option<&str> {
                match self { $(Body::$kind(body) => body.foretold(output),)* }
            }

            /// See [`Kind::given`]; bodies of two kinds leave the desired as it is.
            pub fn given(self, observed: &Body, now: i64) -> Body {
                match (self, observed) {
                    $((Body::$kind(body), Body::$kind(seen)) => Body::$kind(body.given(seen, now)),)*
                    (body, _) => body,
                }
            }
        }

        $(impl From<$kind> for Body {
            fn from(body: $kind) -> Body { Body::$kind(body) }
        })*
    };
}

kinds! {
    bucket::Bucket, object::StoredObject, queue::Queue, event_rule::EventRule,
    vpc::Vpc, internet_gateway::InternetGateway, subnet::Subnet, route_table::RouteTable,
    security_group::SecurityGroup, role::Role, instance_profile::InstanceProfile,
    file_system::FileSystem, access_point::AccessPoint, parameter::Parameter,
    signing_key::SigningKey, pointer::Pointer,
    namespace::Namespace, discovery_service::DiscoveryService,
    network_interface::NetworkInterface, elastic_ip::ElasticIp, volume::Volume,
    launch_template::LaunchTemplate, instance::Instance, scaling_group::ScalingGroup,
    alarm::Alarm, record::Record, worker::Worker, node_report::NodeReport,
}

/// The facts of a kind by name. Names come from [`KINDS`]; an unknown one has
/// the facts of a kind that holds data, the careful answer.
pub fn facts(name: &str) -> &'static Facts {
    const UNKNOWN: &Facts = &Facts {
        name: "unknown",
        attributes: &[],
        refers: &[],
        holds_data: true,
        reads_tags: false,
        volatile: &[],
        disrupts: true,
        after: &[],
        late: &[],
        in_tags: &[],
    };
    KINDS.iter().find(|facts| facts.name == name).unwrap_or(UNKNOWN)
}

fn to_value<T: Serialize>(body: &T) -> Value {
    // Kinds are plain structs with text keys: serialising them cannot fail.
    serde_json::to_value(body).unwrap_or(Value::Null)
}

#[cfg(test)]
mod tests;
