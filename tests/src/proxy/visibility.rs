//! Late visibility: what was just made cannot be seen for a while.
//!
//! A new id is missing from lists, and asking for it outright is answered with
//! the service's NotFound. A new instance profile is not yet known to EC2.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use hyper::Response;

use super::action::{Call, Protocol};
use super::wording::Refusal;
use super::xml::Element;

/// How long a new object stays unseen: until both have passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Late {
    /// Reads that would have shown it.
    pub reads: u32,
    /// Time.
    pub lasting: Duration,
}

/// What EC2 calls an id: in its answers, in the answer that makes it, in the
/// answers that list it, and when it is not found.
struct Named {
    id: &'static str,
    made_by: &'static str,
    listed_by: &'static [&'static str],
    not_found: &'static str,
}

#[rustfmt::skip]
const EC2: &[Named] = &[
    Named { id: "vpcId", made_by: "CreateVpc", listed_by: &["DescribeVpcs"], not_found: "InvalidVpcID.NotFound" },
    Named { id: "subnetId", made_by: "CreateSubnet", listed_by: &["DescribeSubnets"], not_found: "InvalidSubnetID.NotFound" },
    Named { id: "internetGatewayId", made_by: "CreateInternetGateway", listed_by: &["DescribeInternetGateways"], not_found: "InvalidInternetGatewayID.NotFound" },
    Named { id: "routeTableId", made_by: "CreateRouteTable", listed_by: &["DescribeRouteTables"], not_found: "InvalidRouteTableID.NotFound" },
    Named { id: "groupId", made_by: "CreateSecurityGroup", listed_by: &["DescribeSecurityGroups", "DescribeSecurityGroupRules"], not_found: "InvalidGroup.NotFound" },
    Named { id: "networkInterfaceId", made_by: "CreateNetworkInterface", listed_by: &["DescribeNetworkInterfaces"], not_found: "InvalidNetworkInterfaceID.NotFound" },
    Named { id: "allocationId", made_by: "AllocateAddress", listed_by: &["DescribeAddresses"], not_found: "InvalidAllocationID.NotFound" },
    Named { id: "volumeId", made_by: "CreateVolume", listed_by: &["DescribeVolumes"], not_found: "InvalidVolume.NotFound" },
    Named { id: "launchTemplateId", made_by: "CreateLaunchTemplate", listed_by: &["DescribeLaunchTemplates", "DescribeLaunchTemplateVersions"], not_found: "InvalidLaunchTemplateId.NotFound" },
    Named { id: "instanceId", made_by: "RunInstances", listed_by: &["DescribeInstances"], not_found: "InvalidInstanceID.NotFound" },
];

/// JSON lists: service and operation that makes, operation that lists, list, id.
const JSON: &[(&str, &str, &str, &str, &str)] = &[
    ("efs", "CreateFileSystem", "DescribeFileSystems", "FileSystems", "FileSystemId"),
    ("efs", "CreateAccessPoint", "DescribeAccessPoints", "AccessPoints", "AccessPointId"),
];

/// What is hidden at the moment.
#[derive(Debug, Default)]
pub(super) struct Hidden {
    ids: BTreeMap<String, Until>,
    /// Launch template id or name to the profile it names.
    template_profiles: BTreeMap<String, String>,
}

#[derive(Debug)]
struct Until {
    reads: u32,
    time: Instant,
}

impl Hidden {
    /// Hides what a call has made.
    pub(super) fn note(&mut self, call: &Call, answer: &Response<Bytes>, late: Late) {
        if !answer.status().is_success() {
            return;
        }
        self.note_template(call, answer);
        for id in made(call, answer) {
            self.ids.insert(id, Until { reads: late.reads, time: Instant::now() + late.lasting });
        }
    }

