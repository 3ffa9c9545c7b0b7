//! What is left of a file that departs from its schema, so that the rules may
//! still look at the rest of it.
//!
//! Owns: taking out what has not its form, and remembering what the file may have
//! meant. May not: report anything; that is the gate's.
//! Invariants: what is left has the form of the schema; whatever stands in the
//! file no more, or stands for something that is missing, is among its flaws. Lists
//! keep their length, so that every place stays what it was.

use serde_json::{Map, Value};

use super::conform::{Fault, closest};
use super::layout;
use super::schema::FileKind;
use super::source::{Document, escape, segments};

/// A text that is not known; messages quote it.
const UNKNOWN: &str = "…";

/// A file of which nothing can be used: it may say anything.
pub(super) fn lost(path: &str, kind: FileKind) -> Document {
    Document::lost(path, stand_in(kind.schema()))
}

/// Takes out of a file what has not its form. None where it is a file of another
/// form altogether.
pub(super) fn mend(mut document: Document, kind: FileKind, faults: &[Fault]) -> Option<Document> {
    let mut mending = Mending { document: &mut document, schema: kind.schema() };
    // What is missing comes last: it may be there under another name.
    for fault in faults {
        match fault {
            Fault::Unknown { at, name, meant } => mending.unknown(at, name, meant.as_deref()),
            Fault::Size { at } => mending.flaw(at.clone()),
            Fault::Wrong { at } if is_of_another_form(at) => return None,
            Fault::Wrong { at } => mending.wrong(at),
            Fault::Missing { .. } => {}
        }
    }
    for fault in faults {
        if let Fault::Missing { at, name } = fault {
            mending.missing(at, name);
        }
    }
    mending.name(kind);
    Some(document)
}

/// The schema of the value at a JSON pointer of a file.
pub(super) fn subschema(schema: &'static Value, pointer: &str) -> Option<&'static Value> {
    segments(pointer).try_fold(schema, |schema, segment| {
        let property = schema.get("properties").and_then(|all| all.get(&segment));
        property.or_else(|| schema.get("items")).or_else(|| schema.get("additionalProperties"))
    })
}

/// The field that an unknown one was probably meant to be: it is not given, and
/// takes the value.
pub(super) fn meant(
    document: &Document,
    schema: &'static Value,
    at: &str,
    name: &str,
) -> Option<String> {
    let map = document.value.pointer(at)?.as_object()?;
    let properties = subschema(schema, at)?["properties"].as_object()?;
    let known: Vec<String> = properties.keys().cloned().collect();
    let meant = closest(name, &known).filter(|meant| !map.contains_key(meant))?;
    takes(&properties[&meant], map.get(name)?).then_some(meant)
}

/// Without them nothing tells what the file is.
fn is_of_another_form(at: &str) -> bool {
    matches!(at, "" | "/apiVersion" | "/kind")
}

struct Mending<'a> {
    document: &'a mut Document,
    schema: &'static Value,
}

