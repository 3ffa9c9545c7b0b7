//! What AWS refuses and the emulator does not: deleting what is in use, making
//! what exists. Decided by asking the emulator, so that nothing is remembered.

use super::action::Call;
use super::upstream::Upstream;
use super::wording::Refusal;
use super::xml::Element;

/// The refusal AWS would give, if any.
pub(super) async fn refusal(call: &Call, upstream: &Upstream) -> Option<Refusal> {
    let world = World { call, upstream };
    match call.action().as_str() {
        "ec2:DeleteSubnet" => world.subnet(call.param("SubnetId")).await,
        "ec2:DeleteSecurityGroup" => world.security_group(call.param("GroupId")).await,
        "ec2:DeleteVpc" => world.vpc(call.param("VpcId")).await,
        "ec2:DetachInternetGateway" => world.mapped_addresses(call.param("VpcId")).await,
        "ec2:ReleaseAddress" => world.address(call.param("AllocationId")).await,
        "ec2:DeleteNetworkInterface" => world.interface(call.param("NetworkInterfaceId")).await,
        "autoscaling:CreateAutoScalingGroup" => {
            world.scaling_group(call.param("AutoScalingGroupName")).await
        }
        "servicediscovery:DeleteNamespace" => world.namespace().await,
        "servicediscovery:DeleteService" => world.discovery_service().await,
        "servicediscovery:CreateService" => world.named_service().await,
        _ => None,
    }
}

struct World<'a> {
    call: &'a Call,
    upstream: &'a Upstream,
}

