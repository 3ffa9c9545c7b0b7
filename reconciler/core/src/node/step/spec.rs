//! What Docker's objects have in common: specifications compared by meaning,
//! sizes, and images by their digests.
//!
//! Invariants: what Docker fills in by itself is no difference; whatever else
//! differs, wherever in the specification, is one; a value of an environment
//! that no role has set is not shown.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value, json};

use super::run::no_parameter;
use super::{Difference, DockerMount, Run, StepError, Texts};
use crate::node::host::Cause;

/// The label that changes when something a step watches does.
pub(super) const STAMP: &str = "lyceum.stamp";

/// Most characters of a value in a difference.
const MOST_SHOWN: usize = 200;

/// Lists whose order means nothing.
const UNORDERED: &[&str] = &["Mounts", "Ports", "Networks", "Aliases", "Constraints"];

/// Values that are the same as none, by the end of their path.
const DEFAULT_TEXTS: &[(&str, &str)] = &[
    ("ContainerSpec.Isolation", "default"),
    ("BindOptions.Propagation", "rprivate"),
    ("RestartPolicy.Condition", "any"),
    ("TaskTemplate.Runtime", "container"),
    ("UpdateConfig.FailureAction", "pause"),
    ("UpdateConfig.Order", "stop-first"),
    ("RollbackConfig.FailureAction", "pause"),
    ("RollbackConfig.Order", "stop-first"),
    ("EndpointSpec.Mode", "vip"),
    ("Ports.Protocol", "tcp"),
    ("Ports.PublishMode", "ingress"),
];

/// The same for numbers; times are in nanoseconds.
const DEFAULT_NUMBERS: &[(&str, u64)] = &[
    ("ContainerSpec.StopGracePeriod", 10_000_000_000),
    ("RestartPolicy.Delay", 5_000_000_000),
    ("UpdateConfig.Parallelism", 1),
    ("UpdateConfig.Monitor", 5_000_000_000),
    ("RollbackConfig.Parallelism", 1),
    ("RollbackConfig.Monitor", 5_000_000_000),
];

/// Zero that does not mean none.
const MEANINGFUL_ZERO: &[&str] = &["Parallelism", "Replicas"];

/// A service's specification in the one form in which two of the same meaning
/// are equal.
pub(super) fn normal_service(spec: &Value) -> Value {
    let mut spec = spec.clone();
    let old = spec.as_object_mut().and_then(|map| map.remove("Networks"));
    if let Some(task) = spec.get_mut("TaskTemplate").and_then(Value::as_object_mut) {
        task.remove("ForceUpdate");
        if let Some(old) = old.filter(|_| !task.contains_key("Networks")) {
            task.insert("Networks".into(), old);
        }
        if let Some(placement) = task.get_mut("Placement").and_then(Value::as_object_mut) {
            // From the image's manifest; not what anybody asked for.
            placement.remove("Platforms");
        }
    }
    normal("", spec).unwrap_or(Value::Null)
}

/// The comparable part of a container in the same form.
pub(super) fn normal_container(view: &Value) -> Value {
    normal("", view.clone()).unwrap_or(Value::Null)
}

/// Two specifications in normal form, difference by difference.
pub(super) fn differences(before: &Value, after: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    compare("", Some(before), Some(after), &mut found);
    found
}

/// Environment as Docker takes it.
pub(super) fn environment(env: &Texts) -> Vec<String> {
    env.iter().map(|(name, value)| format!("{name}={value}")).collect()
}

/// Mounts as Docker takes them.
pub(super) fn mounts(mounts: &[DockerMount]) -> Vec<Value> {
    let mount = |it: &DockerMount| json!({"Type": "bind", "Source": it.source, "Target": it.target, "ReadOnly": it.read_only});
    mounts.iter().map(mount).collect()
}

