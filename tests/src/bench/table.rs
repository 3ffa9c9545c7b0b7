//! A table of figures for a terminal.

use std::fmt;

use super::terraform::{Figure, recorded};
use super::{Cost, terraform};

/// A column: its head and its width.
#[derive(Clone, Copy, Debug)]
pub struct Column(pub &'static str, pub usize);

const COLUMNS: &[Column] = &[
    Column("clusters", 8),
    Column("wall s", 9),
    Column("CPU s", 8),
    Column("MiB", 6),
    Column("requests", 10),
    Column("| Terraform: s", 16),
    Column("MB", 6),
    Column("requests", 10),
    Column("| faster", 10),
];

/// What a deed took for several numbers of clusters.
#[derive(Debug)]
pub struct Table {
    deed: terraform::Deed,
    rows: Vec<(usize, Cost, usize)>,
}

impl Table {
    /// Without rows yet.
    pub fn new(deed: terraform::Deed) -> Self {
        Self { deed, rows: Vec::new() }
    }

    /// Adds what it took for this many clusters, with so many requests.
    pub fn add(&mut self, clusters: usize, cost: Cost, requests: usize) {
        self.rows.push((clusters, cost, requests));
    }

    fn title(&self) -> &'static str {
        match self.deed {
            terraform::Deed::Apply => "apply from nothing",
            terraform::Deed::Plan => "plan, nothing to change",
            terraform::Deed::Destroy => "destroy",
        }
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title())?;
        writeln!(f, "{}", line(&COLUMNS.iter().map(|column| column.0.into()).collect::<Vec<_>>()))?;
        for (clusters, cost, requests) in &self.rows {
            let theirs = recorded(self.deed, *clusters);
            writeln!(f, "{}", line(&cells(*clusters, cost, *requests, theirs)))?;
        }
        Ok(())
    }
}

fn cells(clusters: usize, cost: &Cost, requests: usize, theirs: Option<Figure>) -> Vec<String> {
    let seconds = |theirs: Figure| format!("{:.1}", theirs.seconds);
    let megabytes = theirs.and_then(|theirs| theirs.megabytes);
    let faster = |theirs: Figure| format!("{:.1} x", theirs.seconds / cost.wall.as_secs_f64());
    vec![
        clusters.to_string(),
        format!("{:.2}", cost.wall.as_secs_f64()),
        format!("{:.2}", cost.cpu.as_secs_f64()),
        (cost.peak >> 20).to_string(),
        requests.to_string(),
        or_none(theirs.map(seconds)),
        or_none(megabytes.map(|megabytes| megabytes.to_string())),
        or_none(theirs.map(|theirs| theirs.requests.to_string())),
        or_none(theirs.map(faster)),
    ]
}

fn or_none(cell: Option<String>) -> String {
    cell.unwrap_or_else(|| "-".into())
}

fn line(cells: &[String]) -> String {
    let widths = COLUMNS.iter().map(|column| column.1);
    cells.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_line_stands_beside_what_was_recorded() {
        let mut table = Table::new(terraform::Deed::Plan);
        let cost = Cost {
            wall: Duration::from_millis(730),
            cpu: Duration::from_millis(120),
            peak: 20 << 20,
        };
        table.add(1, cost, 50);
        table.add(100, cost, 50);
        let text = table.to_string();
        let rows: Vec<Vec<&str>> =
            text.lines().skip(2).map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(rows[0], ["1", "0.73", "0.12", "20", "50", "7.3", "600", "115", "10.0", "x"]);
        assert_eq!(rows[1], ["100", "0.73", "0.12", "20", "50", "-", "-", "-", "-"]);
    }
}
