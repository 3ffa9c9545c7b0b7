//! The node's part in the swarm, and what its leader does for the others.
//!
//! Members are told apart by the label `lyceum.instance`, else by a host name
//! that is their instance's id: a worker cannot label itself, and its address
//! may be another's tomorrow.
//!
//! Invariants: a member is removed only when it is down and its instance is
//! gone, since a partition is not death; what drains, or is held by hand, is
//! left alone; a swarm is left only for another one, never while notebook
//! servers run here, and never by a worker whose manager still answers: leaving
//! ends what runs, and a token may be wrong. Nobody begins a swarm over the
//! state of an earlier one: Docker would wipe that first.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::run::no_parameter;
use super::{Difference, Run, Step, StepError, Texts};
use crate::node::host::{
    Cause, Confidential, Program, SwarmJoin, SwarmMember, SwarmState, UnitVerb,
};

/// A node's part in the swarm.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Swarm {
    /// The part.
    pub part: SwarmPart,
    /// The address others reach this node by; its private one without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// `worker`, `manager`: a manager to join, `{{ node.hub }}:2377`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// `worker`, `manager`: the parameter that holds the join token.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token: Option<String>,
    /// What it takes: on joining for a worker, always for a leader or manager.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub availability: Option<Availability>,
    /// Labels of the leader or manager itself.
    #[serde(default, skip_serializing_if = "Texts::is_empty")]
    #[schemars(extend("maxProperties" = 20))]
    pub labels: Texts,
    /// `leader`: sets members active once they report themselves ready,
    /// pauses those that no longer do, and takes those off the list that are
    /// down and whose instance is gone.
    #[serde(default)]
    pub tend: bool,
}

/// The part a node plays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SwarmPart {
    /// Begins the swarm and manages it.
    #[default]
    Leader,
    /// Joins as another manager.
    Manager,
    /// Joins as a worker.
    Worker,
    /// Is in no swarm.
    None,
}

/// Whether a node takes tasks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Availability {
    /// Takes tasks.
    #[default]
    Active,
    /// Keeps those it has and takes no more.
    Pause,
    /// Loses those it has.
    Drain,
}

/// The label, of Docker's daemon or of the member, with the instance's id.
pub const INSTANCE_LABEL: &str = "lyceum.instance";
/// The label of a member whose availability an operator keeps as it is: it is
/// not made active, whatever it reports.
pub const HOLD_LABEL: &str = "lyceum.hold";
/// The label of notebook servers.
pub const SESSION_LABEL: &str = "lyceum.session";
/// What Docker takes its part in a swarm up from when it starts.
const STATE: &str = "/var/lib/docker/swarm/docker-state.json";
/// What a manager keeps its swarm in.
const RAFT: &str = "/var/lib/docker/swarm/raft";
const DOCKER: &str = "docker.service";
/// Where Docker keeps the certificate of the swarm it is in.
const CERTIFICATE: &str = "/var/lib/docker/swarm/certificates/swarm-root-ca.crt";
/// A certificate has no more bytes than this.
const LARGEST_CERTIFICATE: usize = 64 * 1024;
/// A manager shows its certificate within this.
const HANDSHAKE_TIME: Duration = Duration::from_secs(10);
/// Managers that are asked; a swarm has no more than seven.
const MOST_MANAGERS: usize = 7;
/// Digits of a certificate's digest in a token.
const DIGITS: usize = 50;

impl Step for Swarm {
    fn check(&self, run: &mut Run<'_>) -> Result<Vec<Difference>, StepError> {
        let state = run.host.swarm()?;
        let mut found: Vec<Difference> = self.part_difference(run, &state)?.into_iter().collect();
        if found.is_empty() && self.is_manager() {
            for deed in self.deeds(run, &state)? {
                found.push(deed.difference);
            }
        }
        Ok(found)
    }

    fn apply(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let state = run.host.swarm()?;
        if self.part_difference(run, &state)?.is_some() {
            self.take_part(run, &state)?;
        }
        if !self.is_manager() {
            return Ok(());
        }
        let state = run.host.swarm()?;
        for deed in self.deeds(run, &state)? {
            match deed.then {
                Then::Set { availability, labels } => {
                    run.host.set_member(&deed.id, &availability, &labels)?;
                }
                Then::Remove => run.host.remove_member(&deed.id)?,
            }
        }
        Ok(())
    }

    fn provides(&self) -> Vec<String> {
        vec!["swarm".into()]
    }

    fn needs_docker(&self) -> bool {
        true
    }
}

/// Something a manager does to a member.
struct Deed {
    id: String,
    difference: Difference,
    then: Then,
}

