//! `schemas/` says what the types say.

use std::fs;

use lyceum_core::manifest::FileKind;
use lyceum_core::manifest::reference;

use super::repository::{bless_or_compare, root};

#[test]
fn the_reference_is_what_the_types_say() {
    let folder = root().join("schemas");
    let files = reference::files();
    for (name, text) in &files {
        bless_or_compare(&folder.join(name), text);
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(files.contains_key(&name), "schemas/{name} belongs to no kind");
    }
}

#[test]
fn schemas_compile_and_take_null_for_every_optional_field() {
    for kind in FileKind::ALL {
        let schema = kind.schema();
        assert!(jsonschema::meta::is_valid(schema), "{kind:?}");
        assert!(jsonschema::draft202012::new(schema).is_ok(), "{kind:?}");
        assert_null(schema, kind.name());
    }
}

fn assert_null(schema: &serde_json::Value, at: &str) {
    let required = schema["required"].as_array().cloned().unwrap_or_default();
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        // What names no type takes any.
        let takes_null = property["type"].is_null()
            || property["type"].as_array().is_some_and(|all| all.contains(&"null".into()));
        assert_eq!(takes_null, !required.contains(&name.as_str().into()), "{at}.{name}");
        assert!(property["description"].is_string(), "{at}.{name} is not described");
        assert_null(property, &format!("{at}.{name}"));
        assert_null(&property["items"], &format!("{at}.{name}[]"));
        assert_null(&property["additionalProperties"], &format!("{at}.{name}.<name>"));
    }
}
