//! At any moment at most one schedule says how many workers there are.
//!
//! Two at once contradict each other even with the same minimum: the first to
//! end takes the minimum away from the other. Auto Scaling also refuses two
//! scheduled actions at one moment, so one may not end when the other begins.

use std::ops::Range;

use crate::schedule::{Recurrence, stretches};

use super::super::cluster::Cluster;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "schedule-overlap",
    summary: "Schedules of a cluster are never on at the same time, and none begins when another ends.",
    check,
};

/// 2024, a leap year: the rule may not depend on when it is applied.
const YEAR: Range<i64> = 1_704_067_200..1_735_689_600;
/// 28 years, after which every date has fallen on every day of the week.
const EVERY_YEAR: Range<i64> = 1_704_067_200..2_587_680_000;
/// Four on every day of a year.
const MOST: usize = 4 * 366;

/// The stretches of a schedule within a year.
pub(super) fn stretches_of(start: &Recurrence, end: &Recurrence) -> Vec<(i64, i64)> {
    stretches(start, end, YEAR, MOST)
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
        for (pair, stretch) in collisions(cluster) {
            found.push(report(cluster, pair, stretch));
        }
    }
}

type Pair = (usize, usize);
type Stretch = (i64, i64);

/// Pairs of schedules that are on at the same time, with when they first are.
fn collisions(cluster: &Declaration<Cluster>) -> Vec<(Pair, Stretch)> {
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
            found.extend(first.meets(second).map(|stretch| ((*one, *other), stretch)));
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

    /// The first time at which both are on, looked for where the rarer one is.
    fn meets(&self, other: &Self) -> Option<Stretch> {
        let (rare, often) = match self.of_a_year.len() <= other.of_a_year.len() {
            true => (self, other),
            false => (other, self),
        };
        // Dates and days of the week meet in another way each year.
        let edges = [&self.start, &self.end, &other.start, &other.end];
        let mixed = edges.iter().any(|edge| edge.is_by_date())
            && edges.iter().any(|edge| edge.is_by_weekday());
        match mixed {
            true => often.on_within(&stretches(&rare.start, &rare.end, EVERY_YEAR, MOST)),
            false => often.on_within(&rare.of_a_year),
        }
    }

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

fn report(
    cluster: &Declaration<Cluster>,
    (one, other): Pair,
    (from, until): Stretch,
) -> Diagnostic {
    let schedules = &cluster.spec().workers.scaling.schedules;
    let (first, second) = (&schedules[one], &schedules[other]);
    let when = moment(from, &second.timezone);
    let pointer = format!("/spec/workers/scaling/schedules/{other}");
    let (first, second) = (&first.name, &second.name);
    if from == until {
        let message =
            format!("`{second}` and `{first}` change the minimum at the same moment, {when}");
        return cluster
            .error(&pointer, &RULE, message)
            .expected("a minute between one schedule's end and the next one's start")
            .hint("Auto Scaling refuses two scheduled actions at one time");
    }
    cluster
        .error(&pointer, &RULE, format!("`{second}` is on at the same time as `{first}`, {when}"))
        .expected("schedules one after the other")
}

/// Such as `Mon 08:00 America/Denver`, with its date where it is not of every year.
fn moment(instant: i64, zone: &str) -> String {
    let zoned = crate::schedule::zone(zone).zip(jiff::Timestamp::from_second(instant).ok());
    zoned.map_or_else(String::new, |(zone, moment)| {
        let local = zone.to_datetime(moment);
        format!(
            "{} {zone_name}",
            local.strftime(if YEAR.contains(&instant) {
                "%a %H:%M"
            } else {
                "%a, %-d %B %Y, %H:%M"
            }),
            zone_name = zone.iana_name().unwrap_or("UTC")
        )
    })
}
