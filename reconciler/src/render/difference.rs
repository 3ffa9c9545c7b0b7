//! One attribute's change as lines: short values side by side, lists item by
//! item, texts and policies as unified diffs.

use serde_json::Value;
use similar::TextDiff;

use super::lines::{Line, Sign};

/// Longest value that is shown whole, in characters.
const LONG: usize = 100;
/// Most lines of one diff.
const MOST_LINES: usize = 200;
/// Where attributes stand.
const DEPTH: usize = 2;

/// The change of an attribute. Of what is `created` there is only one side.
pub(super) fn differences(path: &str, before: &Value, after: &Value, created: bool) -> Vec<Line> {
    if created {
        return vec![Line::new(Sign::Plain, DEPTH, format!("{path}: {}", brief(after)))];
    }
    if let Some(texts) = texts(before, after) {
        return titled(path, unified(&texts.0, &texts.1));
    }
    if let (Value::Array(old), Value::Array(new)) = (before, after) {
        let items = items(old, new);
        if !items.is_empty() {
            return titled(path, items);
        }
    }
    let (old, new) = (brief(before), brief(after));
    vec![Line::new(Sign::Plain, DEPTH, format!("{path}: {old} → {new}"))]
}

/// `text` without control characters: what somebody wrote into a tag must not
/// steer a terminal.
pub(super) fn clean(text: &str) -> String {
    text.chars()
        .flat_map(|c| {
            let shown: Vec<char> = match c {
                '\t' => vec![' ', ' '],
                c if c.is_control() => c.escape_default().collect(),
                c => vec![c],
            };
            shown
        })
        .collect()
}

/// A value on one line, its end left out when it is long.
fn brief(value: &Value) -> String {
    if let Value::String(text) = value
        && text.contains('\n')
    {
        return format!("({} lines)", text.lines().count());
    }
    let text = match value {
        Value::Null => "(none)".into(),
        value => clean(&value.to_string()),
    };
    shorten(&text, LONG)
}

/// `text` with its end left out where it is longer than `most` characters.
pub(super) fn shorten(text: &str, most: usize) -> String {
    let length = text.chars().count();
    if length <= most {
        return text.into();
    }
    let head: String = text.chars().take(most - 20).collect();
    format!("{head}… ({length} characters)")
}

/// Both sides as texts of several lines, if they are worth a diff by line.
fn texts(before: &Value, after: &Value) -> Option<(String, String)> {
    let structured = |value: &Value| value.is_object() && brief(value).contains('…');
    let worth = |value: &Value| spread(value).is_some() || structured(value);
    if !worth(before) && !worth(after) {
        return None;
    }
    let text = |value: &Value| match (spread(value), value) {
        (Some(text), _) => Some(text),
        (None, Value::Null) => Some(String::new()),
        (None, Value::String(text)) => Some(text.clone()),
        (None, Value::Object(_)) => pretty(value),
        _ => None,
    };
    Some((text(before)?, text(after)?))
}

/// A text that is several lines, or JSON that is better read so.
fn spread(value: &Value) -> Option<String> {
    let Value::String(text) = value else { return None };
    if text.starts_with(['{', '['])
        && let Ok(parsed @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text)
    {
        return pretty(&parsed);
    }
    text.contains('\n').then(|| text.clone())
}

fn pretty(value: &Value) -> Option<String> {
    serde_json::to_string_pretty(value).ok().map(|text| text + "\n")
}

fn unified(before: &str, after: &str) -> Vec<Line> {
    let diff = TextDiff::from_lines(before, after);
    let text = diff.unified_diff().context_radius(3).to_string();
    let mut lines: Vec<Line> = text.lines().map(diff_line).collect();
    if lines.len() > MOST_LINES {
        let more = lines.len() - MOST_LINES;
        lines.truncate(MOST_LINES);
        lines.push(Line::new(Sign::Faint, DEPTH + 1, format!("… {more} more lines")));
    }
    lines
}

fn diff_line(line: &str) -> Line {
    let sign = match line.chars().next() {
        Some('+') => Sign::Added,
        Some('-') => Sign::Removed,
        Some('@' | '\\') => Sign::Faint,
        _ => Sign::Plain,
    };
    Line::new(sign, DEPTH + 1, clean(line))
}

/// What goes and what comes, by item; nothing when only the order differs.
fn items(old: &[Value], new: &[Value]) -> Vec<Line> {
    let line =
        |sign, symbol: char, item| Line::new(sign, DEPTH + 1, format!("{symbol}{}", whole(item)));
    let gone = old.iter().filter(|item| !new.contains(item));
    let come = new.iter().filter(|item| !old.contains(item));
    let gone = gone.map(|item| line(Sign::Removed, '-', item));
    gone.chain(come.map(|item| line(Sign::Added, '+', item))).take(MOST_LINES).collect()
}

fn whole(value: &Value) -> String {
    clean(&value.to_string())
}

fn titled(path: &str, mut lines: Vec<Line>) -> Vec<Line> {
    lines.insert(0, Line::new(Sign::Plain, DEPTH, format!("{path}:")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn shown(before: Value, after: Value) -> Vec<String> {
        differences("a", &before, &after, false).into_iter().map(|line| line.text).collect()
    }

    #[test]
    fn short_values_stand_side_by_side() {
        assert_eq!(shown(json!(1), json!(2)), ["a: 1 → 2"]);
        assert_eq!(shown(Value::Null, json!("x")), ["a: (none) → \"x\""]);
        assert_eq!(
            shown(json!(["x", "y"]), json!(["y", "x"])),
            ["a: [\"x\",\"y\"] → [\"y\",\"x\"]"]
        );
    }

    #[test]
    fn lists_show_only_what_goes_and_comes() {
        assert_eq!(shown(json!([1, 2]), json!([2, 3])), ["a:", "-1", "+3"]);
    }

    #[test]
    fn texts_and_policies_are_diffs() {
        let lines = shown(json!("one\ntwo\n"), json!("one\nthree\n"));
        assert_eq!(lines, ["a:", "@@ -1,2 +1,2 @@", " one", "-two", "+three"]);
        let lines = shown(json!(r#"{"a":1,"b":2}"#), json!(r#"{"a":1,"b":3}"#));
        assert!(lines.contains(&"-  \"b\": 2".to_string()), "{lines:?}");
    }

    #[test]
    fn control_characters_are_written_out() {
        assert_eq!(clean("a\u{1b}[31mb\tc\r"), "a\\u{1b}[31mb  c\\r");
    }

    #[test]
    fn long_diffs_are_cut_with_a_word() {
        let text = |word: &str| (0..500).map(|n| format!("{word} {n}\n")).collect::<String>();
        let lines = shown(json!(text("old")), json!(text("new")));
        assert_eq!(lines.len(), MOST_LINES + 2);
        assert!(lines[MOST_LINES + 1].ends_with("more lines"));
    }
}
