//! The texts of roles: strict templates over what a role's step may know.
//!
//! Owns: what a template sees, its filters, its limits, and which names it
//! refers to. May not: reach a file, the environment, another template.
//!
//! Invariants: what is not defined is an error, never an empty text; a template
//! ends within its fuel; the same text and scope give the same result.

use std::collections::BTreeMap;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior, Value};
use serde::Serialize;

/// What a template may refer to.
pub const NAMESPACES: &[&str] = &["attributes", "cluster", "node", "item"];

/// Most instructions of one rendering: a template of a thousand lines takes a
/// few ten thousand.
const FUEL: u64 = 1_000_000;
/// Deepest nesting of calls and blocks.
const DEPTH: usize = 50;
/// Longest result in bytes.
const LARGEST: usize = super::step::LARGEST_FILE;
/// Longest template in bytes.
const LARGEST_SOURCE: usize = 1024 * 1024;
/// Most entries of an `each`.
const MOST_ITEMS: usize = 200;

/// A name in a template that comes from outside of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    /// Its first part: one of [`NAMESPACES`], or something that is unknown.
    pub namespace: String,
    /// The rest of it, `foo.bar` of `attributes.foo.bar`; empty where the
    /// namespace is used whole or by an index.
    pub path: String,
    /// The line it is on, the first is 1.
    pub line: usize,
    /// The character of that line it begins at, the first is 1.
    pub column: usize,
}

/// A template that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}{message}", place(.name, *.line))]
pub struct TemplateError {
    /// The template's name; empty for a text without one.
    pub name: String,
    /// The line, the first is 1; 0 where none is to blame.
    pub line: usize,
    /// What is wrong with it.
    pub message: String,
}

/// The names a text refers to, in order.
pub fn references(text: &str) -> Result<Vec<Reference>, TemplateError> {
    check_size("", text)?;
    let environment = environment();
    let template = environment
        .template_from_named_str("", text)
        .map_err(|error| template_error("", text, &error))?;
    let free = template.undeclared_variables(true);
    let tags = tags(text);
    Ok(located(text, &tags, &|name| free.contains(name) && !is_global(&environment, name)))
}

/// The names an expression refers to, in order.
pub fn expression_references(text: &str) -> Result<Vec<Reference>, TemplateError> {
    check_size("", text)?;
    let environment = environment();
    let expression =
        environment.compile_expression(text).map_err(|error| template_error("", text, &error))?;
    let free = expression.undeclared_variables(true);
    let whole = [(0, text.len())];
    Ok(located(text, &whole, &|name| free.contains(name) && !is_global(&environment, name)))
}

/// Renders texts. One serves a whole plan.
pub(super) struct Templates {
    environment: Environment<'static>,
}

/// What a text sees.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    names: BTreeMap<&'static str, Value>,
}

impl Scope {
    /// What every step of a role sees.
    pub(super) fn new(attributes: Value, cluster: Value, node: Value) -> Self {
        let names = [("attributes", attributes), ("cluster", cluster), ("node", node)];
        Self { names: BTreeMap::from(names) }
    }

    /// The same with one entry of an `each`.
    pub(super) fn with_item(&self, item: Value) -> Self {
        let mut scope = self.clone();
        scope.names.insert("item", item);
        scope
    }
}

/// A value as templates see it.
pub(super) fn value(of: &impl Serialize) -> Value {
    Value::from_serialize(of)
}

impl Templates {
    pub(super) fn new() -> Self {
        Self { environment: environment() }
    }

    /// A text with what it refers to filled in.
    pub(super) fn render(
        &self,
        name: &str,
        text: &str,
        scope: &Scope,
    ) -> Result<String, TemplateError> {
        check_size(name, text)?;
        if !is_template(text) {
            return Ok(text.into());
        }
        let rendered = self
            .environment
            .render_named_str(name, text, &scope.names)
            .map_err(|error| template_error(name, text, &error))?;
        if rendered.len() > LARGEST {
            return Err(wrong(name, format!("it becomes longer than {LARGEST} bytes")));
        }
        Ok(rendered)
    }

    /// Whether an expression holds.
    pub(super) fn holds(&self, text: &str, scope: &Scope) -> Result<bool, TemplateError> {
        Ok(self.evaluate(text, scope)?.is_true())
    }

