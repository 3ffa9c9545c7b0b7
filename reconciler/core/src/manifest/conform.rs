//! The first gate: does a file have the form its schema says?
//!
//! Every kind of schema error becomes a diagnostic with a rule of its own, the
//! place of the value it is about, and what the schema would have taken. What is
//! left of the file goes on to the rules; `mend` takes the rest out.

use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind as Kind;
use serde_json::Value;

use super::diagnostic::Diagnostic;
use super::mend;
use super::schema::FileKind;
use super::source::{Document, segments};

pub(super) const UNKNOWN_FIELD: &str = "unknown-field";
pub(super) const REQUIRED: &str = "required";
pub(super) const TYPE: &str = "type";
pub(super) const ENUM: &str = "enum";
pub(super) const RANGE: &str = "range";
pub(super) const LENGTH: &str = "length";
pub(super) const PATTERN: &str = "pattern";
pub(super) const UNIQUE: &str = "unique";
/// Whatever else a schema may say; none of ours does.
pub(super) const SCHEMA: &str = "schema";

/// Most diagnostics of this gate for one file; the rest would only repeat.
const MAX_PER_FILE: usize = 200;

/// One departure of a file from its schema that leaves something unsaid, by JSON
/// pointers. A list with too much in it leaves nothing unsaid.
pub(super) enum Fault {
    /// A map has a field that is none, which was probably meant to be another.
    Unknown { at: String, name: String, meant: Option<String> },
    /// A map lacks a field.
    Missing { at: String, name: String },
    /// A list or map has too few entries, or a map too many; those it has are as
    /// they should be.
    Size { at: String },
    /// A value has not its form.
    Wrong { at: String },
}

/// Everything in which a file departs from its kind's schema, and what is left of
/// it without that; nothing where it has another form altogether.
pub(super) fn check(document: Document, kind: FileKind) -> (Option<Document>, Vec<Diagnostic>) {
    let Some(validator) = kind.validator() else {
        let found = Diagnostic::error(&document.start(), SCHEMA, "the schema does not compile");
        return (None, vec![found]);
    };
    if validator.is_valid(&document.value) {
        return (Some(document), vec![]);
    }
    let gate = Gate { document: &document, schema: kind.schema() };
    let errors: Vec<ValidationError<'_>> =
        validator.iter_errors(&document.value).take(MAX_PER_FILE + 1).collect();
    let faults: Vec<Fault> = errors.iter().flat_map(|error| gate.faults(error)).collect();
    let told = errors.iter().filter(|error| !is_misspelled(error, &faults));
    let found = told.flat_map(|error| gate.translate(error)).take(MAX_PER_FILE).collect();
    let is_hopeless = errors.len() > MAX_PER_FILE;
    drop(errors);
    (if is_hopeless { None } else { mend::mend(document, kind, &faults) }, found)
}

/// A field that is missing because it stands there under a name that is none.
fn is_misspelled(error: &ValidationError<'_>, faults: &[Fault]) -> bool {
    let Kind::Required { property } = error.kind() else { return false };
    faults.iter().any(|fault| match fault {
        Fault::Unknown { at, meant: Some(meant), .. } => {
            at == error.instance_path().as_str() && property == meant
        }
        _ => false,
    })
}

struct Gate<'a> {
    document: &'a Document,
    schema: &'static Value,
}