/// `512M` in bytes, as Docker counts: 1024 at a time.
pub(super) fn memory(text: Option<&str>) -> Result<u64, StepError> {
    let Some(text) = text else { return Ok(0) };
    let digits = text.trim_end_matches(|it: char| it.is_ascii_alphabetic());
    let unit = text[digits.len()..].to_ascii_lowercase();
    let factor = match unit.trim_end_matches('b').trim_end_matches('i') {
        "" => Some(0),
        "k" => Some(10),
        "m" => Some(20),
        "g" => Some(30),
        _ => None,
    };
    let number = digits.parse::<u64>().ok();
    let bytes = factor.zip(number).and_then(|(factor, number)| number.checked_mul(1 << factor));
    bytes.ok_or_else(|| invalid(format!("`{text}` is no amount of memory, such as `512M`")))
}

/// `0.5` processors in billionths.
pub(super) fn nano_cpus(text: Option<&str>) -> Result<u64, StepError> {
    let Some(text) = text else { return Ok(0) };
    let number = text.parse::<f64>().ok().filter(|it| (0.0..=10_000.0).contains(it));
    let number = number.ok_or_else(|| invalid(format!("`{text}` is no number of processors")))?;
    // Positive and small, checked above.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    Ok((number * 1e9).round() as u64)
}

/// The image to run: by the digest that is published for it where it is pinned.
pub(super) fn image(
    run: &mut Run<'_>,
    image: &str,
    pin: Option<&str>,
) -> Result<String, StepError> {
    if image.is_empty() {
        return Err(invalid("no image is given".into()));
    }
    match pin {
        Some(pin) if !has_digest(image) => Ok(named(image, &published(run, image, pin)?)),
        _ => Ok(image.into()),
    }
}

/// The digest a parameter has for an image.
fn published(run: &mut Run<'_>, image: &str, pin: &str) -> Result<String, StepError> {
    let path = run.parameter_path(pin);
    let Some(value) = run.public_parameter(pin)? else {
        return Err(no_parameter(&path).hint(
            "the node that publishes the image's digest has not done so yet; it is looked for \
             again at the next run",
        ));
    };
    let published = Published::of(value.reveal());
    match (published.digest(image), published.present()) {
        (Some(digest), _) => Ok(digest.into()),
        (None, Some((other, _))) => {
            let message = format!("{path} has the digest of {other}, not yet of {image}");
            Err(StepError::new(Cause::Busy, message)
                .hint("the node that publishes it has to converge first; it is tried again"))
        }
        (None, None) => {
            Err(StepError::new(Cause::Invalid, format!("{path} holds no image and digest")))
        }
    }
}

/// Images with their digests as a parameter holds them, a line each: the one
/// that is published now, then those before it.
///
/// Those before are kept because a commit reaches nodes one by one: who
/// publishes goes first, and whoever still is to be what it was needs the
/// digest it had.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Published(Vec<(String, String)>);

/// Images that a parameter holds at most, the present one among them: a
/// roll-out knows two, and the publisher may be some commits ahead of it. With
/// the longest names this is within the 4,096 bytes of a parameter.
const MOST_PUBLISHED: usize = 5;

impl Published {
    pub(super) fn of(text: &str) -> Self {
        let lines = text.lines().filter_map(|line| line.trim().split_once(' '));
        let known = lines.filter(|(_, digest)| is_digest(digest));
        Self(known.map(|(image, digest)| (image.into(), digest.into())).collect())
    }

    pub(super) fn present(&self) -> Option<(&str, &str)> {
        self.0.first().map(|(image, digest)| (image.as_str(), digest.as_str()))
    }

    pub(super) fn digest(&self, image: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, _)| known == image);
        found.map(|(_, digest)| digest.as_str())
    }

    /// Makes an image the present one; the oldest go.
    pub(super) fn put(&mut self, image: &str, digest: &str) {
        self.0.retain(|(known, _)| known != image);
        self.0.insert(0, (image.into(), digest.into()));
        self.0.truncate(MOST_PUBLISHED);
    }
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<String> =
            self.0.iter().map(|(image, digest)| format!("{image} {digest}")).collect();
        f.write_str(&lines.join("\n"))
    }
}

