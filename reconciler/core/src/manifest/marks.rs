//! Where in a file each value stands, from the events of a YAML parser.
//!
//! The same pass refuses what a manifest may not contain: broken YAML, doubled
//! keys, aliases, tags, several documents, too much nesting. It allocates in
//! proportion to the file and never recurses, whatever the file holds.

use std::collections::BTreeMap;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span};

use super::diagnostic::{Diagnostic, Mark, Place};
use super::source::segments;

/// Deepest nesting of maps and lists.
pub(super) const MAX_DEPTH: usize = 64;

pub(super) const SYNTAX: &str = "syntax";
pub(super) const DUPLICATE_KEY: &str = "duplicate-key";
pub(super) const YAML_FEATURE: &str = "yaml-feature";
pub(super) const NESTING: &str = "nesting";
pub(super) const NOT_FINITE: &str = "not-finite";

/// A value's place, and those of what it holds.
#[derive(Clone, Debug)]
pub(crate) struct Node {
    mark: Mark,
    holds: Holds,
}

#[derive(Clone, Debug)]
enum Holds {
    Nothing,
    Items(Vec<Node>),
    /// By key, with the key's own place.
    Entries(BTreeMap<Box<str>, (Mark, Node)>),
}

impl Node {
    /// A file without a value: everything is at its beginning.
    pub(crate) fn empty() -> Self {
        Self { mark: Mark::START, holds: Holds::Nothing }
    }

    /// Where the value begins.
    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Whether it holds keys.
    pub(crate) fn is_map(&self) -> bool {
        matches!(self.holds, Holds::Entries(_))
    }

    /// The value at a key, or at an index written as a number.
    pub(crate) fn get(&self, segment: &str) -> Option<&Self> {
        match &self.holds {
            Holds::Nothing => None,
            Holds::Items(items) => items.get(segment.parse::<usize>().ok()?),
            Holds::Entries(entries) => entries.get(segment).map(|(_, value)| value),
        }
    }

    /// Calls a key of the map at a JSON pointer by another name.
    pub(super) fn rename(&mut self, pointer: &str, from: &str, to: &str) {
        let map = segments(pointer).try_fold(self, |node, segment| node.get_mut(&segment));
        if let Some(Self { holds: Holds::Entries(entries), .. }) = map
            && let Some(entry) = entries.remove(from)
        {
            entries.insert(to.into(), entry);
        }
    }

    fn get_mut(&mut self, segment: &str) -> Option<&mut Self> {
        match &mut self.holds {
            Holds::Nothing => None,
            Holds::Items(items) => items.get_mut(segment.parse::<usize>().ok()?),
            Holds::Entries(entries) => entries.get_mut(segment).map(|(_, value)| value),
        }
    }

    /// Where the key itself stands.
    pub(crate) fn key_mark(&self, key: &str) -> Option<Mark> {
        match &self.holds {
            Holds::Entries(entries) => entries.get(key).map(|(mark, _)| *mark),
            _ => None,
        }
    }
}

/// The places of all values of a file, or everything that speaks against it.
pub(super) fn read(path: &str, text: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut reader = Reader { path, open: vec![], root: None, documents: 0, found: vec![] };
    for event in Parser::new_from_str(text) {
        match event {
            Ok((event, span)) => reader.take(event, span),
            // The parser has a limit of its own, which it reaches by looking ahead.
            Err(error) if error.info().contains("recursion limit") => {
                reader.report(*error.marker(), NESTING, too_deep());
            }
            Err(error) => {
                let message = format!("this is not YAML: {}", error.info());
                reader.report(*error.marker(), SYNTAX, message);
                break;
            }
        }
        if reader.found.iter().any(|diagnostic| diagnostic.rule == NESTING) {
            break;
        }
    }
    if reader.found.is_empty() {
        Ok(reader.root.unwrap_or_else(Node::empty))
    } else {
        clamp(&mut reader.found, text);
        Err(reader.found)
    }
}

struct Reader<'a> {
    path: &'a str,
    open: Vec<Open>,
    root: Option<Node>,
    documents: usize,
    found: Vec<Diagnostic>,
}

/// A map or list whose end has not come yet.
struct Open {
    node: Node,
    key: Option<(Box<str>, Mark)>,
}

