//! [`FakeCloud`]: objects by id, made and refused as AWS would.
//!
//! It keeps what it is given, hands out ids and outputs, refuses to remove what
//! others refer to, to make a second of a unique name and to tell nodes of what is
//! not there, and fails on request, before or after the deed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use lyceum_core::address::{Address, refs_in_value};
use lyceum_core::cloud::{Class, Cloud, CloudError, Outputs, STORED, Scope};
use lyceum_core::desired::{Along, Resource, etag};
use lyceum_core::kind::{Body, NodeReport, Pointer, Said};
use lyceum_core::node::pointer;
use lyceum_core::node::report::NodeReport as Report;
use lyceum_core::observed::{Image, Life, LiveInstance, Object, ObservedState, Surroundings};
use lyceum_core::site::{
    GLOBAL, Site, TAG_CREATED, TAG_LABEL_PREFIX, TAG_OS, TAG_OWNER, TAG_SOURCE,
};
use serde_json::Value;

/// Kinds whose id is their name or key.
const KNOWN_BY_NAME: &[&str] = &[
    "role",
    "instance-profile",
    "scaling-group",
    "alarm",
    "event-rule",
    "bucket",
    "object",
    "pointer",
    "signing-key",
];

/// A cloud in memory.
#[derive(Debug)]
pub struct FakeCloud {
    site: Site,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Object>,
    made: u64,
    faults: Vec<Fault>,
    refused: Vec<(String, Class)>,
    log: Vec<String>,
    /// The content of what is stored, by key.
    contents: BTreeMap<String, Arc<[u8]>>,
    /// Every pointer that was ever written, by key, oldest first.
    pointers: BTreeMap<String, Vec<pointer::Pointer>>,
    /// Private halves, by the name of the public one.
    keys: BTreeMap<String, [u8; 32]>,
    /// Instances by id.
    instances: BTreeMap<String, LiveInstance>,
    /// Seconds since 1970 when what is stored now is stored.
    clock: i64,
    looks: Looks,
}

/// How often somebody looked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// At everything.
    pub whole: usize,
    /// At what is stored alone.
    pub stored: usize,
    /// At one object.
    pub read: usize,
}

/// A failure to come.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The mutating call it strikes, counted from now on, the first is 0.
    pub call: usize,
    /// Before or after the deed.
    pub when: When,
    /// What it says.
    pub class: Class,
}

/// When a fault strikes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// The call is not carried out.
    Before,
    /// The call is carried out, its answer lost.
    After,
}

impl FakeCloud {
    /// An empty cloud of one account.
    pub fn new(site: &Site) -> Self {
        Self { site: site.clone(), state: Mutex::default() }
    }

    /// Adds failures to come.
    pub fn fail(&self, faults: impl IntoIterator<Item = Fault>) {
        let mut state = self.lock();
        let done = state.log.len();
        let later = faults.into_iter().map(|fault| Fault { call: fault.call + done, ..fault });
        state.faults.extend(later);
    }

    /// From now on every mutating call whose name contains `part`, such as
    /// `create geo/`, fails in this way before the deed.
    pub fn refuse(&self, part: &str, class: Class) {
        self.lock().refused.push((part.into(), class));
    }

    /// Ends all refusals.
    pub fn relent(&self) {
        self.lock().refused.clear();
    }

    /// Every mutating call so far, such as `create geo/vpc/main`.
    pub fn log(&self) -> Vec<String> {
        self.lock().log.clone()
    }

    /// Every object by region, kind and id, foreign ones included.
    pub fn objects(&self) -> BTreeMap<String, Object> {
        self.lock().objects.clone()
    }

    /// Puts an object there, whoever's it is.
    pub fn put(&self, object: Object) {
        self.lock().objects.insert(key(&object), object);
    }

    /// Changes an object behind everybody's back; false when it is not there.
    pub fn tamper(&self, address: &Address, change: impl FnOnce(&mut Object)) -> bool {
        let mut state = self.lock();
        let object = state.objects.values_mut().find(|object| object.address == *address);
        object.map(change).is_some()
    }

