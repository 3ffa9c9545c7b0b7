//! From the bytes of a file to a value and the places of its parts.
//!
//! Values and places come from two parsers: the one the types are read with
//! decides what a scalar means, the other says where it stands. A file is only
//! used when both accept it.

use serde_json::{Number, Value};

use super::diagnostic::{Diagnostic, Mark, Place};
use super::marks::{self, Node};

/// Largest manifest in bytes.
pub(super) const MAX_BYTES: usize = 1024 * 1024;

pub(super) const FILE_SIZE: &str = "file-size";
pub(super) const ENCODING: &str = "encoding";

/// A file that is YAML, whatever it says.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    /// The file.
    pub(crate) path: String,
    /// What it says.
    pub(crate) value: Value,
    /// Where it says so.
    pub(crate) marks: Node,
    /// JSON pointers of what it may have meant to say otherwise: values that had
    /// to be taken out of it, and those that unknown fields may stand for.
    pub(super) flaws: Vec<String>,
}

impl Document {
    /// A file of which nothing is known but that it is there.
    pub(super) fn lost(path: &str, value: Value) -> Self {
        Self { path: path.into(), value, marks: Node::empty(), flaws: vec![String::new()] }
    }

    /// Whether what stands at a JSON pointer, or anything in it, may have been
    /// meant otherwise.
    pub(super) fn is_doubtful(&self, pointer: &str) -> bool {
        self.is_lost(pointer) || self.flaws.iter().any(|flaw| is_within(flaw, pointer))
    }

    /// Whether what stands at a JSON pointer was taken out of the file, by itself
    /// or with what it was in.
    pub(super) fn is_lost(&self, pointer: &str) -> bool {
        self.flaws.iter().any(|flaw| is_within(pointer, flaw))
    }

    /// The place of the file's beginning.
    pub(crate) fn start(&self) -> Place {
        Place { path: self.path.clone(), mark: Mark::START }
    }

    /// The place of a value by its JSON pointer, or of the nearest one around it.
    pub(crate) fn value_place(&self, pointer: &str) -> Place {
        let mut node = &self.marks;
        for segment in segments(pointer) {
            match node.get(&segment) {
                Some(inner) => node = inner,
                None => break,
            }
        }
        Place { path: self.path.clone(), mark: node.mark() }
    }

    /// The place of a key in the map at a JSON pointer.
    pub(crate) fn key_place(&self, pointer: &str, key: &str) -> Place {
        let map = segments(pointer).try_fold(&self.marks, |node, segment| node.get(&segment));
        match map.and_then(|map| map.key_mark(key)) {
            Some(mark) => Place { path: self.path.clone(), mark },
            None => self.value_place(pointer),
        }
    }
}

/// Reads one file.
pub(super) fn read(path: &str, bytes: &[u8]) -> Result<Document, Vec<Diagnostic>> {
    let start = Place { path: path.into(), mark: Mark::START };
    if bytes.len() > MAX_BYTES {
        let message = format!("the file has {} bytes", bytes.len());
        let found = Diagnostic::error(&start, FILE_SIZE, message);
        return Err(vec![found.expected(format!("at most {MAX_BYTES} bytes"))]);
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let message = format!("byte {} is not UTF-8", error.valid_up_to());
        vec![Diagnostic::error(&start, ENCODING, message).expected("text in UTF-8")]
    })?;
    // A byte order mark is a habit of some editors and part of no value.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let marks = marks::read(path, text)?;
    let mut value = parse(&start, text)?;
    whole_numbers(&mut value);
    Ok(Document { path: path.into(), value, marks, flaws: vec![] })
}

/// The parts of a JSON pointer, unescaped.
pub(super) fn segments(pointer: &str) -> impl Iterator<Item = String> {
    pointer.split('/').skip(1).map(|part| part.replace("~1", "/").replace("~0", "~"))
}

fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// A key as it stands in a JSON pointer.
pub(super) fn escape(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn parse(start: &Place, text: &str) -> Result<Value, Vec<Diagnostic>> {
    serde_yaml::from_str(text).map_err(|error| {
        let mut place = start.clone();
        if let Some(location) = error.location() {
            let number = |count: usize| u32::try_from(count.max(1)).unwrap_or(u32::MAX);
            place.mark = Mark { line: number(location.line()), column: number(location.column()) };
        }
        let mut found = [Diagnostic::error(&place, marks::SYNTAX, format!("unreadable: {error}"))];
        marks::clamp(&mut found, text);
        found.to_vec()
    })
}

/// `8.0` is as good as `8`: JSON Schema counts it as an integer, serde does not.
pub(super) fn whole_numbers(value: &mut Value) {
    match value {
        Value::Number(number) => {
            if let Some(whole) = number.as_f64().filter(|_| number.is_f64()).and_then(whole) {
                *number = whole;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(map) => map.values_mut().for_each(whole_numbers),
        _ => {}
    }
}

fn whole(number: f64) -> Option<Number> {
    // Beyond 2^53 a float no longer tells neighbouring integers apart.
    (number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0)
        .then(|| Number::from(number as i64))
}
