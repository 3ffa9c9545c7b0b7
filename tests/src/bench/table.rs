//! A table of figures for a terminal.

use std::fmt;
use std::time::Duration;

use super::Cost;
use super::terraform::{Deed, Figure, recorded};

/// A column: its head and its width.
struct Column(&'static str, usize);

const COLUMNS: &[Column] = &[
    Column("clusters", 8),
    Column("wall s", 8),
    Column("CPU s", 7),
    Column("moto s", 8),
    Column("MiB", 5),
    Column("calls", 7),
    Column("| Terraform s", 15),
    Column("MB", 5),
    Column("calls", 7),
    Column("| faster", 10),
];

/// What a deed took for one number of clusters.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// How many.
    pub clusters: usize,
    /// What it cost.
    pub cost: Cost,
    /// Of which the emulator was busy: it is one process, and waited for.
    pub emulator: Duration,
    /// Calls to AWS.
    pub calls: usize,
}

/// What a deed took for several numbers of clusters.
#[derive(Debug)]
pub struct Table {
    deed: Deed,
    title: &'static str,
    rows: Vec<Row>,
}

impl Table {
    /// Without rows yet.
    pub fn new(deed: Deed, title: &'static str) -> Self {
        Self { deed, title, rows: Vec::new() }
    }

    /// It has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Adds a row.
    pub fn add(&mut self, row: Row) {
        self.rows.push(row);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}", self.title)?;
        writeln!(f, "{}", line(&COLUMNS.iter().map(|column| column.0.into()).collect::<Vec<_>>()))?;
        for row in &self.rows {
            writeln!(f, "{}", line(&cells(row, recorded(self.deed, row.clusters))))?;
        }
        Ok(())
    }
}

fn cells(row: &Row, theirs: Option<Figure>) -> Vec<String> {
    let Row { clusters, cost, emulator, calls } = row;
    let seconds = |theirs: Figure| format!("{:.1}", theirs.seconds);
    let megabytes = theirs.and_then(|theirs| theirs.megabytes);
    let faster = |theirs: Figure| format!("{:.1} x", theirs.seconds / cost.wall.as_secs_f64());
    vec![
        clusters.to_string(),
        format!("{:.2}", cost.wall.as_secs_f64()),
        format!("{:.2}", cost.cpu.as_secs_f64()),
        format!("{:.2}", emulator.as_secs_f64()),
        (cost.peak >> 20).to_string(),
        calls.to_string(),
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
    use super::*;

    #[test]
    fn a_line_stands_beside_what_was_recorded() {
        let mut table = Table::new(Deed::Plan, "plan");
        let wall = Duration::from_millis(730);
        let cost = Cost { wall, cpu: Duration::from_millis(120), peak: 20 << 20 };
        let row = Row { clusters: 1, cost, emulator: Duration::from_millis(300), calls: 50 };
        table.add(row);
        table.add(Row { clusters: 100, ..row });
        let text = table.to_string();
        let rows: Vec<Vec<&str>> =
            text.lines().skip(2).map(|row| row.split_whitespace().collect()).collect();
        assert_eq!(
            rows[0],
            ["1", "0.73", "0.12", "0.30", "20", "50", "7.3", "600", "115", "10.0", "x"]
        );
        assert_eq!(rows[1], ["100", "0.73", "0.12", "0.30", "20", "50", "-", "-", "-", "-"]);
    }
}