enum Then {
    Set { availability: String, labels: Texts },
    Remove,
}

impl Swarm {
    fn is_manager(&self) -> bool {
        matches!(self.part, SwarmPart::Leader | SwarmPart::Manager)
    }

    fn address(&self, run: &Run<'_>) -> String {
        self.address.clone().unwrap_or_else(|| run.facts.private_ip.clone())
    }

    /// How the node's part differs, if it does.
    fn part_difference(
        &self,
        run: &mut Run<'_>,
        state: &SwarmState,
    ) -> Result<Option<Difference>, StepError> {
        let differs = |after: String| Ok(Some(Difference::new("part", described(state), after)));
        match (self.part, state.state.as_str()) {
            (SwarmPart::None, "inactive") => Ok(None),
            (SwarmPart::None, _) => differs("none".into()),
            (_, "pending") => {
                let message = format!("the node is still joining a swarm: {}", state.error);
                Err(StepError::new(Cause::Busy, message))
            }
            (_, "locked") => Err(StepError::new(Cause::Refused, "the swarm is locked")
                .hint("unlock it with `docker swarm unlock` on the node")),
            (SwarmPart::Leader, "active") if state.manager => self.same_address(run, state),
            (SwarmPart::Leader, "error") => Err(broken(state)),
            (SwarmPart::Leader, _) => differs(format!("leader at {}", self.address(run))),
            (SwarmPart::Manager, "active") if state.manager => Ok(None),
            (SwarmPart::Manager, _) => differs(format!("manager with {}", self.remote()?)),
            (SwarmPart::Worker, "active") if !state.manager => {
                let with = self.wrong_swarm(run, state)?;
                Ok(with.map(|with| Difference::new("swarm", with, self.remote().unwrap_or(""))))
            }
            (SwarmPart::Worker, _) => differs(format!("worker with {}", self.remote()?)),
        }
    }

    /// A leader that is known by another address cannot be told a new one.
    fn same_address(
        &self,
        run: &Run<'_>,
        state: &SwarmState,
    ) -> Result<Option<Difference>, StepError> {
        let wanted = self.address(run);
        if state.address.is_empty() || host_of(&state.address) == host_of(&wanted) {
            return Ok(None);
        }
        let message = format!("the swarm knows this node by {}, not {wanted}", state.address);
        Err(StepError::new(Cause::Refused, message).hint(
            "give the node its old address, or begin anew with `docker swarm leave --force` on it, \
             which ends every service of the swarm",
        ))
    }

    /// What tells that a worker is in another swarm than the one it should be in.
    fn wrong_swarm(
        &self,
        run: &mut Run<'_>,
        state: &SwarmState,
    ) -> Result<Option<String>, StepError> {
        let remote = self.remote()?;
        let known = state.managers.iter().any(|it| host_of(it) == host_of(remote));
        if !state.managers.is_empty() && !known {
            return Ok(Some(format!("that of {}", state.managers.join(", "))));
        }
        // The same address may have begun another swarm: a token names the
        // certificate of its own.
        let token = match &self.token {
            Some(name) => run.secret(name)?,
            None => None,
        };
        let (Some(token), true) = (token, run.host.stat(CERTIFICATE)?.is_some()) else {
            return Ok(None);
        };
        let certificate = run.host.read(CERTIFICATE, LARGEST_CERTIFICATE)?;
        let own = certificate_digest(&certificate);
        let other = token.reveal().split('-').nth(2).is_some_and(|digest| digest != own);
        Ok(other.then(|| format!("an earlier one of {remote}")))
    }

    fn take_part(&self, run: &mut Run<'_>, state: &SwarmState) -> Result<(), StepError> {
        // What is missing is found out before anything is left.
        let join = match self.part {
            SwarmPart::Worker | SwarmPart::Manager => Some(self.join(run)?),
            SwarmPart::Leader | SwarmPart::None => None,
        };
        if state.state != "inactive" {
            self.may_leave(run, state)?;
            run.host.swarm_leave()?;
        }
        match (self.part, join) {
            (_, Some(join)) => run.host.swarm_join(&join).map_err(|error| match error.cause {
                Cause::Refused => StepError::from(error).hint(format!(
                    "the token in {} is not this swarm's: its leader publishes the present one \
                     when it converges",
                    run.parameter_path(self.token.as_deref().unwrap_or_default())
                )),
                _ => StepError::from(error),
            }),
            (SwarmPart::Leader, None) => self.lead(run),
            _ => Ok(()),
        }
    }

