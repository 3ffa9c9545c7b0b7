//! A JSON Schema per kind of file, made from the types.
//!
//! The schemas have no references, so that an editor, a reader and the pages in
//! `schemas/` walk them alike. Every optional key also takes `null`, which
//! means the built-in default.

use std::sync::OnceLock;

use jsonschema::{Draft, Validator};
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};

use super::cluster::Cluster;
use super::repository::{Consents, Repository};
use super::role::RoleManifest;

/// The kinds of files in a repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FileKind {
    /// `clusters/…/<name>/cluster.yaml`.
    Cluster,
    /// `clusters/…/defaults.yaml`.
    Defaults,
    /// `lyceum.yaml`.
    Repository,
    /// `consents.yaml`.
    Consents,
    /// `cookbooks/<role>/role.yaml`.
    Role,
}

impl FileKind {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::Cluster, Self::Defaults, Self::Repository, Self::Consents, Self::Role];

    /// The word in the file's `kind`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Defaults => "Defaults",
            Self::Repository => "Repository",
            Self::Consents => "Consents",
            Self::Role => "Role",
        }
    }

    /// Where such a file lies in a repository.
    pub fn location(self) -> &'static str {
        match self {
            Self::Cluster => "clusters/<any folders>/<name>/cluster.yaml",
            Self::Defaults => "clusters/<any folders>/defaults.yaml",
            Self::Repository => "lyceum.yaml",
            Self::Consents => "consents.yaml",
            Self::Role => "cookbooks/<role>/role.yaml",
        }
    }

    /// Its JSON Schema, draft 2020-12.
    pub fn schema(self) -> &'static Value {
        static SCHEMAS: [OnceLock<Value>; 5] = [const { OnceLock::new() }; 5];
        SCHEMAS[self as usize].get_or_init(|| generate(self))
    }

    /// Its validator; none if the schema itself were wrong, which a test excludes.
    pub(super) fn validator(self) -> Option<&'static Validator> {
        static VALIDATORS: [OnceLock<Option<Validator>>; 5] = [const { OnceLock::new() }; 5];
        let compile =
            || jsonschema::options().with_draft(Draft::Draft202012).build(self.schema()).ok();
        VALIDATORS[self as usize].get_or_init(compile).as_ref()
    }
}

fn generate(kind: FileKind) -> Value {
    let mut schema = match kind {
        FileKind::Cluster => of::<Cluster>(),
        FileKind::Defaults => defaults(of::<Cluster>()),
        FileKind::Repository => of::<Repository>(),
        FileKind::Consents => of::<Consents>(),
        FileKind::Role => of::<RoleManifest>(),
    };
    tidy(&mut schema);
    if let Value::Object(map) = &mut schema {
        map.insert("title".into(), kind.name().into());
    }
    schema
}

fn of<T: JsonSchema>() -> Value {
    let settings =
        SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    settings.into_generator().into_root_schema_for::<T>().to_value()
}

/// The schema of `Defaults` is that of a cluster without a name: of `metadata` it
/// has the labels alone.
fn defaults(mut schema: Value) -> Value {
    schema["description"] = "What every cluster in this folder and below does not say itself. \
                             Maps merge key by key, lists and scalars are taken whole."
        .into();
    schema["required"] = json!(["apiVersion", "kind"]);
    if let Some(properties) = schema["properties"].as_object_mut() {
        if let Some(Value::Object(metadata)) = properties.get_mut("metadata") {
            metadata.remove("required");
            metadata.insert(
                "description".into(),
                "What every cluster in this folder and below is labelled.".into(),
            );
            if let Some(Value::Object(fields)) = metadata.get_mut("properties") {
                fields.retain(|name, _| name == "labels");
            }
        }
        let kind = json!({"type": "string", "enum": ["Defaults"], "description": "`Defaults`."});
        properties.insert("kind".into(), kind);
    }
    schema
}

/// Brings what schemars writes into the form described at the top.
fn tidy(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    no_alternative(map);
    one_enum(map);
    bound(map);
    unwrap_description(map);
    let required = map.get("required").cloned().unwrap_or_default();
    if let Some(Value::Object(properties)) = map.get_mut("properties") {
        for (name, property) in properties {
            tidy(property);
            if !required.as_array().is_some_and(|names| names.contains(&json!(name))) {
                allow_null(property);
            }
        }
    }
    for inner in ["items", "additionalProperties"] {
        if let Some(inner) = map.get_mut(inner) {
            tidy(inner);
        }
    }
}

/// What may be absent comes as `anyOf` of itself and `null`, its own description
/// before that of its type; every optional key takes `null` anyway.
fn no_alternative(map: &mut Map<String, Value>) {
    let Some(Value::Array(options)) = map.remove("anyOf") else { return };
    let null = json!({"type": "null"});
    let Some(Value::Object(inner)) = options.into_iter().find(|option| *option != null) else {
        return;
    };
    for (key, value) in inner {
        map.entry(key).or_insert(value);
    }
}

/// Documented variants come as `oneOf` constants; one `enum` reads better.
fn one_enum(map: &mut Map<String, Value>) {
    let Some(Value::Array(variants)) = map.remove("oneOf") else {
        return;
    };
    let column = |key: &str| -> Vec<Value> {
        variants.iter().map(|variant| variant.get(key).cloned().unwrap_or_default()).collect()
    };
    map.insert("type".into(), "string".into());
    map.insert("enum".into(), column("const").into());
    map.insert("enumDescriptions".into(), column("description").into());
}

/// The limits of a number's type, where there are no narrower ones.
fn bound(map: &mut Map<String, Value>) {
    let (least, most): (Value, Value) = match map.remove("format").as_ref().and_then(Value::as_str)
    {
        Some("uint8") => (0.into(), u8::MAX.into()),
        Some("uint16") => (0.into(), u16::MAX.into()),
        Some("uint32") => (0.into(), u32::MAX.into()),
        Some("uint64") => (0.into(), u64::MAX.into()),
        Some("int32") => (i32::MIN.into(), i32::MAX.into()),
        Some("int64") => (i64::MIN.into(), i64::MAX.into()),
        _ => return,
    };
    map.entry("minimum").or_insert(least);
    map.entry("maximum").or_insert(most);
}

/// Doc comments are wrapped for the source; a description is not.
fn unwrap_description(map: &mut Map<String, Value>) {
    if let Some(Value::String(text)) = map.get_mut("description") {
        *text =
            text.split("\n\n").map(|part| part.replace('\n', " ")).collect::<Vec<_>>().join("\n\n");
    }
}

fn allow_null(property: &mut Value) {
    if let Some(Value::String(one)) = property.get("type") {
        property["type"] = json!([one, "null"]);
    }
    if let Some(Value::Array(options)) = property.get_mut("enum") {
        options.push(Value::Null);
    }
}
