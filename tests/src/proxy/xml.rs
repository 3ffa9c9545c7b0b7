//! Just enough XML to take an item out of an answer: elements, texts, order.
//!
//! Text is kept as written, entities included, so that what is not touched
//! comes out as it went in.

use std::fmt::Write;

use xmlparser::{ElementEnd, Token, Tokenizer};

/// An element.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Element {
    /// Its name, as written.
    pub(super) name: String,
    attributes: String,
    /// Text before, between and after its children.
    text: String,
    /// Its children, in order.
    pub(super) children: Vec<Element>,
}

impl Element {
    /// An element with a text.
    pub(super) fn new(name: &str, text: &str) -> Self {
        Self {
            name: name.into(),
            text: text.replace('&', "&amp;").replace('<', "&lt;"),
            ..Self::default()
        }
    }

    /// The root of a document; `None` where it is not one.
    pub(super) fn parse(document: &[u8]) -> Option<Self> {
        let document = std::str::from_utf8(document).ok()?;
        let mut open: Vec<Element> = vec![Element::default()];
        for token in Tokenizer::from(document) {
            apply(&mut open, token.ok()?)?;
        }
        match open.as_mut_slice() {
            [top] => top.children.pop(),
            _ => None,
        }
    }

    /// As a document.
    pub(super) fn document(&self) -> Vec<u8> {
        let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
        self.write(&mut out);
        out.into_bytes()
    }

    /// A child by name.
    pub(super) fn child(&self, name: &str) -> Option<&Element> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of a child by name; empty when absent.
    pub(super) fn text_of(&self, name: &str) -> &str {
        self.child(name).map_or("", |child| child.text.trim())
    }

    /// The text of a path of names below; empty when absent.
    pub(super) fn text_at(&self, path: &[&str]) -> &str {
        match path {
            [] => self.text.trim(),
            [name, rest @ ..] => self.child(name).map_or("", |child| child.text_at(rest)),
        }
    }

    /// Every element of a name anywhere below, in document order.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> Box<dyn Iterator<Item = &'a Element> + 'a> {
        Box::new(self.children.iter().flat_map(move |child| {
            let own = (child.name == name).then_some(child);
            own.into_iter().chain(child.all(name))
        }))
    }

    /// Sets the text of a child, which is added where there is none.
    pub(super) fn set(&mut self, name: &str, text: &str) {
        let wanted = Element::new(name, text);
        match self.children.iter_mut().find(|child| child.name == name) {
            Some(child) => *child = wanted,
            None => self.children.push(wanted),
        }
    }

    fn write(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(out, "<{}{}>{}", self.name, self.attributes, self.text.trim());
        self.children.iter().for_each(|child| child.write(out));
        let _ = write!(out, "</{}>", self.name);
    }
}

/// Carries one token into the stack of open elements.
fn apply(open: &mut Vec<Element>, token: Token<'_>) -> Option<()> {
    match token {
        Token::ElementStart { prefix, local, .. } => {
            let name = match prefix.as_str() {
                "" => local.as_str().to_string(),
                prefix => format!("{prefix}:{local}"),
            };
            open.push(Element { name, ..Element::default() });
        }
        Token::Attribute { span, .. } => {
            let element = open.last_mut()?;
            element.attributes.push(' ');
            element.attributes.push_str(span.as_str());
        }
        Token::ElementEnd { end: ElementEnd::Open, .. } => {}
        Token::ElementEnd { .. } => close(open)?,
        Token::Text { text } => open.last_mut()?.text.push_str(text.as_str()),
        Token::Cdata { text, .. } => {
            open.last_mut()?.text.push_str(&text.replace('&', "&amp;").replace('<', "&lt;"));
        }
        _ => {}
    }
    Some(())
}

fn close(open: &mut Vec<Element>) -> Option<()> {
    let element = open.pop()?;
    open.last_mut()?.children.push(element);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANSWER: &[u8] = br#"<?xml version="1.0"?>
        <DescribeVpcsResponse xmlns="http://x/">
          <vpcSet><item><vpcId>vpc-1</vpcId><n>a &amp; b</n></item><item><vpcId>vpc-2</vpcId><e/></item></vpcSet>
        </DescribeVpcsResponse>"#;

    #[test]
    fn what_is_not_touched_comes_out_as_it_went_in() {
        let root = Element::parse(ANSWER).unwrap();
        let text = String::from_utf8(root.document()).unwrap();
        assert!(text.contains(r#"<DescribeVpcsResponse xmlns="http://x/">"#));
        assert!(text.contains("<n>a &amp; b</n>"));
        assert_eq!(Element::parse(text.as_bytes()).unwrap().document(), text.as_bytes());
    }

    #[test]
    fn children_are_found_and_set() {
        let mut root = Element::parse(ANSWER).unwrap();
        let ids: Vec<_> = root.all("vpcId").map(|id| id.text_at(&[])).collect();
        assert_eq!(ids, ["vpc-1", "vpc-2"]);
        root.set("nextToken", "t");
        root.set("nextToken", "u");
        assert_eq!(root.text_of("nextToken"), "u");
        assert!(Element::parse(b"<a><b></a>").is_none_or(|root| root.name == "a"));
        assert!(Element::parse(b"not xml <").is_none());
    }
}
