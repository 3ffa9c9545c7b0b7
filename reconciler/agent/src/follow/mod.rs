//! How a node comes to what it is to be: its pointer, the bundle that names, the
//! cluster's facts.
//!
//! Invariants: a pointer counts once it is signed with the cluster's key, not
//! older than the last, and its bundle is here whole; until then, and while S3
//! is away, the one before stays. Whatever was refused is in the report, and is
//! not downloaded again every few seconds.

mod telling;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use lyceum_core::node::bundle::{Bundle, MAX_PACKED};
use lyceum_core::node::converge::Mode;
use lyceum_core::node::facts::Facts;
use lyceum_core::node::host::{Answer, Cause, Cluster, Docker, HostError};
use lyceum_core::node::pointer::{AgentBinary, Body, MAX_BODY, Pointer, Target, Trust};
use lyceum_core::node::report::{NodeReport, StepReport};
use lyceum_core::node::step::is_held;
use lyceum_core::site::digest_of;
use tokio::runtime::Handle;

use crate::aws::role::Identity;
use crate::aws::{Aws, Endpoints, s3};
use crate::facts::{self, ClusterFacts};
use crate::http::Names;
use crate::keep::{self, Keep};
use crate::machine::Machine;
use crate::machine::cluster::Surroundings;
use crate::patience::Patience;
use crate::replace::{self, Own};
use crate::round::{self, Round, Stop};
use crate::settings::Settings;

/// The whole pointer is read this often, changed or not: an S3 object whose
/// metadata alone changed counts as the same.
const WHOLE: Duration = Duration::from_secs(600);
const IDENTITY: &str = "identity.json";
const CLUSTER_FACTS: &str = "facts.json";

/// A node of a cluster.
pub struct Node {
    runtime: Handle,
    keep: Keep,
    settings: Settings,
    aws: Arc<Aws>,
    machine: Machine,
    own: Own,
    identity: Option<Identity>,
    wish: Option<Wish>,
    /// Of the pointer that counts, or is to count once its bundle is here;
    /// unless another was refused since.
    etag: Option<String>,
    /// When the pointer was last read whole.
    read: Option<Instant>,
    /// S3 did not answer, or had no pointer, at the last look.
    away: bool,
    /// Why the pointer that is there now does not count.
    refused: String,
    /// A pointer that counts and whose bundle is not here yet.
    pending: Option<(Pointer, Body)>,
    /// Bundles and agents that were refused.
    patience: Patience,
    /// What keeps the node from its target besides its steps, by name.
    trouble: Vec<StepReport>,
    report: NodeReport,
    /// When and what was last written to the bucket.
    written: Option<(Instant, NodeReport)>,
}

/// What the node is to be.
struct Wish {
    pointer: Pointer,
    body: Body,
    target: Target,
    bundle: Bundle,
}

/// What a look at the pointer found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// Nothing new.
    Same,
    /// The node is to be something else.
    Changed,
    /// S3 does not answer, or has no pointer.
    Away,
}

impl Node {
    /// A node, as its disk remembers it.
    pub fn new(
        runtime: Handle,
        keep: Keep,
        settings: Settings,
        endpoints: &Endpoints,
        own: Own,
    ) -> Answer<Self> {
        let names = Arc::new(Names::default());
        let aws = Arc::new(Aws::new(&settings.region, endpoints, &names)?);
        let around = Surroundings::cloud(Arc::clone(&aws), settings.clone());
        let machine = Machine::new(runtime.clone(), keep.clone(), names, around)?;
        let report = keep.report()?.unwrap_or_default();
        let mut node = Self {
            runtime,
            own,
            identity: None,
            wish: None,
            etag: None,
            read: None,
            away: false,
            refused: String::new(),
            pending: None,
            patience: Patience::default(),
            trouble: Vec::new(),
            report,
            written: None,
            keep,
            settings,
            aws,
            machine,
        };
        node.remember();
        Ok(node)
    }

    /// The agent that runs.
    pub fn own(&self) -> &Own {
        &self.own
    }

    /// Its directory.
    pub fn keep(&self) -> &Keep {
        &self.keep
    }

    /// A roll-out is on.
    pub fn rolling(&self) -> bool {
        self.wish.as_ref().is_some_and(|wish| wish.body.previous.is_some())
    }

    /// The last run left everything as it should be.
    pub fn ready(&self) -> bool {
        self.report.ready && self.trouble.is_empty() && self.wish.is_some()
    }