impl World<'_> {
    async fn subnet(&self, id: &str) -> Option<Refusal> {
        let used = self.live_interfaces("subnet-id", id).await > 0;
        used.then(|| {
            violation(format!("The subnet '{id}' has dependencies and cannot be deleted."))
        })
    }

    async fn security_group(&self, id: &str) -> Option<Refusal> {
        let used = self.live_interfaces("group-id", id).await > 0 || self.referenced(id).await;
        used.then(|| violation(format!("resource {id} has a dependent object")))
    }

    async fn vpc(&self, id: &str) -> Option<Refusal> {
        let gateways = self
            .list("DescribeInternetGateways", "internetGatewaySet", &[("attachment.vpc-id", id)])
            .await;
        let groups =
            self.list("DescribeSecurityGroups", "securityGroupInfo", &[("vpc-id", id)]).await;
        let own = groups.iter().filter(|group| group.text_of("groupName") != "default").count();
        let left = gateways.len() + own + self.live_interfaces("vpc-id", id).await;
        (left > 0)
            .then(|| violation(format!("The vpc '{id}' has dependencies and cannot be deleted.")))
    }

    async fn mapped_addresses(&self, vpc: &str) -> Option<Refusal> {
        let addresses = self.list("DescribeAddresses", "addressesSet", &[]).await;
        let interfaces =
            self.list("DescribeNetworkInterfaces", "networkInterfaceSet", &[("vpc-id", vpc)]).await;
        let here = |id: &str| interfaces.iter().any(|one| one.text_of("networkInterfaceId") == id);
        let mapped = addresses.iter().any(|address| here(address.text_of("networkInterfaceId")));
        mapped.then(|| {
            violation(format!("Network {vpc} has some mapped public address(es). Please unmap those public address(es) before detaching the gateway."))
        })
    }

    async fn address(&self, id: &str) -> Option<Refusal> {
        let addresses = self.list("DescribeAddresses", "addressesSet", &[]).await;
        let address = addresses.iter().find(|address| address.text_of("allocationId") == id)?;
        let instance = address.text_of("instanceId");
        let used = !address.text_of("associationId").is_empty()
            && (instance.is_empty() || self.live(instance).await);
        used.then(|| Refusal::new("InvalidIPAddress.InUse", format!("Address {id} is in use.")))
    }

    async fn interface(&self, id: &str) -> Option<Refusal> {
        let filter = [("network-interface-id", id)];
        let found = self.list("DescribeNetworkInterfaces", "networkInterfaceSet", &filter).await;
        let instance = found.first()?.text_at(&["attachment", "instanceId"]).to_string();
        let used = !instance.is_empty() && self.live(&instance).await;
        used.then(|| {
            let message = format!("Network interface '{id}' is currently in use.");
            Refusal::new("InvalidParameterValue", message)
        })
    }

    async fn scaling_group(&self, name: &str) -> Option<Refusal> {
        let params =
            [("Action", "DescribeAutoScalingGroups"), ("AutoScalingGroupNames.member.1", name)];
        let found = self.upstream.ask(self.call, &params).await?;
        let exists = found.all("AutoScalingGroupName").any(|found| found.text_at(&[]) == name);
        exists.then(|| {
            let message = "AutoScalingGroup by this name already exists - A group with the name \
                           already exists";
            Refusal::new("AlreadyExists", message)
        })
    }

    async fn namespace(&self) -> Option<Refusal> {
        let id = self.json("Id")?;
        let services = self.services(&id).await;
        (!services.is_empty()).then(|| {
            let message = format!("Cannot delete namespace {id}: it contains services");
            Refusal::new("ResourceInUse", message)
        })
    }

    async fn discovery_service(&self) -> Option<Refusal> {
        let id = self.json("Id")?;
        let body = serde_json::json!({"ServiceId": id});
        let found = self.upstream.ask_cloud_map(self.call, "ListInstances", &body).await?;
        let instances = found["Instances"].as_array()?;
        (!instances.is_empty()).then(|| {
            Refusal::new("ResourceInUse", format!("Service {id} contains registered instances"))
        })
    }

    async fn named_service(&self) -> Option<Refusal> {
        let (name, namespace) = (self.json("Name")?, self.json("NamespaceId")?);
        let services = self.services(&namespace).await;
        let exists = services.iter().any(|service| service["Name"] == name.as_str());
        exists
            .then(|| Refusal::new("ServiceAlreadyExists", format!("Service {name} already exists")))
    }

    /// The services of a namespace; the emulator ignores filters, so they are
    /// picked here.
    async fn services(&self, namespace: &str) -> Vec<serde_json::Value> {
        let all = serde_json::json!({"MaxResults": 100});
        let found = self.upstream.ask_cloud_map(self.call, "ListServices", &all).await;
        let services = found.and_then(|found| found["Services"].as_array().cloned());
        let of = |service: &serde_json::Value| service["NamespaceId"] == namespace;
        services.unwrap_or_default().into_iter().filter(of).collect()
    }

    /// Interfaces that a filter finds, without those of terminated instances,
    /// which the emulator never frees.
    async fn live_interfaces(&self, filter: &str, id: &str) -> usize {
        let found =
            self.list("DescribeNetworkInterfaces", "networkInterfaceSet", &[(filter, id)]).await;
        let mut live = 0;
        for interface in &found {
            let instance = interface.text_at(&["attachment", "instanceId"]);
            // Whoever is attached holds it, and so does whoever is not: an
            // interface of its own is a dependency too.
            live += usize::from(instance.is_empty() || self.live(instance).await);
        }
        live
    }

    /// Whether an instance still is more than a line in a list.
    async fn live(&self, instance: &str) -> bool {
        let filter = [("instance-id", instance)];
        let found = self.list("DescribeInstances", "reservationSet", &filter).await;
        found.iter().any(|reservation| {
            let mut states = reservation.all("instanceState");
            states.any(|state| !matches!(state.text_of("name"), "terminated" | "shutting-down"))
        })
    }

    /// Whether another group's rules name this one.
    async fn referenced(&self, id: &str) -> bool {
        let groups = self.list("DescribeSecurityGroups", "securityGroupInfo", &[]).await;
        groups.iter().filter(|group| group.text_of("groupId") != id).any(|group| {
            ["ipPermissions", "ipPermissionsEgress"].iter().any(|rules| {
                group
                    .child(rules)
                    .is_some_and(|rules| rules.all("groupId").any(|peer| peer.text_at(&[]) == id))
            })
        })
    }

    async fn list(&self, action: &str, set: &str, filters: &[(&str, &str)]) -> Vec<Element> {
        let named: Vec<(String, &str)> = filters
            .iter()
            .enumerate()
            .flat_map(|(at, (name, value))| {
                let at = at + 1;
                [(format!("Filter.{at}.Name"), *name), (format!("Filter.{at}.Value.1"), *value)]
            })
            .collect();
        let params: Vec<(&str, &str)> = [("Action", action)]
            .into_iter()
            .chain(named.iter().map(|(name, value)| (name.as_str(), *value)))
            .collect();
        let answer = self.upstream.ask(self.call, &params).await;
        let items = answer.and_then(|root| root.child(set).map(|set| set.children.clone()));
        items.unwrap_or_default()
    }

    /// A text of the call's JSON body.
    fn json(&self, name: &str) -> Option<String> {
        let body: serde_json::Value = serde_json::from_slice(&self.call.body).ok()?;
        body[name].as_str().map(str::to_string)
    }
}

fn violation(message: String) -> Refusal {
    Refusal::new("DependencyViolation", message)
}
