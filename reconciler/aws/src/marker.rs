//! Whose something is, in words: the identity of what lists no tags, written
//! into a description or a TXT record.

use lyceum_core::address::Address;
use lyceum_core::site::Site;

/// `lyceum owner=… source=… cluster=…`, the description of what has one.
pub(crate) fn description(site: &Site, cluster: &str) -> String {
    format!("lyceum owner={} source={} cluster={cluster}", site.owner, site.source)
}

/// `heritage=lyceum,owner=…,source=…,address=…`, the value of a TXT record.
pub(crate) fn text(site: &Site, address: &Address) -> String {
    format!("heritage=lyceum,owner={},source={},address={address}", site.owner, site.source)
}

/// `lyceum://<owner>/<source>/<address>`, the last line of a description.
pub(crate) fn link(site: &Site, address: &Address) -> String {
    format!("lyceum://{}/{}/{address}", site.owner, site.source)
}

/// A field of a description.
pub(crate) fn field<'a>(description: &'a str, key: &str) -> Option<&'a str> {
    let words = description.strip_prefix("lyceum ")?;
    words.split(' ').filter_map(|word| word.split_once('=')).find(|(k, _)| *k == key).map(|f| f.1)
}

/// The source and address of a TXT record of our owner's.
pub(crate) fn parse_text(site: &Site, text: &str) -> Option<(String, Address)> {
    let rest = text.trim_matches('"').strip_prefix("heritage=lyceum,owner=")?;
    let rest = rest.strip_prefix(&site.owner)?.strip_prefix(",source=")?;
    let (source, address) = rest.split_once(",address=")?;
    Some((source.into(), address.parse().ok()?))
}

/// A description that ends in a link.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Linked<'a> {
    /// What stands before the link.
    pub(crate) text: &'a str,
    /// The link's owner, which need not be ours.
    pub(crate) owner: &'a str,
    /// The link's source.
    pub(crate) source: &'a str,
    /// The link's address.
    pub(crate) address: Address,
}

/// The parts of a description that ends in a link, anybody's.
pub(crate) fn parse_link(description: &str) -> Option<Linked<'_>> {
    let (text, link) = description.rsplit_once('\n').unwrap_or(("", description));
    let (owner, rest) = link.strip_prefix("lyceum://")?.split_once('/')?;
    let (source, address) = rest.split_once('/')?;
    Some(Linked { text, owner, source, address: address.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site() -> Site {
        Site {
            owner: "lyceum".into(),
            source: "abc".into(),
            account: "1".into(),
            partition: "aws".into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let address = Address::new("geo-101", "alarm", "hub-status");
        let read = parse_text(&site(), &format!("\"{}\"", text(&site(), &address)));
        assert_eq!(read, Some(("abc".into(), address.clone())));

        let description = format!("Two\nlines.\n{}", link(&site(), &address));
        let linked = Linked { text: "Two\nlines.", owner: "lyceum", source: "abc", address };
        assert_eq!(parse_link(&description), Some(linked));

        let words = description_of_geo();
        assert_eq!(field(&words, "cluster"), Some("geo-101"));
        assert_eq!(field(&words, "source"), Some("abc"));
    }

    fn description_of_geo() -> String {
        description(&site(), "geo-101")
    }

    #[test]
    fn others_words_are_nobodys() {
        assert_eq!(parse_link("An alarm of somebody else's"), None);
        let theirs = parse_link("lyceum://lyceum-dev/abc/geo/alarm/hub").unwrap();
        assert_eq!(theirs.owner, "lyceum-dev");
        assert_eq!(parse_link("lyceum://abc/geo/alarm/hub"), None);
        assert_eq!(field("cluster=geo-101", "cluster"), None);
        let theirs = "heritage=lyceum,owner=lyceum2,source=abc,address=a/record/b";
        assert_eq!(parse_text(&site(), theirs), None);
        assert_eq!(parse_text(&site(), "\"v=spf1 -all\""), None);
    }
}