pub(super) fn has_digest(image: &str) -> bool {
    own_digest(image).is_some()
}

/// The digest an image is named by.
pub(super) fn own_digest(image: &str) -> Option<&str> {
    image.split_once('@').map(|(_, digest)| digest).filter(|digest| is_digest(digest))
}

pub(super) fn is_digest(text: &str) -> bool {
    let hex = text.strip_prefix("sha256:").unwrap_or_default();
    hex.len() == 64 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// An image by its digest: as it stands, where it says one itself.
pub(super) fn named(image: &str, digest: &str) -> String {
    if has_digest(image) { image.into() } else { by_digest(image, digest) }
}

/// An image without its tag, by a digest.
fn by_digest(image: &str, digest: &str) -> String {
    let name = image.split('@').next().unwrap_or(image);
    let path = name.rfind('/').map_or(0, |slash| slash + 1);
    let end = name[path..].find(':').map_or(name.len(), |colon| path + colon);
    format!("{}@{digest}", &name[..end])
}

pub(super) fn invalid(message: String) -> StepError {
    StepError::new(Cause::Invalid, message)
}

/// Without what means nothing; none where nothing is left.
fn normal(path: &str, value: Value) -> Option<Value> {
    let last = path.rsplit('.').next().unwrap_or_default();
    let value = match value {
        Value::Object(map) => Value::Object(normal_map(path, map)),
        Value::Array(items) if last == "Env" => by_name(items),
        Value::Array(items) => {
            let mut items: Vec<Value> =
                items.into_iter().filter_map(|item| normal(path, item)).collect();
            if UNORDERED.contains(&last) {
                items.sort_by_key(Value::to_string);
            }
            Value::Array(items)
        }
        other => other,
    };
    let nothing = match &value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Number(number) => number.as_f64() == Some(0.0) && !MEANINGFUL_ZERO.contains(&last),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty() && path != "Mode.Global",
        Value::Bool(true) => false,
    };
    (!nothing && !is_default(path, &value)).then_some(value)
}

fn is_default(path: &str, value: &Value) -> bool {
    let is_at = |end: &str| {
        path.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    };
    match value {
        Value::String(text) => DEFAULT_TEXTS.iter().any(|(end, it)| is_at(end) && text == it),
        Value::Number(number) => {
            DEFAULT_NUMBERS.iter().any(|(end, it)| is_at(end) && number.as_u64() == Some(*it))
        }
        _ => false,
    }
}

fn normal_map(path: &str, map: Map<String, Value>) -> Map<String, Value> {
    let entry = |(key, value): (String, Value)| {
        let inner = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        Some((key, normal_entry(path, &inner, value)?))
    };
    map.into_iter().filter_map(entry).collect()
}

/// Labels and variables are set by being there, even to nothing.
fn normal_entry(parent: &str, path: &str, value: Value) -> Option<Value> {
    if parent == "Labels" || parent.ends_with(".Labels") {
        return Some(value);
    }
    normal(path, value)
}

/// `A=b` by name.
fn by_name(items: Vec<Value>) -> Value {
    let pair = |item: &Value| {
        let text = item.as_str()?;
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        Some((name.to_string(), Value::from(value)))
    };
    Value::Object(items.iter().filter_map(pair).collect())
}