    /// Looks at the pointer, and takes it if it counts.
    pub fn look(&mut self) -> Look {
        let key = self.settings.key(&format!("pointers/{}.json", self.settings.group));
        let whole = self.read.is_none_or(|read| read.elapsed() > WHOLE);
        let etag = self.etag.as_deref().filter(|_| !whole && self.refused.is_empty());
        let get = self.aws.get(&self.settings.bucket, &key, etag, MAX_BODY + 1);
        let (look, why) = match self.runtime.block_on(get) {
            Ok(s3::Fetched::Same) => (self.try_pending(), String::new()),
            Ok(s3::Fetched::Object(object)) => (self.consider(object), String::new()),
            Ok(s3::Fetched::Absent) => (Look::Away, format!("there is no pointer at {key}")),
            Err(error) if error.cause == Cause::Invalid => {
                self.refuse(error.to_string());
                (Look::Same, String::new())
            }
            Err(error) => (Look::Away, format!("the pointer cannot be read: {error}")),
        };
        // Once, not every few seconds.
        match (look == Look::Away, self.away) {
            (true, false) => tracing::warn!("{why}"),
            (false, true) => tracing::info!("the pointer is there"),
            _ => {}
        }
        self.away = look == Look::Away;
        look
    }

    /// What was refused is tried again at the next look.
    pub fn hurry(&mut self) {
        self.patience.forget();
    }

    /// Makes the node what it is to be, and reports.
    pub fn converge(&mut self, mode: Mode, stop: &Stop) -> NodeReport {
        let began = SystemTime::now();
        let facts = self.facts();
        let round = match (&self.wish, facts) {
            (Some(wish), Ok(facts)) => {
                self.report.facts = facts.clone();
                let wish = (&wish.bundle, &wish.target);
                round::converge(&mut self.machine, &facts, wish, mode, stop)
            }
            (None, _) => self.no_pointer(),
            (_, Err(error)) => {
                Round::failed("facts", error.cause, error.to_string(), error.cause.hint())
            }
        };
        let report = self.report_of(round, began, mode);
        if mode == Mode::Apply && !stop.load(std::sync::atomic::Ordering::Relaxed) {
            self.report = report.clone();
            self.tell();
        }
        report
    }

    /// Runs the checks alone; reports nothing.
    pub fn check(&mut self) -> NodeReport {
        let began = SystemTime::now();
        let round = match (&self.wish, self.kept_facts()) {
            (Some(wish), Some(facts)) => {
                round::check(&mut self.machine, &facts, (&wish.bundle, &wish.target))
            }
            _ => self.no_pointer(),
        };
        self.report_of(round, began, Mode::DryRun)
    }

    /// Says when the next run is due.
    pub fn set_next(&mut self, next: SystemTime) {
        self.report.next = keep::seconds(next);
    }

    /// Looks after the swarm's members, where that is this node's part and one
    /// of them is not as it should be.
    pub fn tend(&mut self, stop: &Stop) {
        let Some(wish) = &self.wish else { return };
        if !wish.tends() || self.members_are_settled() {
            return;
        }
        let Some(wish) = &self.wish else { return };
        let facts = self.report.facts.clone();
        round::tend(&mut self.machine, &facts, (&wish.bundle, &wish.target), stop);
    }

    /// Whether this node looks after the swarm's members.
    pub fn tends(&self) -> bool {
        self.wish.as_ref().is_some_and(Wish::tends)
    }

    /// Publishes the number of notebook servers, by which workers scale.
    pub fn publish(&self) {
        if self.settings.group != "workers" {
            return;
        }
        let Settings { owner, cluster, .. } = &self.settings;
        let put = self.aws.put_sessions((owner, cluster), self.report.sessions);
        if let Err(error) = self.runtime.block_on(put) {
            tracing::warn!("{error}");
        }
    }

    /// The agent that is to run, if it is not this one.
    pub fn other_agent(&self) -> Option<AgentBinary> {
        let agent = self.wish.as_ref()?.target.agent.clone()?;
        (agent.digest != self.own.digest).then_some(agent)
    }

    /// Puts another agent in place of this one. Comes back only if that fails,
    /// which is then in the report.
    pub fn replace(&mut self, agent: &AgentBinary) {
        let known = self.patience.holds(&agent.digest, Instant::now());
        let error = match known.or_else(|| replace::rejected(&self.keep, &agent.digest)) {
            Some(error) => error,
            None => {
                let error = self.try_replace(agent);
                self.patience.failed(&agent.digest, &error, Instant::now());
                error
            }
        };
        self.set_trouble("agent", Some(&error));
    }