    /// Removes an object behind everybody's back.
    pub fn lose(&self, address: &Address) {
        self.lock().objects.retain(|_, object| object.address != *address);
    }

    /// Every pointer that was ever written under a key, oldest first: what nodes
    /// may have seen.
    pub fn pointers(&self, key: &str) -> Vec<pointer::Pointer> {
        self.lock().pointers.get(key).cloned().unwrap_or_default()
    }

    /// The content of what is stored under a key.
    pub fn content(&self, key: &str) -> Option<Arc<[u8]>> {
        self.lock().contents.get(key).cloned()
    }

    /// Sets the clock, in seconds since 1970.
    pub fn set_clock(&self, now: i64) {
        self.lock().clock = now;
    }

    /// How often somebody looked so far.
    pub fn looks(&self) -> Looks {
        self.lock().looks
    }

    /// Launches an instance of a cluster's group; its id.
    pub fn launch(&self, cluster: &str, group: &str, region: &str) -> String {
        self.lock().launch(cluster, group, region)
    }

    /// Every instance by id, those that are gone among them.
    pub fn instances(&self) -> BTreeMap<String, LiveInstance> {
        self.lock().instances.clone()
    }

    /// Changes an instance behind everybody's back; false when there is none.
    pub fn change_instance(&self, id: &str, change: impl FnOnce(&mut LiveInstance)) -> bool {
        self.lock().instances.get_mut(id).map(change).is_some()
    }

    /// Makes an instance known under another id, such as that of the hub's.
    pub fn rename_instance(&self, id: &str, to: &str) {
        let mut state = self.lock();
        if let Some(instance) = state.instances.remove(id) {
            let instance = LiveInstance { id: to.into(), ..instance };
            state.instances.insert(to.into(), instance);
        }
    }

    /// Stores what an instance reports, as its agent would.
    pub fn report(&self, id: &str, report: &Report) {
        self.report_text(id, Said::Report(Box::new(report.clone())));
    }

    /// Stores what an instance says, whatever it is.
    pub fn report_text(&self, id: &str, said: Said) {
        let mut state = self.lock();
        let Some(instance) = state.instances.get(id).cloned() else { return };
        let address = Address::new(&instance.cluster, "node-report", id);
        let name = format!("{}nodes/{id}.json", Site::object_prefix(&instance.cluster));
        let body = NodeReport {
            bucket: self.site.bucket(&instance.region),
            key: name.clone(),
            size: 1,
            said: Some(Arc::new(said)),
        };
        state.made += 1;
        let outputs = Outputs::from([
            ("etag".into(), format!("etag-{}", state.made)),
            ("modified".into(), state.clock.to_string()),
        ]);
        let tags = self.site.identity(&address);
        let region = instance.region;
        let object = Object { address, region, id: name, outputs, tags, body: body.into() };
        state.objects.insert(key(&object), object);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ours(&self, object: &Object) -> bool {
        object.tags.get(TAG_OWNER) == Some(&self.site.owner)
            && object.tags.get(TAG_SOURCE) == Some(&self.site.source)
    }
}

impl Cloud for FakeCloud {
    async fn observe(&self, scope: &Scope) -> ObservedState {
        let mut state = self.lock();
        state.looks.whole += 1;
        let looked_at = |region: &str| region == GLOBAL || scope.regions.contains(region);
        let seen = |object: &&Object| self.ours(object) && looked_at(&object.region);
        let objects = state.objects.values().filter(seen).map(as_listed).collect();
        let instances = state.instances.values().cloned().collect();
        ObservedState { objects, instances, gaps: Vec::new(), surroundings: surroundings(scope) }
    }

    async fn observe_stored(&self, scope: &Scope, mut before: ObservedState) -> ObservedState {
        let mut state = self.lock();
        state.looks.stored += 1;
        let stored = |object: &&Object| STORED.contains(&object.address.kind());
        for region in &scope.regions {
            let ours = state.objects.values().filter(|object| self.ours(object)).filter(stored);
            let here = ours.filter(|object| object.region == *region);
            before.renew(region, STORED, (here.map(as_listed).collect(), Vec::new()));
        }
        before
    }