impl Mending<'_> {
    fn flaw(&mut self, pointer: String) {
        self.document.flaws.push(pointer);
    }

    /// A misspelled field is read as what it was probably meant to be; any other
    /// is left out, and with it the certainty of those it may have been.
    fn unknown(&mut self, at: &str, name: &str, meant: Option<&str>) {
        let Some(map) = self.map(at) else { return };
        let Some(value) = map.remove(name) else { return };
        match meant.filter(|meant| !map.contains_key(*meant)) {
            Some(meant) => {
                map.insert(meant.into(), value);
                self.document.marks.rename(at, name, meant);
            }
            None => {
                let candidates = self.candidates(at, name, &value);
                self.document.flaws.extend(candidates);
            }
        }
    }

    /// What an unknown field of this value may have been meant to be.
    fn candidates(&self, at: &str, name: &str, value: &Value) -> Vec<String> {
        let properties = subschema(self.schema, at).and_then(|it| it["properties"].as_object());
        let siblings = properties.into_iter().flatten().filter(|(field, schema)| {
            may_be(schema, value) || closest(name, std::slice::from_ref(field)).is_some()
        });
        let siblings = siblings.map(|(field, _)| format!("{at}/{}", escape(field)));
        let all = siblings.chain(homes(self.schema, name));
        // What is given is not meant a second time.
        all.filter(|pointer| self.document.value.pointer(pointer).is_none()).collect()
    }

    fn wrong(&mut self, at: &str) {
        let Some((outer, key)) = at.rsplit_once('/') else { return };
        let key = segments(&format!("/{key}")).next().unwrap_or_default();
        self.flaw(at.into());
        let schema = subschema(self.schema, at);
        let is_required = subschema(self.schema, outer).is_some_and(|it| requires(it, &key));
        match self.document.value.pointer_mut(outer) {
            Some(Value::Object(map)) if !is_required => drop(map.remove(&key)),
            Some(Value::Object(map)) => drop(map.insert(key, schema.map_or(Value::Null, stand_in))),
            Some(Value::Array(items)) => {
                let item = key.parse::<usize>().ok().and_then(|index| items.get_mut(index));
                if let (Some(item), Some(schema)) = (item, schema) {
                    *item = stand_in(schema);
                }
            }
            _ => {}
        }
    }

    fn missing(&mut self, at: &str, name: &str) {
        let pointer = format!("{at}/{}", escape(name));
        let Some(schema) = subschema(self.schema, &pointer) else { return };
        let Some(map) = self.map(at).filter(|map| !map.contains_key(name)) else { return };
        map.insert(name.into(), stand_in(schema));
        self.flaw(pointer);
    }

    /// The name that a folder asks for, where the file does not tell it.
    fn name(&mut self, kind: FileKind) {
        let is_named = matches!(kind, FileKind::Cluster | FileKind::Role);
        if is_named && self.document.is_lost("/metadata/name") {
            let name = layout::folder_name(&self.document.path).to_string();
            if let Some(metadata) = self.map("/metadata") {
                metadata.insert("name".into(), name.into());
            }
        }
    }

    fn map(&mut self, at: &str) -> Option<&mut Map<String, Value>> {
        self.document.value.pointer_mut(at)?.as_object_mut()
    }
}

/// The maps of other places that have a field of this name.
fn homes(schema: &Value, name: &str) -> Vec<String> {
    let mut homes = vec![];
    super::conform::collect_homes(schema, name, &mut String::new(), &mut homes);
    let pointer = |home: String| format!("/{}", home.replace('.', "/"));
    homes
        .into_iter()
        .filter(|home| !home.is_empty())
        .map(|home| format!("{}/{name}", pointer(home)))
        .collect()
}

fn requires(schema: &Value, key: &str) -> bool {
    schema["required"].as_array().is_some_and(|names| names.iter().any(|name| name == key))
}

fn takes(schema: &Value, value: &Value) -> bool {
    jsonschema::draft202012::new(schema).is_ok_and(|validator| validator.is_valid(value))
}

/// Whether somebody may have meant a field when writing a value under a name that
/// is none. Nothing (`null`) may hide the defaults of any.
fn may_be(schema: &Value, value: &Value) -> bool {
    let is = |name: &str| match &schema["type"] {
        Value::Array(types) => types.iter().any(|one| one == name),
        Value::Null => true,
        one => one == name,
    };
    match value {
        Value::Null => true,
        Value::Array(_) => is("array"),
        Value::Object(_) => is("object"),
        _ if schema["pattern"].is_string() || schema["enum"].is_array() => takes(schema, value),
        _ => is("string") || is("number") || is("integer") || is("boolean"),
    }
}