    /// This agent is the one that is to run: what was said of another is past.
    pub fn stays(&mut self) {
        self.set_trouble("agent", None);
    }

    fn try_replace(&self, agent: &AgentBinary) -> HostError {
        let key = self.settings.key(&format!("agents/{}", agent.digest));
        let fetched = self.fetch(&key, &agent.digest, agent.size, replace::LARGEST);
        let content = match fetched {
            Ok(content) => content,
            Err(error) => return error,
        };
        let put = replace::put(&self.keep, &self.own, &agent.digest, &content);
        self.runtime.block_on(put)
    }

    /// What was taken before, if it still counts.
    fn remember(&mut self) {
        let Ok(Some(pointer)) = self.keep.pointer() else { return };
        let trust = Trust { taken: 0, ..self.trust() };
        let Ok(body) = pointer.accept(&trust) else { return };
        let _ = self.take(pointer, body);
        // A disk that was another instance's tells nothing of this one.
        let id = self.identity.as_ref().map(|identity| &identity.instance_id);
        if id.is_some_and(|id| *id != self.report.facts.instance_id) {
            self.report = NodeReport::default();
        }
    }

    fn trust(&self) -> Trust<'_> {
        Trust {
            public_key: &self.settings.public_key,
            cluster: &self.settings.cluster,
            group: &self.settings.group,
            taken: self.wish.as_ref().map_or(0, |wish| wish.pointer.sequence),
        }
    }

    fn consider(&mut self, object: s3::Object) -> Look {
        self.read = Some(Instant::now());
        let text = String::from_utf8_lossy(&object.body).into_owned();
        let pointer = Pointer::stored(text, |name| object.metadata.get(name).cloned());
        let body = match pointer.accept(&self.trust()) {
            Ok(body) => body,
            Err(refused) => {
                self.refuse(refused.to_string());
                return Look::Same;
            }
        };
        self.refused.clear();
        self.etag = Some(object.etag);
        if self.wish.as_ref().is_some_and(|wish| wish.pointer == pointer) {
            self.pending = None;
            self.set_trouble("bundle", None);
            self.is_current();
            return Look::Same;
        }
        if self.pending.as_ref().is_none_or(|(pending, _)| *pending != pointer) {
            self.patience.forget();
        }
        self.pending = Some((pointer, body));
        self.try_pending()
    }

    /// Takes the pointer that is waiting for its bundle, if there is one.
    fn try_pending(&mut self) -> Look {
        let Some((pointer, body)) = self.pending.clone() else {
            self.is_current();
            return Look::Same;
        };
        let before = self.wish.as_ref().map(|wish| wish.target.digest());
        let taken = self.take(pointer.clone(), body);
        self.set_trouble("bundle", taken.as_ref().err());
        if taken.is_err() {
            return Look::Same;
        }
        self.pending = None;
        if let Err(error) = self.keep.keep_pointer(&pointer) {
            tracing::error!("{error}");
        }
        let after = self.wish.as_ref().map(|wish| wish.target.digest());
        tracing::info!(pointer.sequence, pointer.revision, "took the pointer");
        if before == after { Look::Same } else { Look::Changed }
    }

    /// Makes a pointer's target the node's wish, once its bundle is here.
    fn take(&mut self, pointer: Pointer, body: Body) -> Answer<()> {
        self.identify();
        let id = self.identity.as_ref().map(|identity| identity.instance_id.clone());
        let target = body.target_of(&id.unwrap_or_default()).clone();
        let same = self.wish.take_if(|wish| wish.target.bundle == target.bundle);
        let bundle = match same {
            Some(wish) => wish.bundle,
            None => self.bundle(&target)?,
        };
        self.patience.is_good(&target.bundle);
        let mut needed = vec![body.target.bundle.as_str(), target.bundle.as_str()];
        needed.extend(body.previous.iter().map(|previous| previous.bundle.as_str()));
        self.keep.keep_only(&needed);
        self.wish = Some(Wish { pointer, body, target, bundle });
        Ok(())
    }

    fn bundle(&mut self, target: &Target) -> Answer<Bundle> {
        if let Some(error) = self.patience.holds(&target.bundle, Instant::now()) {
            return Err(error);
        }
        let bundle = self.unpacked(target);
        if let Err(error) = &bundle {
            self.patience.failed(&target.bundle, error, Instant::now());
        }
        bundle
    }

    fn unpacked(&self, target: &Target) -> Answer<Bundle> {
        let digest = &target.bundle;
        let content = match self.keep.bundle(digest)? {
            Some(content) => content,
            None => {
                let key = self.settings.key(&format!("bundles/{digest}"));
                let content = self.fetch(&key, digest, target.bundle_size, MAX_PACKED)?;
                self.keep.keep_bundle(digest, &content)?;
                content
            }
        };
        Bundle::unpack(&content).map_err(|error| {
            let message = crate::http::chain(&error);
            HostError::new(Cause::Invalid, format!("open bundle {digest}"), message)
        })
    }

    /// An object that is what its digest says.
    fn fetch(&self, key: &str, digest: &str, size: u64, limit: u64) -> Answer<Vec<u8>> {
        let operation = format!("fetch {key}");
        if size > limit || !keep::is_digest(digest) {
            let message = format!("{size} bytes of `{digest}` are not what can be fetched");
            return Err(HostError::new(Cause::Invalid, operation, message));
        }
        let most = usize::try_from(size).unwrap_or(usize::MAX);
        let get = self.aws.get(&self.settings.bucket, key, None, most);
        let content = match self.runtime.block_on(get)? {
            s3::Fetched::Object(object) => object.body,
            _ => return Err(HostError::new(Cause::NotFound, operation, "it is not there")),
        };
        if content.len() as u64 != size || digest_of(&content) != digest {
            let message =
                "its content is not what its name says; it was tampered with or cut short";
            return Err(HostError::new(Cause::Refused, operation, message));
        }
        Ok(content)
    }

    fn refuse(&mut self, why: String) {
        if why != self.refused {
            tracing::error!("the pointer is refused: {why}");
        }
        self.refused = why;
    }

    fn is_current(&self) {
        if self.wish.is_some()
            && let Err(error) = self.keep.pointer_is_current()
        {
            tracing::warn!("{error}");
        }
    }

    /// What the instance is: from its metadata, else as it was before.
    fn identify(&mut self) {
        if self.identity.is_some() {
            return;
        }
        match self.runtime.block_on(self.aws.role().identity()) {
            Ok(identity) => {
                if let Err(error) = self.keep.write(IDENTITY, &identity) {
                    tracing::warn!("{error}");
                }
                self.identity = Some(identity);
            }
            Err(error) => {
                tracing::warn!("{error}");
                self.identity = self.keep.read(IDENTITY).ok().flatten();
            }
        }
    }

    /// What the node is now, with what the cluster tells it.
    fn facts(&mut self) -> Answer<Facts> {
        self.identify();
        let name = format!("{}/facts", self.settings.parameters);
        let kept: Option<ClusterFacts> = self.keep.read(CLUSTER_FACTS)?;
        let read = self.machine.parameter(&name);
        let told = match read {
            Ok(Some(value)) => {
                let told: ClusterFacts = serde_json::from_str(value.reveal()).map_err(|error| {
                    HostError::new(Cause::Invalid, format!("read {name}"), error.to_string())
                })?;
                if kept.as_ref() != Some(&told)
                    && let Err(error) = self.keep.write(CLUSTER_FACTS, &told)
                {
                    tracing::error!("{error}");
                }
                told
            }
            Ok(None) => kept.ok_or_else(|| {
                let message = "the reconciler has not written it yet";
                HostError::new(Cause::NotFound, format!("read {name}"), message)
            })?,
            Err(error) => kept.ok_or(error)?,
        };
        let Some(identity) = &self.identity else {
            let message = "the metadata service has not said yet";
            return Err(HostError::new(Cause::Unreachable, "learn what this instance is", message));
        };
        Ok(facts::of_node(&self.settings, identity, &told))
    }

    /// Without asking anybody.
    fn kept_facts(&self) -> Option<Facts> {
        let identity: Identity = self.keep.read(IDENTITY).ok().flatten()?;
        let told: ClusterFacts = self.keep.read(CLUSTER_FACTS).ok().flatten()?;
        Some(facts::of_node(&self.settings, &identity, &told))
    }

    fn members_are_settled(&mut self) -> bool {
        let members = self.machine.swarm_members().unwrap_or_default();
        members.iter().all(|member| {
            let takes = member.availability == "active" || is_held(member);
            member.state == "ready" && (member.role == "manager" || takes)
        })
    }
}

impl Wish {
    fn tends(&self) -> bool {
        let roles = self.bundle.roles.values().flat_map(|role| &role.manifest.spec.steps);
        roles.filter_map(|step| step.swarm.as_ref()).any(|swarm| swarm.tend)
    }
}