    async fn read(&self, object: &Object) -> Result<Option<Object>, CloudError> {
        let mut state = self.lock();
        state.looks.read += 1;
        Ok(state.objects.get(&key(object)).cloned())
    }

    async fn create(&self, resource: &Resource) -> Result<Outputs, CloudError> {
        let mut state = self.lock();
        state.call(format!("create {}", resource.address), |state| state.create(resource))
    }

    async fn update(&self, before: &Object, after: &Resource) -> Result<Outputs, CloudError> {
        let mut state = self.lock();
        state.call(format!("update {}", before.address), |state| state.update(before, after))
    }

    async fn delete(&self, object: &Object) -> Result<(), CloudError> {
        let mut state = self.lock();
        state.call(format!("delete {}", object.address), |state| state.delete(object))
    }
}

impl State {
    fn call<T>(
        &mut self,
        name: String,
        deed: impl FnOnce(&mut Self) -> Result<T, CloudError>,
    ) -> Result<T, CloudError> {
        let number = self.log.len();
        self.log.push(name.clone());
        if let Some((_, class)) = self.refused.iter().find(|(part, _)| name.contains(part)) {
            return Err(CloudError::new(*class, &name, "refused"));
        }
        let fault = self.faults.iter().find(|fault| fault.call == number).cloned();
        let strike = |fault: &Fault| CloudError::new(fault.class, &name, "injected");
        match fault {
            Some(fault) if fault.when == When::Before => Err(strike(&fault)),
            Some(fault) => {
                deed(self)?;
                Err(strike(&fault))
            }
            None => deed(self),
        }
    }

    fn create(&mut self, resource: &Resource) -> Result<Outputs, CloudError> {
        self.check(resource)?;
        let attributes = resource.body.attributes();
        let kind = resource.address.kind();
        if let Some(name) = attributes.get("name").and_then(Value::as_str)
            && kind != "discovery-service"
            && self.objects.values().any(|object| {
                object.address.kind() == kind
                    && object.region == resource.region
                    && object.body.attributes()["name"] == name
            })
        {
            return Err(CloudError::new(Class::Exists, "create", format!("{name} exists")));
        }
        self.made += 1;
        self.store(resource)?;
        // As in AWS, where some kinds are known by their names alone.
        let text = |name: &str| attributes.get(name).and_then(Value::as_str);
        let id = match text("name").or_else(|| text("key")) {
            Some(name) if KNOWN_BY_NAME.contains(&kind) => name.to_string(),
            _ => format!("{kind}-{:04}", self.made),
        };
        let mut tags = resource.tags.clone();
        tags.insert(TAG_CREATED.into(), format!("2026-01-01T00:00:00.{:06}Z", self.made));
        let mut outputs = outputs(&id, &attributes, 1);
        outputs.extend(self.further_outputs(&resource.body));
        let mut body = resource.body.clone();
        if let Body::ScalingGroup(group) = &mut body {
            group.windows.clear();
        }
        let mut kept = outputs.clone();
        kept.remove("id");
        let object = Object {
            address: resource.address.clone(),
            region: resource.region.clone(),
            id: id.clone(),
            outputs: kept,
            tags,
            body,
        };
        self.objects.insert(key(&object), object);
        Ok(outputs)
    }

    fn update(&mut self, before: &Object, after: &Resource) -> Result<Outputs, CloudError> {
        self.check(after)?;
        let gone = || CloudError::new(Class::NotFound, "update", before.id.clone());
        self.objects.get(&key(before)).ok_or_else(gone)?;
        self.store(after)?;
        let further = self.further_outputs(&after.body);
        let object = self.objects.get_mut(&key(before)).ok_or_else(gone)?;
        object.tags.extend(after.tags.clone());
        object
            .tags
            .retain(|key, _| !key.starts_with(TAG_LABEL_PREFIX) || after.tags.contains_key(key));
        object.body = after.body.clone();
        if let Some(version) = object.outputs.get_mut("version") {
            let next = version.parse::<u64>().unwrap_or(0) + 1;
            *version = next.to_string();
        }
        object.outputs.extend(further);
        if let Body::LaunchTemplate(template) = &object.body {
            object.outputs.insert("image".into(), template.image.clone());
            object.outputs.insert("root_device".into(), template.root_device.clone());
        }
        Ok(object.outputs.clone())
    }