impl Reader<'_> {
    fn take(&mut self, event: Event<'_>, span: Span) {
        self.refuse(&event, span);
        let mark = mark_of(span.start);
        match event {
            Event::MappingStart(..) => {
                self.open(Node { mark, holds: Holds::Entries(BTreeMap::new()) })
            }
            Event::SequenceStart(..) => self.open(Node { mark, holds: Holds::Items(vec![]) }),
            Event::MappingEnd | Event::SequenceEnd => self.close(),
            Event::Scalar(text, ..) => self.scalar(&text, span),
            Event::Alias(_) => self.scalar("*", span),
            _ => {}
        }
    }

    fn refuse(&mut self, event: &Event<'_>, span: Span) {
        let found = match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                (self.documents > 1).then_some("a second document begins here")
            }
            Event::Alias(_) => Some("an alias repeats another part of the file"),
            Event::Scalar(_, _, _, Some(_))
            | Event::SequenceStart(_, Some(_))
            | Event::MappingStart(_, Some(_)) => Some("the value has a tag"),
            _ => None,
        };
        if let Some(message) = found {
            self.report(span.start, YAML_FEATURE, message.into());
        }
        if let Event::Scalar(text, ScalarStyle::Plain, ..) = event
            && is_not_finite(text)
        {
            self.report(span.start, NOT_FINITE, format!("`{text}` is not a finite number"));
        }
    }

    fn open(&mut self, node: Node) {
        if self.awaits_key() {
            let message = "a map or list is used as a key".to_string();
            self.found.push(self.diagnostic(node.mark, SYNTAX, message));
        }
        if self.open.len() >= MAX_DEPTH {
            self.found.push(self.diagnostic(node.mark, NESTING, too_deep()));
        }
        self.open.push(Open { node, key: None });
    }

    fn close(&mut self) {
        if let Some(Open { node, .. }) = self.open.pop() {
            self.place(node);
        }
    }

    fn scalar(&mut self, text: &str, span: Span) {
        let mark = mark_of(span.start);
        if !self.awaits_key() {
            return self.place(Node { mark, holds: Holds::Nothing });
        }
        let known = self.open.last().and_then(|open| open.node.key_mark(text));
        if let Some(first) = known {
            let message = format!("`{text}` is given twice; the first is in line {}", first.line);
            self.report(span.start, DUPLICATE_KEY, message);
        }
        if let Some(open) = self.open.last_mut() {
            open.key = Some((text.into(), mark));
        }
    }

    /// Puts a finished value where it belongs.
    fn place(&mut self, node: Node) {
        let Some(open) = self.open.last_mut() else {
            self.root.get_or_insert(node);
            return;
        };
        match &mut open.node.holds {
            Holds::Items(items) => items.push(node),
            Holds::Entries(entries) => {
                if let Some((key, mark)) = open.key.take() {
                    entries.insert(key, (mark, node));
                }
            }
            Holds::Nothing => {}
        }
    }

    fn awaits_key(&self) -> bool {
        self.open.last().is_some_and(|open| open.node.is_map() && open.key.is_none())
    }

    fn report(&mut self, at: Marker, rule: &'static str, message: String) {
        self.found.push(self.diagnostic(mark_of(at), rule, message));
    }

    fn diagnostic(&self, mark: Mark, rule: &'static str, message: String) -> Diagnostic {
        let found = Diagnostic::error(&Place { path: self.path.into(), mark }, rule, message);
        match rule {
            YAML_FEATURE => found
                .expected("one plain document, without tags and aliases")
                .hint("what several clusters share belongs into a defaults.yaml"),
            NOT_FINITE => found.expected("a number"),
            DUPLICATE_KEY => found.hint("remove one of them"),
            _ => found,
        }
    }
}

fn too_deep() -> String {
    format!("maps and lists are nested more than {MAX_DEPTH} deep")
}

fn is_not_finite(text: &str) -> bool {
    let word = text.trim_start_matches(['+', '-']);
    matches!(word, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN")
}

fn mark_of(marker: Marker) -> Mark {
    let number = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
    Mark { line: number(marker.line().max(1)), column: number(marker.col() + 1) }
}

/// Moves what a parser found behind the last character back into the file.
pub(super) fn clamp(found: &mut [Diagnostic], text: &str) {
    let lines: Vec<usize> = text.lines().map(|line| line.chars().count()).collect();
    for diagnostic in found {
        diagnostic.line = diagnostic.line.clamp(1, lines.len().max(1));
        let width = lines.get(diagnostic.line - 1).copied().unwrap_or(0);
        diagnostic.column = diagnostic.column.clamp(1, width + 1);
    }
}