/// The plainest value that a schema takes, so that what is around it can be read.
fn stand_in(schema: &Value) -> Value {
    if let Some(options) = schema["enum"].as_array() {
        return options.first().cloned().unwrap_or_default();
    }
    let name = match &schema["type"] {
        Value::Array(types) => types.first().and_then(Value::as_str),
        one => one.as_str(),
    };
    match name {
        Some("object") => {
            let required = schema["required"].as_array().into_iter().flatten();
            let fields = required.filter_map(Value::as_str);
            fields
                .map(|field| (field.to_string(), stand_in(&schema["properties"][field])))
                .collect()
        }
        Some("array") => Value::Array(vec![]),
        Some("boolean") => false.into(),
        Some("integer" | "number") => match &schema["minimum"] {
            Value::Null => 0.into(),
            least => least.clone(),
        },
        _ => UNKNOWN.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::{conform, source};
    use super::*;

    fn mended(kind: FileKind, text: &str) -> Option<Document> {
        let document = source::read("clusters/one/file.yaml", text.as_bytes()).unwrap();
        let (document, found) = conform::check(document, kind);
        assert!(!found.is_empty());
        document
    }

    #[test]
    fn what_has_not_its_form_is_left_out_and_remembered() {
        let text = "apiVersion: lyceum/v1\nkind: Defaults\nspec:\n  os: dos\n  suspend: true\n  \
                    hub: {volumeGiB: 9, roles: [a, 1]}\n";
        let document = mended(FileKind::Defaults, text).unwrap();
        let left = json!({"suspend": true, "hub": {"volumeGiB": 9, "roles": ["a", "…"]}});
        assert_eq!(document.value["spec"], left);
        assert!(document.is_doubtful("/spec/os") && document.is_doubtful("/spec/hub/roles"));
        assert!(document.is_doubtful("/spec/hub/roles/1") && !document.is_lost("/spec/hub/roles"));
        assert!(!document.is_doubtful("/spec/hub/roles/0"));
        assert!(!document.is_doubtful("/spec/suspend"));
    }

    #[test]
    fn a_misspelled_field_is_read_as_what_it_was_meant_to_be() {
        let text = "apiVersion: lyceum/v1\nkind: Defaults\nspec:\n  regoin: us-west-2\n  \
                    wrokers: 5\n  cidr: 10.0.0.0/16\n  colour: red\n";
        let document = mended(FileKind::Defaults, text).unwrap();
        assert_eq!(document.value["spec"], json!({"region": "us-west-2"}));
        assert_eq!(document.value_place("/spec/region").mark.line, 4);
        // One that has not its form, and one that belongs elsewhere, may be these.
        assert!(document.is_doubtful("/spec/workers/max"));
        assert!(document.is_doubtful("/spec/network/cidr"));
        assert!(!document.is_doubtful("/spec/region") && !document.is_doubtful("/spec/domain"));
    }

    #[test]
    fn a_name_that_is_missing_is_the_folders_and_another_form_is_none() {
        let text = "apiVersion: lyceum/v1\nkind: Cluster\nmetadata: {labels: {a: b}}\n";
        let document = mended(FileKind::Cluster, text).unwrap();
        assert_eq!(document.value["metadata"], json!({"name": "one", "labels": {"a": "b"}}));
        assert!(document.is_doubtful("/metadata/name"));
        assert!(mended(FileKind::Cluster, "apiVersion: lyceum/v1\nkind: Role\n").is_none());
        assert!(mended(FileKind::Cluster, "[]").is_none());
    }

    #[test]
    fn a_stand_in_has_the_form_of_its_schema() {
        for kind in FileKind::ALL {
            let document = lost("clusters/one/file.yaml", kind);
            let value = &document.value;
            assert!(value.is_object() && document.is_doubtful("/spec/anything"), "{kind:?}");
        }
        let repository = lost("lyceum.yaml", FileKind::Repository);
        let read = serde_json::from_value::<super::super::repository::Repository>(repository.value);
        assert!(read.is_ok());
    }
}
