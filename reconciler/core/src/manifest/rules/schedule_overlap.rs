//! At any moment at most one schedule says how many workers there are.
//!
//! Two at once contradict each other even with the same minimum: the first to
//! end takes the minimum away from the other. Auto Scaling also refuses two
//! scheduled actions at one moment, so one may not end when the other begins.
//!
//! A date and a day of the week may meet in some years alone, and neither can say
//! its year: that is a warning.

use crate::schedule::{Recurrence, stretches, year};

use super::super::cluster::Cluster;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "schedule-overlap",
    summary: "Schedules of a cluster are never on at the same time, and none begins when another \
              ends; where that is so in some years alone it is a warning.",
    check,
};

/// A leap year: the rule may not depend on when it is applied.
const FIRST: i16 = 2024;
/// After so many years every date has fallen on every day of the week.
const YEARS: usize = 28;
/// Four on every day of a year.
const MOST: usize = 4 * 366;

/// The stretches of a schedule within a year.
pub(super) fn stretches_of(start: &Recurrence, end: &Recurrence) -> Vec<(i64, i64)> {
    stretches(start, end, year(FIRST), MOST)
}

/// Whether it is not known when a schedule is on.
pub(super) fn is_doubtful(cluster: &Declaration<Cluster>, index: usize) -> bool {
    let field = |name| format!("/spec/workers/scaling/schedules/{index}/{name}");
    ["start", "end", "timezone"].iter().any(|name| cluster.is_doubtful(&field(name)))
}

fn check(model: &Model, found: &mut Vec<Diagnostic>) {
    for cluster in &model.clusters {
        let schedules = &cluster.spec().workers.scaling.schedules;
        if schedules.len() < 2 {
            continue;
        }
        for (pair, meeting) in collisions(cluster) {
            found.push(report(cluster, pair, meeting));
        }
    }
}

type Pair = (usize, usize);
type Stretch = (i64, i64);

/// How two schedules contradict each other.
struct Meeting {
    first: Stretch,
    every_year: bool,
}

/// Pairs of schedules that are on at the same time.
fn collisions(cluster: &Declaration<Cluster>) -> Vec<(Pair, Meeting)> {
    let schedules = cluster.spec().workers.scaling.schedules.iter().enumerate();
    let known = schedules.filter(|(index, _)| !is_doubtful(cluster, *index));
    let known: Vec<(usize, Edges)> = known
        .filter_map(|(index, schedule)| {
            let edge = |cron: &str| Recurrence::new(cron, &schedule.timezone).ok();
            Some((index, Edges::new(edge(&schedule.start)?, edge(&schedule.end)?)))
        })
        .collect();
    let mut found = vec![];
    for (place, (one, first)) in known.iter().enumerate() {
        for (other, second) in &known[place + 1..] {
            found.extend(first.meets(second).map(|meeting| ((*one, *other), meeting)));
        }
    }
    found
}

/// When a schedule begins and ends.
struct Edges {
    start: Recurrence,
    end: Recurrence,
    of_a_year: Vec<Stretch>,
}

impl Edges {
    fn new(start: Recurrence, end: Recurrence) -> Self {
        let of_a_year = stretches_of(&start, &end);
        Self { start, end, of_a_year }
    }

    /// Whether both are ever on, looked for where the rarer one is.
    fn meets(&self, other: &Self) -> Option<Meeting> {
        let (rare, often) = match self.of_a_year.len() <= other.of_a_year.len() {
            true => (self, other),
            false => (other, self),
        };
        let edges = [&self.start, &self.end, &other.start, &other.end];
        let mixed = edges.iter().any(|edge| edge.is_by_date())
            && edges.iter().any(|edge| edge.is_by_weekday());
        if !mixed {
            let first = often.on_within(&rare.of_a_year)?;
            return Some(Meeting { first, every_year: true });
        }
        let met: Vec<Stretch> = (FIRST..)
            .take(YEARS)
            .filter_map(|of| often.on_within(&stretches(&rare.start, &rare.end, year(of), MOST)))
            .collect();
        Some(Meeting { first: *met.first()?, every_year: met.len() == YEARS })
    }

    /// The first time at which it is on while one of these lasts.
    fn on_within(&self, stretches: &[Stretch]) -> Option<Stretch> {
        stretches.iter().find_map(|(from, until)| {
            let begun = self.start.latest(*from).and_then(|start| self.end.next(start));
            let on = begun.filter(|end| end >= from).map(|end| (*from, end));
            let (begin, end) = on.or_else(|| {
                let begin = self.start.next(*from).filter(|begin| begin <= until)?;
                Some((begin, self.end.next(begin)?))
            })?;
            Some((begin, end.min(*until)))
        })
    }
}

fn report(cluster: &Declaration<Cluster>, (one, other): Pair, meeting: Meeting) -> Diagnostic {
    let schedules = &cluster.spec().workers.scaling.schedules;
    let (first, second) = (&schedules[one], &schedules[other]);
    let pointer = format!("/spec/workers/scaling/schedules/{other}");
    let form = if meeting.every_year { "%a %H:%M" } else { "%a, %-d %B %Y, %H:%M" };
    let when = moment(meeting.first.0, &second.timezone, form);
    let (first, second) = (&first.name, &second.name);
    let at_once = meeting.first.0 == meeting.first.1;
    let message = match at_once {
        true => format!("`{second}` and `{first}` change the minimum at the same moment, {when}"),
        false => format!("`{second}` is on at the same time as `{first}`, {when}"),
    };
    if !meeting.every_year {
        return cluster
            .warning(&pointer, &RULE, message)
            .hint("it is so in some years; take a schedule out when its dates are over");
    }
    let error = cluster.error(&pointer, &RULE, message);
    match at_once {
        true => error
            .expected("a minute between one schedule's end and the next one's start")
            .hint("Auto Scaling refuses two scheduled actions at one time"),
        false => error.expected("schedules one after the other"),
    }
}

/// Such as `Mon 08:00 America/Denver`.
fn moment(instant: i64, zone: &str, form: &str) -> String {
    let zoned = crate::schedule::zone(zone).zip(jiff::Timestamp::from_second(instant).ok());
    zoned.map_or_else(String::new, |(zone, instant)| {
        let local = zone.to_datetime(instant);
        format!("{} {}", local.strftime(form), zone.iana_name().unwrap_or("UTC"))
    })
}