impl Gate<'_> {
    fn translate(&self, error: &ValidationError<'_>) -> Vec<Diagnostic> {
        let pointer = error.instance_path().as_str();
        match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                unexpected.iter().map(|name| self.unknown(pointer, name)).collect()
            }
            Kind::Required { property } => vec![self.missing(pointer, property)],
            _ => vec![self.wrong_value(pointer, error)],
        }
    }

    fn faults(&self, error: &ValidationError<'_>) -> Vec<Fault> {
        let at = error.instance_path().as_str().to_string();
        let one = match error.kind() {
            Kind::AdditionalProperties { unexpected } => {
                let fault = |name: &String| Fault::Unknown {
                    at: at.clone(),
                    name: name.clone(),
                    meant: mend::meant(self.document, self.schema, &at, name),
                };
                return unexpected.iter().map(fault).collect();
            }
            Kind::Required { property } => {
                Fault::Missing { at, name: property.as_str().unwrap_or_default().into() }
            }
            Kind::UniqueItems | Kind::MaxItems { .. } => return vec![],
            Kind::MinItems { .. } | Kind::MinProperties { .. } | Kind::MaxProperties { .. } => {
                Fault::Size { at }
            }
            _ => Fault::Wrong { at },
        };
        vec![one]
    }

    fn unknown(&self, pointer: &str, name: &str) -> Diagnostic {
        let known = self.properties(pointer);
        let place = self.document.key_place(pointer, name);
        let message = format!("unknown field {}", shown(&name.into()));
        let found = Diagnostic::error(&place, UNKNOWN_FIELD, message)
            .expected(one_of(known.iter().map(String::as_str)));
        match closest(name, &known) {
            Some(meant) => found.hint(format!("did you mean `{meant}`?")),
            None => match self.home_of(name) {
                Some(home) => found.hint(format!("`{name}` belongs under `{home}`")),
                None => found,
            },
        }
    }

    fn missing(&self, pointer: &str, property: &Value) -> Diagnostic {
        let name = property.as_str().unwrap_or_default();
        let place = self.document.value_place(pointer);
        let found = Diagnostic::error(&place, REQUIRED, format!("`{name}` is missing"));
        let inner = self.subschema(pointer).and_then(|schema| schema["properties"].get(name));
        match inner {
            Some(inner) => found.expected(wording(inner)),
            None => found,
        }
    }

    fn wrong_value(&self, pointer: &str, error: &ValidationError<'_>) -> Diagnostic {
        let confidential =
            self.subschema(pointer).is_some_and(|schema| schema["writeOnly"] == true);
        let (rule, message) = match judge(error) {
            (rule, _) if confidential => (rule, "does not have the form of a reference".into()),
            judged => judged,
        };
        let place = self.document.value_place(pointer);
        let found = Diagnostic::error(&place, rule, format!("{}{message}", subject(pointer)));
        let Some(schema) = self.subschema(pointer) else {
            return found;
        };
        let found = found.expected(wording(schema));
        let found = match nearest_option(error.instance(), schema) {
            Some(meant) => found.hint(format!("did you mean `{meant}`?")),
            None => found,
        };
        match (rule, schema["description"].as_str()) {
            (PATTERN, Some(text)) => found.hint(text),
            _ => found,
        }
    }

    fn subschema(&self, pointer: &str) -> Option<&'static Value> {
        mend::subschema(self.schema, pointer)
    }

    fn properties(&self, pointer: &str) -> Vec<String> {
        let schema = self.subschema(pointer).and_then(|schema| schema["properties"].as_object());
        schema.map(|all| all.keys().cloned().collect()).unwrap_or_default()
    }

    /// The one map in the whole schema that has a field of this name.
    fn home_of(&self, name: &str) -> Option<String> {
        let mut homes = vec![];
        collect_homes(self.schema, name, &mut String::new(), &mut homes);
        (homes.len() == 1).then(|| homes.remove(0)).filter(|home| !home.is_empty())
    }
}

/// What is wrong with a value, as the end of a sentence about it.
fn judge(error: &ValidationError<'_>) -> (&'static str, String) {
    let is = || shown(error.instance());
    match error.kind() {
        Kind::Type { .. } => (TYPE, format!("is {}", type_of(error.instance()))),
        Kind::Enum { .. } | Kind::Constant { .. } => (ENUM, format!("is {}", is())),
        Kind::Minimum { .. } | Kind::ExclusiveMinimum { .. } => {
            (RANGE, format!("is {}: too small", is()))
        }
        Kind::Maximum { .. } | Kind::ExclusiveMaximum { .. } => {
            (RANGE, format!("is {}: too large", is()))
        }
        Kind::MinLength { .. } | Kind::MinItems { .. } | Kind::MinProperties { .. } => {
            (LENGTH, "is too short".into())
        }
        Kind::MaxLength { .. } | Kind::MaxItems { .. } | Kind::MaxProperties { .. } => {
            (LENGTH, "is too long".into())
        }
        Kind::Pattern { .. } => (PATTERN, format!("is {}", is())),
        Kind::UniqueItems => (UNIQUE, "holds something twice".into()),
        _ => (SCHEMA, format!("does not fit: {error}")),
    }
}