fn compare(path: &str, before: Option<&Value>, after: Option<&Value>, out: &mut Vec<Difference>) {
    if before == after {
        return;
    }
    let object = |value: Option<&Value>| match value {
        None => Some(BTreeMap::new()),
        Some(Value::Object(map)) => {
            Some(map.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        }
        Some(_) => None,
    };
    let (inner_before, inner_after) = (object(before), object(after));
    let (Some(inner_before), Some(inner_after)) = (inner_before, inner_after) else {
        let foreign = before.is_some() && path.split('.').any(|part| part == "Env");
        let before = if foreign { "(another)".into() } else { shown(before) };
        out.push(Difference::new(title(path), before, shown(after)));
        return;
    };
    let keys: std::collections::BTreeSet<&String> =
        inner_before.keys().chain(inner_after.keys()).collect();
    for key in keys {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        compare(&path, inner_before.get(key), inner_after.get(key), out);
    }
}

/// The end of a path, without the boxes everything of a task is in.
fn title(path: &str) -> &str {
    let path = path.strip_prefix("TaskTemplate.").unwrap_or(path);
    path.strip_prefix("ContainerSpec.").unwrap_or(path)
}

fn shown(value: Option<&Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::String(text)) => text.chars().take(MOST_SHOWN).collect(),
        Some(value) => value.to_string().chars().take(MOST_SHOWN).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_docker_reads_them() {
        assert_eq!(memory(Some("512M")).unwrap(), 512 << 20);
        assert_eq!(memory(Some("2GiB")).unwrap(), 2 << 30);
        assert_eq!(memory(Some("100")).unwrap(), 100);
        assert_eq!(nano_cpus(Some("0.5")).unwrap(), 500_000_000);
        assert!(memory(Some("much")).is_err());
        assert!(memory(Some("99999999999999999G")).is_err());
        assert!(nano_cpus(Some("-1")).is_err());
    }

    #[test]
    fn an_image_by_digest_loses_its_tag_and_keeps_its_port() {
        assert_eq!(by_digest("10.0.0.1:5000/a/b:1", "sha256:0"), "10.0.0.1:5000/a/b@sha256:0");
        assert_eq!(by_digest("nginx", "sha256:0"), "nginx@sha256:0");
        assert_eq!(by_digest("r:5000/nginx", "sha256:0"), "r:5000/nginx@sha256:0");
    }

    #[test]
    fn what_docker_fills_in_is_no_difference_and_everything_else_is() {
        let asked =
            json!({"Name": "a", "TaskTemplate": {"ContainerSpec": {"Image": "i", "Env": ["A=1"]}}});
        let answered = json!({
            "Name": "a", "Labels": {},
            "TaskTemplate": {
                "ContainerSpec": {"Image": "i", "Env": ["A=1"], "Init": false, "Isolation": "default",
                    "StopGracePeriod": 10_000_000_000_u64, "DNSConfig": {}},
                "Resources": {"Limits": {}, "Reservations": {}},
                "RestartPolicy": {"Condition": "any", "Delay": 5_000_000_000_u64, "MaxAttempts": 0},
                "Placement": {"Platforms": [{"OS": "linux"}]}, "ForceUpdate": 3, "Runtime": "container",
            },
            "EndpointSpec": {"Mode": "vip"},
        });
        assert_eq!(normal_service(&asked), normal_service(&answered));
        for (pointer, value) in [
            ("/TaskTemplate/ContainerSpec/Env", json!(["A=1", "B=s3cret"])),
            ("/TaskTemplate/ContainerSpec/DNSConfig", json!({"Nameservers": ["9.9.9.9"]})),
            ("/TaskTemplate/RestartPolicy/MaxAttempts", json!(2)),
            ("/TaskTemplate/Resources/Limits", json!({"Pids": 5})),
            ("/EndpointSpec/Mode", json!("dnsrr")),
            ("/Labels", json!({"a": ""})),
        ] {
            let mut drifted = answered.clone();
            *drifted.pointer_mut(pointer).unwrap() = value;
            let found = differences(&normal_service(&drifted), &normal_service(&asked));
            assert_eq!(found.len(), 1, "{pointer}: {found:?}");
            assert!(!format!("{found:?}").contains("s3cret"));
        }
    }
}