    /// The list an expression gives.
    pub(super) fn list(&self, text: &str, scope: &Scope) -> Result<Vec<Value>, TemplateError> {
        let found = self.evaluate(text, scope)?;
        if !matches!(found.kind(), ValueKind::Seq | ValueKind::Iterable) {
            return Err(wrong("", format!("`{text}` gives no list but a {}", found.kind())));
        }
        let items = found.try_iter().map_err(|error| template_error("", text, &error))?;
        let items: Vec<Value> = items.take(MOST_ITEMS + 1).collect();
        if items.len() > MOST_ITEMS {
            return Err(wrong("", format!("`{text}` gives more than {MOST_ITEMS} entries")));
        }
        Ok(items)
    }

    fn evaluate(&self, text: &str, scope: &Scope) -> Result<Value, TemplateError> {
        check_size("", text)?;
        let found = self
            .environment
            .compile_expression(text)
            .and_then(|expression| expression.eval(&scope.names))
            .map_err(|error| template_error("", text, &error))?;
        if found.is_undefined() {
            return Err(wrong("", format!("`{text}` is not defined")));
        }
        Ok(found)
    }
}

fn environment() -> Environment<'static> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_keep_trailing_newline(true);
    environment.set_trim_blocks(true);
    environment.set_lstrip_blocks(true);
    environment.set_fuel(Some(FUEL));
    environment.set_recursion_limit(DEPTH);
    // Errors then know which part of the text they are about.
    environment.set_debug(true);
    environment.add_filter("quote", quote);
    environment.add_filter("topython", topython);
    environment.add_filter("b64encode", b64encode);
    environment.add_filter("sha256", |text: &str| crate::site::digest(text));
    // It shows all that is in scope, which is for no file.
    environment.remove_global("debug");
    environment
}

/// One word of a POSIX shell.
fn quote(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-./:=@%+,".contains(&byte);
    if !text.is_empty() && text.bytes().all(plain) {
        return text.into();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn b64encode(text: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(text)
}

/// A literal of Python.
fn topython(value: &Value) -> Result<String, Error> {
    let wrong =
        |error: serde_json::Error| Error::new(ErrorKind::BadSerialization, error.to_string());
    Ok(python(&serde_json::to_value(value).map_err(wrong)?))
}

fn python(value: &serde_json::Value) -> String {
    use serde_json::Value as Json;
    match value {
        Json::Null => "None".into(),
        Json::Bool(true) => "True".into(),
        Json::Bool(false) => "False".into(),
        Json::Array(items) => {
            let items: Vec<String> = items.iter().map(python).collect();
            format!("[{}]", items.join(", "))
        }
        Json::Object(map) => {
            let entry = |(key, item): (&String, &Json)| {
                format!("{}: {}", python(&Json::from(key.as_str())), python(item))
            };
            let entries: Vec<String> = map.iter().map(entry).collect();
            format!("{{{}}}", entries.join(", "))
        }
        // JSON's numbers are Python's, and so are its texts but for characters
        // beyond the first plane, which it writes as they stand.
        other => other.to_string(),
    }
}

fn is_template(text: &str) -> bool {
    ["{{", "{%", "{#"].iter().any(|mark| text.contains(mark))
}

fn is_global(environment: &Environment<'_>, name: &str) -> bool {
    environment.globals().any(|(global, _)| global == name)
}

fn check_size(name: &str, text: &str) -> Result<(), TemplateError> {
    if text.len() > LARGEST_SOURCE {
        return Err(wrong(name, format!("it is longer than {LARGEST_SOURCE} bytes")));
    }
    Ok(())
}

fn wrong(name: &str, message: String) -> TemplateError {
    TemplateError { name: name.into(), line: 0, message }
}

/// An error in a person's words, with the piece of text it is about.
fn template_error(name: &str, text: &str, error: &Error) -> TemplateError {
    let about = error.range().and_then(|range| text.get(whole_name(text, range.start)..range.end));
    let about = about.map(str::trim);
    let about = about.filter(|piece| !piece.is_empty() && piece.len() <= 200);
    let mut message = match (error.kind(), about) {
        (ErrorKind::UndefinedError, Some(piece)) => format!("`{piece}` is not defined"),
        (ErrorKind::OutOfFuel, _) => "it does not end in reasonable time".into(),
        (kind, piece) => {
            let detail = error.detail().map_or_else(|| kind.to_string(), ToString::to_string);
            piece.map_or(detail.clone(), |piece| format!("{detail}, at `{piece}`"))
        }
    };
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        message.push_str(&format!(": {inner}"));
        source = inner.source();
    }
    TemplateError { name: name.into(), line: error.line().unwrap_or(0), message }
}

/// Where the dotted name begins that goes on here: an error is about its end.
fn whole_name(text: &str, from: usize) -> usize {
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || *byte == b'.';
    let before = text.as_bytes().get(..from).unwrap_or_default();
    from - before.iter().rev().take_while(|byte| is_name(byte)).count()
}

fn place(name: &str, line: usize) -> String {
    match (name.is_empty(), line) {
        (true, 0) => String::new(),
        (true, line) => format!("line {line}: "),
        (false, 0) => format!("{name}: "),
        (false, line) => format!("{name}:{line}: "),
    }
}

/// The insides of a text's tags, as byte ranges; comments and raw blocks have
/// none.
fn tags(text: &str) -> Vec<(usize, usize)> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(begin) = text[at..].find('{').map(|offset| at + offset) {
        let close = match text.as_bytes().get(begin + 1) {
            Some(b'{') => "}}",
            Some(b'%') => "%}",
            Some(b'#') => "#}",
            _ => {
                at = begin + 1;
                continue;
            }
        };
        let inside = begin + 2;
        let end = if close == "#}" {
            text[inside..].find(close).map(|offset| inside + offset)
        } else {
            end_of_tag(text, inside, close)
        };
        let end = end.unwrap_or(text.len());
        at = (end + 2).min(text.len());
        let word = text[inside..end].trim_matches(|c: char| c == '-' || c == '+' || c == ' ');
        if close == "%}" && word == "raw" {
            at = text[at..].find("endraw").map_or(text.len(), |offset| at + offset);
        } else if close != "#}" {
            found.push((inside, end));
        }
    }
    found
}

