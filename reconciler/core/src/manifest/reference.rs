//! The reference people read, `schemas/`, made from the types and the rules.
//!
//! A test holds the folder to what is made here, byte for byte.

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::Value;

use super::conform::wording;
use super::load::{MAX_MANIFESTS, MAX_TOTAL_BYTES};
use super::marks::MAX_DEPTH;
use super::rules::RULES;
use super::schema::FileKind;
use super::source::MAX_BYTES;
use super::{conform, load, marks, source};

/// Every file of `schemas/` by name: a schema and a page per kind, and the
/// introduction.
pub fn files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::from([("README.md".to_string(), introduction())]);
    for kind in FileKind::ALL {
        let name = kind.name().to_lowercase();
        files.insert(format!("{name}.schema.json"), format!("{:#}\n", kind.schema()));
        files.insert(format!("{name}.md"), page(kind));
    }
    files
}

/// Every rule's id with what it asks for, sorted.
pub fn rules() -> BTreeMap<&'static str, &'static str> {
    RULES.iter().map(|rule| (rule.id, rule.summary)).chain(GATES.iter().copied()).collect()
}

/// What is asked of a file before any rule looks across fields.
const GATES: &[(&str, &str)] = &[
    (source::FILE_SIZE, "A manifest has at most 1 MiB."),
    (source::ENCODING, "A manifest is text in UTF-8."),
    (marks::SYNTAX, "A manifest is YAML; keys are scalars."),
    (marks::DUPLICATE_KEY, "A map has every key once."),
    (marks::YAML_FEATURE, "A manifest is one document without aliases and tags."),
    (marks::NESTING, "Maps and lists are nested at most 64 deep."),
    (marks::NOT_FINITE, "Numbers are finite."),
    (load::REPOSITORY_SIZE, "A repository has at most 5,000 manifests and 64 MiB of them."),
    (
        load::BUNDLE_SIZE,
        "The roles of a group, with all they include, have at most 5,000 files, 64 MiB of them and 16 MiB packed.",
    ),
    (load::STRAY_FILE, "YAML files where manifests are looked for have a name that is read."),
    (conform::UNKNOWN_FIELD, "There are no fields but those of the schema."),
    (conform::REQUIRED, "Required fields are there."),
    (conform::TYPE, "Values have the type of the schema."),
    (conform::ENUM, "Values are among those of the schema."),
    (conform::RANGE, "Numbers are within their range."),
    (conform::LENGTH, "Text, lists and maps have a permitted length."),
    (conform::PATTERN, "Text has the form of the schema."),
    (conform::UNIQUE, "Lists hold nothing twice where the schema says so."),
];

fn introduction() -> String {
    let mut text = String::from(INTRODUCTION);
    text += "\n## Files\n\n| Kind | Where | Fields | Schema |\n|---|---|---|---|\n";
    for kind in FileKind::ALL {
        let (name, location) = (kind.name(), kind.location());
        let stem = name.to_lowercase();
        let _ = writeln!(
            text,
            "| `{name}` | `{location}` | [{stem}.md]({stem}.md) | [{stem}.schema.json]({stem}.schema.json) |"
        );
    }
    text += MERGING;
    text += "\n## Limits\n\n| What | Limit |\n|---|---|\n";
    for (what, limit) in [
        ("Bytes of a manifest", MAX_BYTES),
        ("Bytes of all manifests", MAX_TOTAL_BYTES),
        ("Manifests", MAX_MANIFESTS),
        ("Nesting of maps and lists", MAX_DEPTH),
    ] {
        let _ = writeln!(text, "| {what} | {limit} |");
    }
    text += RULES_HEADING;
    for (id, summary) in rules() {
        let _ = writeln!(text, "| `{id}` | {} |", cell(summary));
    }
    text
}

const INTRODUCTION: &str = "\
# Manifests

<!-- Made from the types in reconciler/core/src/manifest; LYCEUM_BLESS=1 cargo test --workspace makes it anew. -->

Everything a repository says is in YAML files of five kinds. A file's name decides its kind, \
`apiVersion` and `kind` inside confirm it. Every field is optional unless its page says \
*required*; fields that are not on the page are refused.

An editor with the YAML language server checks a file while it is written when its first line is

```yaml
# yaml-language-server: $schema=../../schemas/cluster.schema.json
```

`lyceum validate` checks the whole repository.
";

const MERGING: &str = "
## Defaults and merging

A cluster takes what it does not say itself from the `defaults.yaml` in its own folder, then from \
the one in the folder around it, and so on up to `clusters/defaults.yaml`. What none of them says \
has the default on its page.