    /// What lies beside the attributes: contents, keys, signed pointers.
    fn store(&mut self, resource: &Resource) -> Result<(), CloudError> {
        match &resource.body {
            Body::StoredObject(stored) => {
                let content = resource.along.content.iter().cloned();
                self.contents.extend(content.map(|content| (stored.key.clone(), content)));
            }
            Body::SigningKey(key) => {
                let number = u8::try_from(self.made % 251).unwrap_or_default();
                self.keys.entry(key.name.clone()).or_insert([number; 32]);
            }
            Body::Pointer(pointer) => self.sign(pointer, &resource.along)?,
            _ => {}
        }
        Ok(())
    }

    /// Signs a pointer as its cluster's key would. What it names must be there.
    fn sign(&mut self, wish: &Pointer, along: &Along) -> Result<(), CloudError> {
        let invalid = |message: String| CloudError::new(Class::Invalid, "sign", message);
        let private = self.keys.values().find(|key| pointer::public_key(key) == wish.public_key);
        let private = *private.ok_or_else(|| invalid("no such key".into()))?;
        for digest in wish.digests() {
            let there = |object: &&Object| matches!(&object.body, Body::StoredObject(it) if it.digest() == digest);
            if self.objects.values().find(there).is_none() {
                return Err(invalid(format!("{digest} is not there")));
            }
        }
        let body = wish.body().ok_or_else(|| invalid("it says nothing".into()))?;
        let written = self.pointers.entry(wish.key.clone()).or_default();
        let next = written.last().map_or(1, |last| last.sequence + 1);
        let sequence = next.max(along.taken + 1);
        written.push(pointer::Pointer::signed(&private, body.text(), sequence, &along.revision));
        Ok(())
    }

    fn further_outputs(&self, body: &Body) -> Outputs {
        let mut outputs = Outputs::new();
        match body {
            Body::StoredObject(stored) => {
                outputs.insert("digest".into(), stored.digest().into());
            }
            Body::SigningKey(key) => {
                let public = self.keys.get(&key.name).map(pointer::public_key);
                outputs.extend(public.map(|key| ("public_key".to_string(), key)));
            }
            Body::Pointer(pointer) => {
                let written = self.pointers.get(&pointer.key).and_then(|all| all.last());
                let sequence = written.map(|last| last.sequence.to_string());
                outputs.extend(sequence.map(|number| ("sequence".to_string(), number)));
                outputs.insert("modified".into(), self.clock.to_string());
            }
            _ => {}
        }
        outputs
    }

    /// As a group does it: another one comes in its place.
    fn end_worker(&mut self, id: &str) {
        let Some(worker) = self.instances.get_mut(id) else { return };
        worker.life = Life::Gone;
        let worker = worker.clone();
        self.launch(&worker.cluster, &worker.group, &worker.region);
    }

    fn launch(&mut self, cluster: &str, group: &str, region: &str) -> String {
        self.made += 1;
        let id = format!("i-{:06}", self.made);
        let instance = LiveInstance {
            id: id.clone(),
            cluster: cluster.into(),
            group: group.into(),
            region: region.into(),
            launched: self.clock,
            life: Life::Up,
            scaling_group: (group == "workers").then(|| format!("{cluster}-workers")),
            protected: false,
        };
        self.instances.insert(id.clone(), instance);
        id
    }

    fn delete(&mut self, object: &Object) -> Result<(), CloudError> {
        if object.address.kind() == "worker" {
            self.end_worker(&object.id);
            return Ok(());
        }
        // As in AWS: an alarm outlives what it watches.
        let refers = |other: &&Object| {
            key(other) != key(object) && other.address.kind() != "alarm" && refers(other, object)
        };
        if let Some(user) = self.objects.values().find(refers) {
            let message = format!("{} is used by {}", object.id, user.address);
            return Err(CloudError::new(Class::NotYet, "delete", message));
        }
        self.objects.remove(&key(object));
        Ok(())
    }