    /// Leaving ends every server that runs here. A worker that is to be in
    /// another swarm is told so by what may be wrong; that its own still works is
    /// certain.
    fn may_leave(&self, run: &mut Run<'_>, state: &SwarmState) -> Result<(), StepError> {
        let sessions = run.host.running_with_label(SESSION_LABEL)?;
        if sessions > 0 {
            let message = format!("{sessions} notebook servers run here, and leaving ends them");
            return Err(StepError::new(Cause::Busy, message).hint(
                "it leaves once they have ended; where they cannot go on, `docker swarm leave` \
                 on the node ends them",
            ));
        }
        let stays = self.part == SwarmPart::Worker && !state.manager;
        if !stays || state.state != "active" || !state.error.is_empty() {
            return Ok(());
        }
        let Some(manager) = answering(run, state)? else { return Ok(()) };
        let token = run.parameter_path(self.token.as_deref().unwrap_or_default());
        let message = format!(
            "the node is in the swarm of {manager}, which works, and `join` or {token} is of another"
        );
        Err(StepError::new(Cause::Refused, message).hint(format!(
            "the swarm's leader writes {token} when it converges; to have the node leave all the \
             same, drain it and run `docker swarm leave` on it"
        )))
    }

    /// Begins a swarm where there never was one. Docker that started before its
    /// state was there, as on a hub that was replaced, takes it up when it starts
    /// again.
    fn lead(&self, run: &mut Run<'_>) -> Result<(), StepError> {
        let kept = run.host.stat(STATE)?.is_some();
        if !kept && run.host.stat(RAFT)?.is_none() {
            let address = self.address(run);
            return Ok(run.host.swarm_init(&address)?);
        }
        if kept {
            run.host.unit_do(DOCKER, UnitVerb::Restart)?;
            if run.host.swarm()?.state != "inactive" {
                return Ok(());
            }
        }
        let message = "an earlier swarm's state is there and Docker does not take it up";
        Err(StepError::new(Cause::Refused, message).hint(
            "see Docker's log on the node; beginning another swarm would wipe it: restore \
             /var/lib/docker/swarm from a snapshot of the volume, or move what is in it away",
        ))
    }

    fn join(&self, run: &mut Run<'_>) -> Result<SwarmJoin, StepError> {
        let remote = self.remote()?.to_string();
        let advertise = self.address(run);
        let availability = word(self.availability.unwrap_or_default()).to_string();
        Ok(SwarmJoin { remote, token: self.join_token(run)?, advertise, availability })
    }

    fn join_token(&self, run: &mut Run<'_>) -> Result<Confidential, StepError> {
        let Some(name) = &self.token else {
            return Err(StepError::new(Cause::Invalid, "`token` is needed to join a swarm"));
        };
        let value = run.secret(name)?;
        value.ok_or_else(|| {
            no_parameter(&run.parameter_path(name)).hint(
                "the swarm's leader publishes it once it has converged; it is looked for again \
                 at the next run",
            )
        })
    }

    fn remote(&self) -> Result<&str, StepError> {
        let none = || StepError::new(Cause::Invalid, "`join` is needed to join a swarm");
        self.join.as_deref().filter(|remote| !remote.is_empty()).ok_or_else(none)
    }

    /// What a manager has to do to members, itself among them.
    fn deeds(&self, run: &mut Run<'_>, state: &SwarmState) -> Result<Vec<Deed>, StepError> {
        let tended = self.tend && self.part == SwarmPart::Leader;
        if self.availability.is_none() && self.labels.is_empty() && !tended {
            return Ok(Vec::new());
        }
        let members = run.host.swarm_members()?;
        let own = members.iter().find(|member| member.id == state.node_id);
        let mut deeds: Vec<Deed> = own.and_then(|member| self.own_deed(member)).into_iter().collect();
        if !tended {
            return Ok(deeds);
        }
        let peers = match run.host.peers() {
            Ok(peers) => peers,
            // Nothing is known of the others: nothing is done to them.
            Err(error) if matches!(error.cause, Cause::Unreachable | Cause::Timeout) => {
                return Ok(deeds);
            }
            Err(error) => return Err(error.into()),
        };
        let workers = members.iter().filter(|it| it.role == "worker" && it.id != state.node_id);
        deeds.extend(workers.filter_map(|member| {
            let instance = instance(member)?;
            tending(member, instance, peers.get(instance).copied())
        }));
        Ok(deeds)
    }

    fn own_deed(&self, member: &SwarmMember) -> Option<Deed> {
        let wanted = self.availability.filter(|_| !is_held(member));
        let wanted = wanted.map(word).unwrap_or(&member.availability);
        let mut labels = member.labels.clone();
        labels.extend(self.labels.clone());
        if wanted == member.availability && labels == member.labels {
            return None;
        }
        let difference = if wanted == member.availability {
            Difference::new("labels", list(&member.labels), list(&labels))
        } else {
            Difference::new("availability", &member.availability, wanted)
        };
        let then = Then::Set { availability: wanted.into(), labels };
        Some(Deed { id: member.id.clone(), difference, then })
    }
}