- The nearest file that gives a value wins; the cluster's own file is the nearest of all.
- Maps merge key by key, at any depth: `hub: {volumeGiB: 40}` in a cluster changes one field of \
the hub that its defaults describe.
- Lists and scalars are taken whole. A list in a cluster replaces the list of its defaults; \
`[]` empties it.
- `null` is a value too. It hides what farther files say and means the default on the page; for \
an optional field without a default it means that the field is absent. A key with nothing behind \
it (`hub:`) is `null`.
- Of `metadata`, `labels` merge as every map does. A name is the cluster's own.

A diagnostic about a merged value points at the file, line and column the value came from. One \
about a default of the page points at the innermost map around the field in the cluster's file.
";

const RULES_HEADING: &str = "
## Rules

Every diagnostic ends with the id of its rule. An id never changes its meaning.

| Rule | What it asks for |
|---|---|
";

fn page(kind: FileKind) -> String {
    let (name, location, schema) = (kind.name(), kind.location(), kind.schema());
    let stem = name.to_lowercase();
    let description = schema["description"].as_str().unwrap_or_default();
    let mut text = format!(
        "# {name}\n\n<!-- Made from {stem}.schema.json's types; see README.md. -->\n\n{description}\n\n\
         File: `{location}`. Schema: [{stem}.schema.json]({stem}.schema.json).\n\n\
         | Field | Type | Default | Constraints | Description |\n|---|---|---|---|---|\n"
    );
    rows(schema, "", &mut text);
    text
}

/// A row per field, fields of a map below it.
fn rows(schema: &Value, at: &str, text: &mut String) {
    let required = schema["required"].as_array().map(Vec::as_slice).unwrap_or_default();
    let properties = schema["properties"].as_object().into_iter().flatten();
    for (name, property) in properties {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        row(property, &path, required.iter().any(|it| it == name), text);
        rows(property, &path, text);
        rows(&property["items"], &format!("{path}[]"), text);
        rows(&property["additionalProperties"], &format!("{path}.<name>"), text);
    }
}

fn row(property: &Value, path: &str, required: bool, text: &mut String) {
    let _ = writeln!(
        text,
        "| `{path}` | {} | {} | {} | {} |",
        type_name(property),
        default(property, required),
        constraints(property),
        cell(&description(property)),
    );
}

fn type_name(schema: &Value) -> String {
    let named = match &schema["type"] {
        Value::Array(names) => names.iter().find(|name| *name != "null"),
        name => Some(name),
    };
    match named.and_then(Value::as_str) {
        Some("string") => "text".into(),
        Some("array") => format!("list of {}", type_name(&schema["items"])),
        Some("object") => "map".into(),
        Some(name) => name.into(),
        None => "any".into(),
    }
}

fn default(property: &Value, required: bool) -> String {
    match &property["default"] {
        _ if required => "*required*".into(),
        // Its fields have rows of their own.
        Value::Object(_) | Value::Null => String::new(),
        value => format!("`{value}`"),
    }
}

fn constraints(property: &Value) -> String {
    let own = constraint(property);
    let items = constraint(&property["items"]);
    let each = if items.is_empty() || property["items"]["type"] == "object" {
        String::new()
    } else {
        format!("each {items}")
    };
    [own, each].iter().filter(|part| !part.is_empty()).cloned().collect::<Vec<_>>().join("; ")
}

/// The wording of a diagnostic without the type, which has its own column.
fn constraint(schema: &Value) -> String {
    if schema["enum"].is_array() {
        return cell(&wording(schema));
    }
    let words = wording(schema);
    let mut parts: Vec<String> = vec![];
    let (bounds, pattern) = words.split_once(" matching ").unwrap_or((&words, ""));
    if let Some((_, bounds)) = bounds.split_once(", ") {
        parts.push(bounds.into());
    }
    if schema["uniqueItems"] == true {
        parts.push("nothing twice".into());
    }
    if !pattern.is_empty() {
        parts.push(format!("`{}`", cell(pattern)));
    }
    parts.join(", ")
}

fn description(property: &Value) -> String {
    let mut text = property["description"].as_str().unwrap_or_default().to_string();
    let options = property["enum"].as_array().map(Vec::as_slice).unwrap_or_default();
    // A single option has nothing to be told from.
    if options.iter().filter(|option| !option.is_null()).count() < 2 {
        return text;
    }
    let meanings = property["enumDescriptions"].as_array().into_iter().flatten();
    for (option, meaning) in options.iter().zip(meanings) {
        if let (Some(option), Some(meaning)) = (option.as_str(), meaning.as_str()) {
            let _ = write!(text, " `{option}`: {meaning}");
        }
    }
    text
}

/// Text that may stand in a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