    /// A refusal where a call names what cannot be seen yet.
    pub(super) fn refusal(&mut self, call: &Call) -> Option<Refusal> {
        if self.ids.is_empty() {
            return None;
        }
        if call.action() == "ec2:RunInstances" {
            return self.unknown_profile(call);
        }
        let named = EC2.iter().find(|named| named.listed_by.contains(&call.operation.as_str()))?;
        let asked = |(name, id): (&String, &String)| {
            (!name.starts_with("Filter.") && self.ids.contains_key(id)).then(|| id.clone())
        };
        let id = call.params.iter().find_map(asked)?;
        self.unseen(&id)
            .then(|| Refusal::new(named.not_found, format!("The ID '{id}' does not exist")))
    }

    /// The answer to a read, without what cannot be seen yet.
    pub(super) fn edit(&mut self, call: &Call, answer: Response<Bytes>) -> Response<Bytes> {
        if self.ids.is_empty() || call.mutating() || !answer.status().is_success() {
            return answer;
        }
        let edited = match call.protocol {
            Protocol::Ec2 => self.edit_ec2(call, answer.body()),
            Protocol::RestJson => self.edit_json(call, answer.body()),
            _ => None,
        };
        match edited {
            Some(body) => with_body(answer, body),
            None => answer,
        }
    }

    fn edit_ec2(&mut self, call: &Call, body: &Bytes) -> Option<Vec<u8>> {
        let named = EC2.iter().find(|named| named.listed_by.contains(&call.operation.as_str()))?;
        let mut root = Element::parse(body)?;
        for set in &mut root.children {
            if named.id == "instanceId" {
                for instances in set.children.iter_mut().flat_map(|item| &mut item.children) {
                    instances.children.retain(|item| !self.unseen(item.text_of(named.id)));
                }
                set.children.retain(|item| {
                    item.child("instancesSet").is_none_or(|set| !set.children.is_empty())
                });
            } else {
                set.children.retain(|item| !self.unseen(item.text_of(named.id)));
            }
        }
        Some(root.document())
    }

    fn edit_json(&mut self, call: &Call, body: &Bytes) -> Option<Vec<u8>> {
        let (_, _, _, list, id) = JSON
            .iter()
            .find(|(service, _, by, ..)| *service == call.service && *by == call.operation)?;
        let mut value: serde_json::Value = serde_json::from_slice(body).ok()?;
        let items = value.get_mut(*list)?.as_array_mut()?;
        items.retain(|item| !self.unseen(item[*id].as_str().unwrap_or_default()));
        Some(value.to_string().into_bytes())
    }

    /// Whether an id is still hidden; counts the read that would have shown it.
    fn unseen(&mut self, id: &str) -> bool {
        let Some(until) = self.ids.get_mut(id) else { return false };
        if until.reads == 0 && Instant::now() >= until.time {
            self.ids.remove(id);
            return false;
        }
        until.reads = until.reads.saturating_sub(1);
        true
    }

    fn note_template(&mut self, call: &Call, answer: &Response<Bytes>) {
        let profile = call.param("LaunchTemplateData.IamInstanceProfile.Name");
        if profile.is_empty() || call.service != "ec2" {
            return;
        }
        let Some(root) = Element::parse(answer.body()) else { return };
        for name in ["launchTemplateId", "launchTemplateName"] {
            if let Some(key) = root.all(name).next() {
                self.template_profiles.insert(key.text_at(&[]).into(), profile.into());
            }
        }
    }

    fn unknown_profile(&mut self, call: &Call) -> Option<Refusal> {
        let named = ["LaunchTemplate.LaunchTemplateId", "LaunchTemplate.LaunchTemplateName"]
            .iter()
            .find_map(|name| self.template_profiles.get(call.param(name)))
            .cloned();
        let profile = match call.param("IamInstanceProfile.Name") {
            "" => named?,
            own => own.to_string(),
        };
        let message = format!(
            "Value ({profile}) for parameter iamInstanceProfile.name is invalid. Invalid IAM \
             Instance Profile name"
        );
        self.unseen(&profile_key(&profile)).then(|| Refusal::new("InvalidParameterValue", message))
    }
}