    /// No open reference, and no id of something that is not there.
    fn check(&self, resource: &Resource) -> Result<(), CloudError> {
        let attributes = resource.body.attributes();
        if let Some(open) = refs_in_value(&attributes).first() {
            return Err(CloudError::new(Class::Invalid, "check", format!("open: {open}")));
        }
        let kinds: BTreeSet<&str> =
            lyceum_core::kind::KINDS.iter().map(|facts| facts.name).collect();
        let dangling = texts(&attributes).into_iter().find(|text| {
            let (kind, number) = text.rsplit_once('-').unwrap_or_default();
            let is_id = kinds.contains(kind) && number.len() == 4 && number.parse::<u32>().is_ok();
            is_id && !self.objects.values().any(|object| object.id == *text)
        });
        match dangling {
            Some(id) => Err(CloudError::new(Class::NotFound, "check", id)),
            None => Ok(()),
        }
    }
}

/// As a list gives it: of a pointer only where it is and the ETag of what it says.
fn as_listed(object: &Object) -> Object {
    let mut listed = object.clone();
    if let Body::Pointer(pointer) = &object.body {
        let (bucket, key) = (pointer.bucket.clone(), pointer.key.clone());
        listed.body = Pointer { bucket, key, ..Pointer::default() }.into();
        let etag = etag(pointer).unwrap_or_else(|| "unreadable".into());
        let modified = object.outputs.get("modified").cloned().unwrap_or_default();
        listed.outputs = Outputs::from([("etag".into(), etag), ("modified".into(), modified)]);
    }
    if let Body::NodeReport(report) = &mut listed.body {
        report.said = None;
    }
    if let Body::Instance(instance) = &mut listed.body {
        instance.os = object.tags.get(TAG_OS).cloned().unwrap_or_default();
    }
    listed
}

fn outputs(id: &str, attributes: &Value, version: u64) -> Outputs {
    let text = |name: &str| attributes.get(name).and_then(Value::as_str).unwrap_or("none").into();
    Outputs::from([
        ("id".into(), id.into()),
        ("arn".into(), format!("arn:fake:{id}")),
        ("version".into(), version.to_string()),
        ("public_ip".into(), "192.0.2.1".into()),
        ("zone".into(), text("zone")),
        ("image".into(), text("image")),
        ("root_device".into(), text("root_device")),
    ])
}

/// Whether an attribute of `object` that refers to `other`'s kind names it.
fn refers(object: &Object, other: &Object) -> bool {
    let attributes = object.body.attributes();
    object.facts().refers.iter().any(|(attribute, kind)| {
        *kind == other.address.kind()
            && attributes.get(*attribute).is_some_and(|value| texts(value).contains(&other.id))
    })
}

fn key(object: &Object) -> String {
    format!("{} {} {}", object.region, object.address.kind(), object.id)
}

fn texts(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items.iter().flat_map(texts).collect(),
        Value::Object(map) => map
            .iter()
            .flat_map(|(key, item)| std::iter::once(key.clone()).chain(texts(item)))
            .collect(),
        _ => Vec::new(),
    }
}

fn surroundings(scope: &Scope) -> Surroundings {
    let zones = |region: &String| {
        let names = ["a", "b", "c", "d", "e", "f"].map(|zone| format!("{region}{zone}"));
        (region.clone(), names.to_vec())
    };
    let images = scope.images.iter().map(|(region, wanted)| {
        let image = |name: &String| {
            let id = format!("ami-{name}");
            (name.clone(), Image { id, name: name.clone(), root_device: "/dev/xvda".into() })
        };
        (region.clone(), wanted.iter().map(image).collect())
    });
    Surroundings {
        zones: scope.regions.iter().map(zones).collect(),
        images: images.collect(),
        hosted_zones: BTreeMap::from([("example.edu".into(), "Z1".into())]),
        secrets: scope.secrets.clone(),
        strange_parameters: BTreeMap::new(),
        taken_names: BTreeMap::new(),
    }
}