fn subject(pointer: &str) -> String {
    match segments(pointer).last() {
        Some(name) if name.parse::<usize>().is_ok() => {
            let list = segments(pointer).filter(|part| part.parse::<usize>().is_err()).last();
            format!("entry {name} of `{}` ", list.unwrap_or_default())
        }
        Some(name) => format!("`{name}` "),
        None => "the file ".into(),
    }
}

/// What a schema takes, in words.
pub(super) fn wording(schema: &Value) -> String {
    if let Some(options) = schema["enum"].as_array() {
        let options: Vec<String> = options.iter().filter(|it| !it.is_null()).map(plain).collect();
        return one_of(options.iter().map(String::as_str));
    }
    let mut words = types(schema).join(" or ");
    for (low, high, unit) in [
        ("minimum", "maximum", ""),
        ("minLength", "maxLength", " characters"),
        ("minItems", "maxItems", " entries"),
        ("minProperties", "maxProperties", " keys"),
    ] {
        words += &bounds(&schema[low], &schema[high], unit);
    }
    if let Some(pattern) = schema["pattern"].as_str() {
        words += &format!(" matching {pattern}");
    }
    words
}

fn types(schema: &Value) -> Vec<&'static str> {
    let named = match &schema["type"] {
        Value::Array(names) => names.clone(),
        one => vec![one.clone()],
    };
    named.iter().filter_map(Value::as_str).filter_map(type_words).collect()
}

fn type_words(name: &str) -> Option<&'static str> {
    match name {
        "string" => Some("text"),
        "integer" => Some("a whole number"),
        "number" => Some("a number"),
        "boolean" => Some("true or false"),
        "array" => Some("a list"),
        "object" => Some("a map"),
        _ => None,
    }
}

/// What a value is, in words.
pub(super) fn type_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "empty",
        Value::Bool(_) => "true or false",
        Value::Number(number) if number.is_f64() => "a number with a fraction",
        Value::Number(_) => "a number",
        Value::String(_) => "text",
        Value::Array(_) => "a list",
        Value::Object(_) => "a map",
    }
}

fn bounds(low: &Value, high: &Value, unit: &str) -> String {
    match (low.is_number(), high.is_number()) {
        (true, true) => format!(", {low} to {high}{unit}"),
        (true, false) => format!(", at least {low}{unit}"),
        (false, true) => format!(", at most {high}{unit}"),
        (false, false) => String::new(),
    }
}

fn one_of<'a>(options: impl Iterator<Item = &'a str>) -> String {
    let options: Vec<&str> = options.collect();
    match options.as_slice() {
        [only] => format!("`{only}`"),
        several => format!("one of {}", several.join(", ")),
    }
}

fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// A value in a message: short, on one line.
fn shown(value: &Value) -> String {
    const LONGEST: usize = 60;
    let text = plain(value).escape_debug().to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("`{}…`", &text[..end]),
        None => format!("`{text}`"),
    }
}

fn nearest_option(value: &Value, schema: &Value) -> Option<String> {
    let options: Vec<String> = schema["enum"].as_array()?.iter().map(plain).collect();
    closest(value.as_str()?, &options)
}

/// The known word that somebody probably meant.
pub(super) fn closest(word: &str, known: &[String]) -> Option<String> {
    // Longer than any word of ours: not worth a quadratic comparison.
    if word.len() > 100 {
        return None;
    }
    let distance =
        |other: &str| strsim::damerau_levenshtein(&word.to_lowercase(), &other.to_lowercase());
    let nearest = known.iter().map(|other| (distance(other), other)).min()?;
    let (distance, other) = nearest;
    // A third of the letters may be wrong; more is another word.
    (distance <= 1.max(other.chars().count() / 3)).then(|| other.clone())
}

/// The maps below a schema that have a field of this name, by dotted paths.
pub(super) fn collect_homes(schema: &Value, name: &str, at: &mut String, homes: &mut Vec<String>) {
    let Some(properties) = schema["properties"].as_object() else { return };
    if properties.contains_key(name) {
        homes.push(at.clone());
    }
    for (key, inner) in properties {
        let length = at.len();
        if !at.is_empty() {
            at.push('.');
        }
        at.push_str(key);
        collect_homes(inner, name, at, homes);
        at.truncate(length);
    }
}