/// What is to be done to a worker: `ready` is what it says of itself, none
/// where its instance is gone.
fn tending(member: &SwarmMember, instance: &str, ready: Option<bool>) -> Option<Deed> {
    let set = |availability: &str| {
        let what = format!("availability of {instance}");
        let difference = Difference::new(what, &member.availability, availability);
        let labels = member.labels.clone();
        let then = Then::Set { availability: availability.into(), labels };
        Some(Deed { id: member.id.clone(), difference, then })
    };
    match (ready, member.state.as_str(), member.availability.as_str()) {
        (None, "down", _) => Some(Deed {
            id: member.id.clone(),
            difference: Difference::new(format!("member {instance}"), "down", "removed"),
            then: Then::Remove,
        }),
        (Some(true), "ready", "pause") if !is_held(member) => set("active"),
        (Some(false) | None, _, "active") => set("pause"),
        _ => None,
    }
}

/// A manager that shows a certificate of the swarm this node is in. Where that
/// cannot be found out the first is taken to answer.
fn answering(run: &mut Run<'_>, state: &SwarmState) -> Result<Option<String>, StepError> {
    for manager in state.managers.iter().take(MOST_MANAGERS) {
        let words =
            ["openssl", "s_client", "-connect", manager, "-CAfile", CERTIFICATE, "-brief"];
        let argv = words.into_iter().chain(["-verify_return_error"]).map(String::from).collect();
        let (env, cwd) = (Texts::new(), "/".into());
        let program = Program { argv, env, cwd, timeout: HANDSHAKE_TIME };
        match run.program(&program) {
            Ok((0, _)) => return Ok(Some(manager.clone())),
            Ok(_) => {}
            Err(error) if error.cause == Cause::Timeout => {}
            Err(error) if error.cause == Cause::NotFound => return Ok(Some(manager.clone())),
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Somebody keeps its availability as it is.
pub fn is_held(member: &SwarmMember) -> bool {
    member.labels.get(HOLD_LABEL).is_some_and(|value| value != "false")
}

/// The instance that a member is.
fn instance(member: &SwarmMember) -> Option<&str> {
    let labelled = member.labels.get(INSTANCE_LABEL).map(String::as_str);
    let named = || member.hostname.split('.').next().filter(|name| is_instance(name));
    labelled.or_else(named)
}

fn is_instance(name: &str) -> bool {
    let number = name.strip_prefix("i-").unwrap_or_default();
    !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// A certificate's SHA-256 as join tokens write it: in base 36, 50 digits.
pub fn certificate_digest(certificate: &[u8]) -> String {
    use sha2::Digest;
    let mut number: Vec<u8> = sha2::Sha256::digest(certificate).to_vec();
    let mut digits = Vec::with_capacity(DIGITS);
    for _ in 0..DIGITS {
        let mut rest = 0u32;
        for byte in &mut number {
            let part = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(part / 36).unwrap_or_default();
            rest = part % 36;
        }
        digits.push(char::from_digit(rest, 36).unwrap_or('0'));
    }
    digits.iter().rev().collect()
}

fn broken(state: &SwarmState) -> StepError {
    StepError::new(Cause::Failed, format!("the swarm is broken: {}", state.error)).hint(
        "see Docker's log on the node; to begin anew, `docker swarm leave --force` there",
    )
}

fn described(state: &SwarmState) -> String {
    match (state.state.as_str(), state.manager) {
        ("inactive", _) => String::new(),
        ("active", true) => "a manager".into(),
        ("active", false) => "a worker".into(),
        (other, _) => other.into(),
    }
}

/// An address without its port.
fn host_of(address: &str) -> &str {
    address.rsplit_once(':').map_or(address, |(host, _)| host)
}

fn word(availability: Availability) -> &'static str {
    match availability {
        Availability::Active => "active",
        Availability::Pause => "pause",
        Availability::Drain => "drain",
    }
}

fn list(labels: &Texts) -> String {
    labels.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_written_as_in_join_tokens() {
        // From python: n = int(sha256(b"abc").hexdigest(), 16), in base 36.
        assert_eq!(certificate_digest(b"abc"), BASE36_OF_ABC);
    }

    const BASE36_OF_ABC: &str = "4nb7oofka9ml8nasnokxxc1unhmtpr1wxsuwhpd9km3vt5as31";
}
