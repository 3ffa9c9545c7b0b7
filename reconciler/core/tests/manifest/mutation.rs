//! Valid manifests with something changed at random: never a panic, always an
//! answer, always a place inside the file.

use lyceum_core::manifest::{self, Snapshot};
use proptest::prelude::*;

use super::repository::{root, snapshot};
use super::samples::assert_inside;

/// Files that are changed: one of each kind.
const FILES: &[&str] = &[
    "clusters/geo-101/cluster.yaml",
    "clusters/summer/camp-astronomy/cluster.yaml",
    "clusters/defaults.yaml",
    "cookbooks/jupyterhub/role.yaml",
];

/// What goes into a file: what means something in YAML, and values of other types.
const SCRAPS: &[&str] = &[
    "\n",
    "\n\n",
    " ",
    "  ",
    "\t",
    ":",
    ": ",
    "-",
    "- ",
    "[",
    "]",
    "{",
    "}",
    ",",
    "#",
    " #",
    "&a ",
    "*a",
    "!x ",
    "!!int ",
    "|",
    ">",
    "'",
    "\"",
    "%",
    "@",
    "`",
    "?",
    "? ",
    "---\n",
    "...\n",
    "null",
    "~",
    "true",
    "no",
    "0",
    "-1",
    "1e400",
    "0x10",
    "0o7",
    ".nan",
    ".inf",
    "99999999999999999999",
    "1.5",
    "é",
    "\u{feff}",
    "\u{2028}",
    "\\",
    "\r",
    "\u{7f}",
    "<<: ",
    "a: b",
    "\u{1F600}",
];

#[derive(Clone, Debug)]
enum Edit {
    Insert(usize, &'static str),
    Remove(usize, usize),
    Double(usize, usize),
    SwapLines(usize, usize),
    DropLine(usize),
    Indent(usize),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let at = 0..4_000usize;
    let length = 1..40usize;
    let edit = prop_oneof![
        4 => (at.clone(), prop::sample::select(SCRAPS)).prop_map(|(at, text)| Edit::Insert(at, text)),
        3 => (at.clone(), length.clone()).prop_map(|(at, length)| Edit::Remove(at, length)),
        1 => (at.clone(), length).prop_map(|(at, length)| Edit::Double(at, length)),
        1 => (at.clone(), at.clone()).prop_map(|(one, other)| Edit::SwapLines(one, other)),
        1 => at.clone().prop_map(Edit::DropLine),
        1 => at.prop_map(Edit::Indent),
    ];
    prop::collection::vec(edit, 1..6)
}

fn apply(text: &str, edit: &Edit) -> String {
    let mut letters: Vec<char> = text.chars().collect();
    let mut lines: Vec<&str> = text.split('\n').collect();
    let span = |at: usize, length: usize| {
        let start = at % (letters.len() + 1);
        start..(start + length).min(letters.len())
    };
    let line = |at: &usize| at % lines.len();
    match edit {
        Edit::Insert(at, scrap) => {
            let at = span(*at, 0).start;
            letters.splice(at..at, scrap.chars());
        }
        Edit::Remove(at, length) => drop(letters.drain(span(*at, *length))),
        Edit::Double(at, length) => {
            let span = span(*at, *length);
            let copy = letters[span.clone()].to_vec();
            letters.splice(span.start..span.start, copy);
        }
        Edit::SwapLines(one, other) => {
            let (one, other) = (line(one), line(other));
            lines.swap(one, other);
            return lines.join("\n");
        }
        Edit::DropLine(at) => {
            lines.remove(line(at));
            return lines.join("\n");
        }
        Edit::Indent(at) => {
            let at = line(at);
            let deeper = format!("  {}", lines[at]);
            lines[at] = &deeper;
            return lines.join("\n");
        }
    }
    letters.into_iter().collect()
}

fn examples() -> Snapshot {
    let mut files = snapshot(&root());
    files.files.retain(|path, _| FILES.contains(&path.as_str()) || path.ends_with("role.yaml"));
    files
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn a_changed_manifest_gets_an_answer_with_places_inside_its_files(
        file in prop::sample::select(FILES), edits in edits()
    ) {
        let mut files = examples();
        let mut text = String::from_utf8(files.files[file].clone()).unwrap();
        for edit in &edits {
            text = apply(&text, edit);
        }
        files.files.insert(file.into(), text.into_bytes());
        let answer = manifest::load(&files);
        prop_assert_eq!(&answer, &manifest::load(&files));
        let found = match &answer {
            Ok(manifests) => &manifests.warnings,
            Err(invalid) => &invalid.diagnostics,
        };
        assert_inside(&files, found);
        for diagnostic in found {
            // The types take whatever the schemas take.
            prop_assert!(diagnostic.rule != "schema", "{}", diagnostic);
        }
    }

    #[test]
    fn any_bytes_get_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut files = examples();
        files.files.insert(FILES[0].into(), bytes);
        if let Err(invalid) = manifest::load(&files) {
            assert_inside(&files, &invalid.diagnostics);
        }
    }
}
