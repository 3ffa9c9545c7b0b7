//! Swarms: the node's own part, and those of others it can reach.

use std::collections::BTreeMap;

use lyceum_core::node::host::{
    Answer, Cause, Confidential, HostError, SwarmJoin, SwarmMember, SwarmState,
};
use lyceum_core::node::step::certificate_digest;

use super::{FakeFile, Machine, error};

const FOLDER: &str = "/var/lib/docker/swarm";
const CERTIFICATE: &str = "/var/lib/docker/swarm/certificates/swarm-root-ca.crt";
/// What a manager takes its swarm up from when Docker starts.
const STATE: &str = "/var/lib/docker/swarm/docker-state.json";

/// A swarm, by the address of its leader.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FakeSwarm {
    /// Its certificate.
    pub certificate: String,
    /// The rest of its tokens.
    pub secret: String,
    /// Its members.
    pub members: Vec<SwarmMember>,
}

impl FakeSwarm {
    /// One that began with this certificate and secret.
    pub fn new(certificate: &str, secret: &str) -> Self {
        Self { certificate: certificate.into(), secret: secret.into(), members: Vec::new() }
    }

    /// The token for `worker` or `manager`.
    pub fn token(&self, role: &str) -> String {
        let digest = certificate_digest(self.certificate.as_bytes());
        format!("SWMTKN-1-{digest}-{}{role}", self.secret)
    }
}

impl Machine {
    pub(super) fn swarm_state(&self) -> SwarmState {
        let mut state = self.docker.swarm.clone();
        if state.state.is_empty() {
            state.state = "inactive".into();
        }
        state
    }

    pub(super) fn begin_swarm(&mut self, address: &str) -> Answer<()> {
        if self.swarm_state().state != "inactive" {
            return error(Cause::Refused, "swarm_init", "This node is already part of a swarm");
        }
        // As Docker does: what an earlier swarm left is wiped.
        self.empty(FOLDER);
        let number = self.next();
        let mut swarm =
            FakeSwarm::new(&format!("certificate {number}"), &format!("s3cr3t{number}"));
        swarm.members.push(self.member(&format!("node{number}"), address, "manager", "active"));
        self.put(CERTIFICATE, FakeFile::file(&swarm.certificate));
        self.docker.swarm = SwarmState {
            state: "active".into(),
            node_id: format!("node{number}"),
            manager: true,
            address: address.into(),
            managers: vec![format!("{address}:2377")],
            error: String::new(),
        };
        self.put(STATE, FakeFile::file(&format!("node{number} {address}")));
        self.swarms.insert(address.into(), swarm);
        Ok(())
    }

    /// Docker starts: a manager's state that is there is taken up.
    pub(super) fn resume_swarm(&mut self) {
        let kept = self.text(STATE);
        let Some((id, address)) = kept.split_once(' ') else { return };
        if self.swarm_state().state != "inactive" || !self.swarms.contains_key(address) {
            return;
        }
        self.docker.swarm = SwarmState {
            state: "active".into(),
            node_id: id.into(),
            manager: true,
            address: address.into(),
            managers: vec![format!("{address}:2377")],
            error: String::new(),
        };
    }

    /// Whether a manager shows a certificate of the authority in this file.
    pub(super) fn shows_certificate(&self, manager: &str, authority: &str) -> bool {
        let host = manager.rsplit_once(':').map_or(manager, |(host, _)| host);
        self.swarms.get(host).is_some_and(|swarm| swarm.certificate == self.text(authority))
    }

    pub(super) fn join_swarm(&mut self, join: &SwarmJoin) -> Answer<()> {
        let refused = |message: &str| HostError::new(Cause::Refused, "swarm_join", message);
        if self.swarm_state().state != "inactive" {
            return Err(refused("This node is already part of a swarm"));
        }
        let leader = join.remote.rsplit_once(':').map_or(join.remote.as_str(), |(host, _)| host);
        let Some(swarm) = self.swarms.get(leader).cloned() else {
            return error(Cause::Unreachable, "swarm_join", "connection refused");
        };
        let token = join.token.reveal();
        let role = ["worker", "manager"].into_iter().find(|role| swarm.token(role) == token);
        let role = role.ok_or_else(|| refused("invalid join token"))?;
        let id = format!("node{}", self.next());
        let member = self.member(&id, &join.advertise, role, &join.availability);
        self.put(CERTIFICATE, FakeFile::file(&swarm.certificate));
        self.docker.swarm = SwarmState {
            state: "active".into(),
            node_id: id,
            manager: role == "manager",
            address: join.advertise.clone(),
            managers: vec![join.remote.clone()],
            error: String::new(),
        };
        if let Some(swarm) = self.swarms.get_mut(leader) {
            swarm.members.push(member);
        }
        Ok(())
    }

    pub(super) fn leave_swarm(&mut self) {
        let own = std::mem::take(&mut self.docker.swarm);
        if own.manager {
            self.swarms.remove(&own.address);
        }
        for swarm in self.swarms.values_mut() {
            let left = swarm.members.iter_mut().filter(|member| member.id == own.node_id);
            left.for_each(|member| member.state = "down".into());
        }
        self.empty(FOLDER);
    }

    /// The node was never in a swarm.
    pub fn leave(&mut self) {
        self.leave_swarm();
    }

    pub(super) fn token(&mut self, role: &str) -> Answer<Confidential> {
        Ok(Confidential::new(self.own_swarm("swarm_token")?.token(role)))
    }

    pub(super) fn members(&mut self) -> Answer<Vec<SwarmMember>> {
        let mut members = self.own_swarm("swarm_members")?.members.clone();
        members.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(members)
    }

    pub(super) fn set_member(
        &mut self,
        id: &str,
        availability: &str,
        labels: &BTreeMap<String, String>,
    ) -> Answer<()> {
        let members = &mut self.own_swarm("set_member")?.members;
        let Some(member) = members.iter_mut().find(|member| member.id == id) else {
            return error(Cause::NotFound, "set_member", format!("node {id} not found"));
        };
        member.availability = availability.into();
        member.labels = labels.clone();
        Ok(())
    }

    pub(super) fn remove_member(&mut self, id: &str) -> Answer<()> {
        let members = &mut self.own_swarm("remove_member")?.members;
        if members.iter().any(|member| member.id == id && member.state != "down") {
            return error(Cause::Refused, "remove_member", "node is not down");
        }
        members.retain(|member| member.id != id);
        Ok(())
    }

    /// The swarm this node manages.
    pub fn own_swarm(&mut self, operation: &str) -> Answer<&mut FakeSwarm> {
        let own = self.swarm_state();
        let manager = "This node is not a swarm manager.";
        if !own.manager {
            return error(Cause::Refused, operation, manager);
        }
        let found = self
            .swarms
            .values_mut()
            .find(|swarm| swarm.members.iter().any(|member| member.id == own.node_id));
        found.ok_or_else(|| HostError::new(Cause::Refused, operation, manager))
    }

    fn member(&self, id: &str, address: &str, role: &str, availability: &str) -> SwarmMember {
        SwarmMember {
            id: id.into(),
            hostname: self.facts.hostname.clone(),
            address: address.into(),
            role: role.into(),
            availability: availability.into(),
            state: "ready".into(),
            labels: BTreeMap::new(),
        }
    }
}
