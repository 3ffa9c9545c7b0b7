//! A plan for a pull request: one comment, updated in place by whoever finds
//! its marker.

use super::lines::{Line, Sign, is_quiet, of_scope};
use super::text::short;
use super::{Counts, View};

/// The first line of every comment.
pub const MARKER: &str = "<!-- lyceum-plan -->";
/// Most characters of a comment; GitHub takes 65,536.
pub const LIMIT: usize = 60_000;

/// The plan: counts in the title, a folded section per cluster with something
/// to say, cut at [`LIMIT`] with a word that it was.
pub fn plan(view: &View<'_>) -> String {
    let counts = Counts::of(view.plan);
    let mut text =
        format!("{MARKER}\n### Lyceum: {counts}\n\nRevision `{}`\n", short(view.revision));
    let mut room = LIMIT - text.chars().count() - CUT.chars().count();
    for (name, scope) in view.plan.scopes.iter().filter(|(_, scope)| !is_quiet(scope)) {
        let summary = format!("<b>{name}</b>: {}", Counts::of_scope(scope));
        let lines: Vec<String> = of_scope(scope).iter().map(diff_line).collect();
        let section = Section { summary, lines };
        let (shown, whole) = section.within(room);
        room = room.saturating_sub(shown.chars().count());
        text.push_str(&shown);
        if !whole {
            text.push_str(CUT);
            return text;
        }
    }
    if let Some(stats) = view.stats {
        let shown = format!("\n```\n{stats}```\n");
        if shown.chars().count() <= room {
            text.push_str(&shown);
        }
    }
    text
}

const CUT: &str = "\n**The plan is longer than a comment may be and was cut here.** \
                   `lyceum plan` shows all of it.\n";

struct Section {
    summary: String,
    lines: Vec<String>,
}

impl Section {
    /// As much of the section as fits, and whether that is all of it.
    fn within(&self, room: usize) -> (String, bool) {
        let fence = self.fence();
        let head = format!("\n<details><summary>{}</summary>\n\n{fence}diff\n", self.summary);
        let tail = format!("{fence}\n\n</details>\n");
        let frame = head.chars().count() + tail.chars().count();
        if frame > room {
            return (String::new(), false);
        }
        let (mut body, mut left) = (String::new(), room - frame);
        for line in &self.lines {
            let length = line.chars().count() + 1;
            if length > left {
                return (head + &body + &tail, false);
            }
            left -= length;
            body.push_str(line);
            body.push('\n');
        }
        (head + &body + &tail, true)
    }

    /// Longer than any run of backticks within, so that nothing closes it early.
    fn fence(&self) -> String {
        let runs = self.lines.iter().flat_map(|line| line.split(|c| c != '`'));
        "`".repeat(runs.map(str::len).max().unwrap_or(0).max(2) + 1)
    }
}

/// A line with its sign in the first column, where a diff is coloured by it.
fn diff_line(line: &Line) -> String {
    let column = match line.sign {
        Sign::Create | Sign::Added => '+',
        Sign::Delete | Sign::Removed | Sign::Replace => '-',
        Sign::Update | Sign::Blocked => '!',
        Sign::Gap | Sign::Reported => '#',
        Sign::Note | Sign::Title | Sign::Faint | Sign::Plain => ' ',
    };
    let text = match line.sign {
        Sign::Added | Sign::Removed => &line.text[1..],
        Sign::Create | Sign::Update | Sign::Delete | Sign::Blocked => {
            line.text.get(2..).unwrap_or_default()
        }
        _ => &line.text,
    };
    format!("{column} {}{text}", "  ".repeat(line.depth)).trim_end().to_string()
}