/// Where a tag ends; its mark within a quoted text ends nothing.
fn end_of_tag(text: &str, from: usize, close: &str) -> Option<usize> {
    let mut quoted: Option<char> = None;
    let mut escaped = false;
    for (offset, character) in text[from..].char_indices() {
        match quoted {
            Some(_) if escaped => escaped = false,
            Some(_) if character == '\\' => escaped = true,
            Some(mark) if character == mark => quoted = None,
            Some(_) => {}
            None if character == '"' || character == '\'' => quoted = Some(character),
            None if text[from + offset..].starts_with(close) => return Some(from + offset),
            None => {}
        }
    }
    None
}

/// Dotted names within these ranges that come from outside.
fn located(
    text: &str,
    ranges: &[(usize, usize)],
    is_free: &dyn Fn(&str) -> bool,
) -> Vec<Reference> {
    let mut found = Vec::new();
    for &(from, to) in ranges {
        for (offset, name) in dotted_names(&text[from..to]) {
            if !is_free(&name) {
                continue;
            }
            let (namespace, path) = name.split_once('.').unwrap_or((&name, ""));
            let before = &text[..from + offset];
            let line_start = before.rfind('\n').map_or(0, |index| index + 1);
            found.push(Reference {
                namespace: namespace.into(),
                path: path.into(),
                line: before.matches('\n').count() + 1,
                column: before[line_start..].chars().count() + 1,
            });
        }
    }
    found
}

/// `a.b.c` with where it begins, outside of quoted texts; what follows a dot
/// after a bracket is no name of its own.
fn dotted_names(text: &str) -> Vec<(usize, String)> {
    let bytes = text.as_bytes();
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let mut found = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let byte = bytes[at];
        if byte == b'"' || byte == b'\'' {
            at = end_of_quoted(bytes, at);
        } else if is_name(byte) {
            let begin = at;
            while at < bytes.len() && (is_name(bytes[at]) || is_dot(bytes, at)) {
                at += 1;
            }
            let follows_dot = begin > 0 && bytes[begin - 1] == b'.';
            if !follows_dot && !byte.is_ascii_digit() {
                found.push((begin, text[begin..at].to_string()));
            }
        } else {
            at += 1;
        }
    }
    found
}

/// A dot between two names.
fn is_dot(bytes: &[u8], at: usize) -> bool {
    let next = bytes.get(at + 1);
    bytes[at] == b'.' && next.is_some_and(|byte| byte.is_ascii_alphabetic() || *byte == b'_')
}

fn end_of_quoted(bytes: &[u8], begin: usize) -> usize {
    let mut at = begin + 1;
    while at < bytes.len() && bytes[at] != bytes[begin] {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    at + 1
}