/// The ids a call has made.
fn made(call: &Call, answer: &Response<Bytes>) -> Vec<String> {
    if call.action() == "iam:CreateInstanceProfile" {
        return vec![profile_key(call.param("InstanceProfileName"))];
    }
    if call.service == "ec2" {
        let Some(named) = EC2.iter().find(|named| named.made_by == call.operation) else {
            return Vec::new();
        };
        let Some(root) = Element::parse(answer.body()) else { return Vec::new() };
        return root.all(named.id).map(|id| id.text_at(&[]).to_string()).collect();
    }
    let Some((.., id)) =
        JSON.iter().find(|(service, by, ..)| *service == call.service && *by == call.operation)
    else {
        return Vec::new();
    };
    let value: serde_json::Value = serde_json::from_slice(answer.body()).unwrap_or_default();
    value[*id].as_str().map(str::to_string).into_iter().collect()
}

/// Profiles are known by name, which must not be taken for an id.
fn profile_key(name: &str) -> String {
    format!("profile {name}")
}

/// An answer with another body.
pub(super) fn with_body(answer: Response<Bytes>, body: Vec<u8>) -> Response<Bytes> {
    let (mut parts, _) = answer.into_parts();
    parts.headers.remove("content-length");
    Response::from_parts(parts, Bytes::from(body))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::Request;

    fn call(body: &str) -> Call {
        let scope = "Credential=A/1/us-east-1/ec2/aws4_request";
        let request = Request::builder().header("authorization", scope).body(()).unwrap();
        Call::new(&request.into_parts().0, Bytes::from(body.to_string()))
    }

    fn answer(text: &str) -> Response<Bytes> {
        Response::new(Bytes::from(text.to_string()))
    }

    #[test]
    fn a_new_id_is_missing_from_as_many_reads_as_said() {
        let mut hidden = Hidden::default();
        let late = Late { reads: 2, lasting: Duration::ZERO };
        let create = call("Action=CreateVpc");
        hidden.note(&create, &answer("<R><vpc><vpcId>vpc-1</vpcId></vpc></R>"), late);
        let list = "<R><vpcSet><item><vpcId>vpc-1</vpcId></item></vpcSet></R>";
        let mut seen = Vec::new();
        for _ in 0..3 {
            let edited = hidden.edit(&call("Action=DescribeVpcs"), answer(list));
            seen.push(String::from_utf8_lossy(edited.body()).contains("vpc-1"));
        }
        assert_eq!(seen, [false, false, true]);
    }

    #[test]
    fn asking_for_it_outright_is_not_found() {
        let mut hidden = Hidden::default();
        let late = Late { reads: 1, lasting: Duration::ZERO };
        let made = answer("<R><groupId>sg-1</groupId></R>");
        hidden.note(&call("Action=CreateSecurityGroup"), &made, late);
        let filtered = call("Action=DescribeSecurityGroups&Filter.1.Value.1=sg-1");
        assert!(hidden.refusal(&filtered).is_none());
        let outright = call("Action=DescribeSecurityGroups&GroupId.1=sg-1");
        assert_eq!(hidden.refusal(&outright).unwrap().code, "InvalidGroup.NotFound");
        assert!(hidden.refusal(&outright).is_none());
    }

    #[test]
    fn rules_that_name_a_hidden_group_keep_their_peer() {
        let mut hidden = Hidden::default();
        let late = Late { reads: 9, lasting: Duration::ZERO };
        let made = answer("<R><groupId>sg-2</groupId></R>");
        hidden.note(&call("Action=CreateSecurityGroup"), &made, late);
        let list = "<R><securityGroupInfo><item><groupId>sg-1</groupId><groups><item>\
                    <groupId>sg-2</groupId></item></groups></item></securityGroupInfo></R>";
        let edited = hidden.edit(&call("Action=DescribeSecurityGroups"), answer(list));
        assert!(String::from_utf8_lossy(edited.body()).contains("sg-2"));
    }
}
