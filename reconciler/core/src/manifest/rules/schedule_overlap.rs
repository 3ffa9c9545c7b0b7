//! At any moment at most one schedule says how many workers there are.
//!
//! Two at once contradict each other even with the same minimum: the first to
//! end takes the minimum away from the other. Auto Scaling also refuses two
//! scheduled actions at one moment, so one may not end when the other begins.

use std::collections::BTreeSet;

use crate::schedule::{Recurrence, stretches};

use super::super::cluster::Cluster;
use super::{Declaration, Diagnostic, Model, Rule};

pub(super) const RULE: Rule = Rule {
    id: "schedule-overlap",
    summary: "Schedules of a cluster are never on at the same time, and none begins when another ends.",
    check,
};

/// 2024, a leap year: the rule may not depend on when it is applied.
const YEAR: std::ops::Range<i64> = 1_704_067_200..1_735_689_600;
/// Enough for every day of the year; what recurs more often collides sooner.
const MOST: usize = 400;

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
    let mut all: Vec<(Stretch, usize)> = vec![];
    let schedules = cluster.spec().workers.scaling.schedules.iter().enumerate();
    for (index, schedule) in schedules.filter(|(index, _)| !is_doubtful(cluster, *index)) {
        let edge = |cron: &str| Recurrence::new(cron, &schedule.timezone).ok();
        if let (Some(start), Some(end)) = (edge(&schedule.start), edge(&schedule.end)) {
            all.extend(stretches_of(&start, &end).into_iter().map(|stretch| (stretch, index)));
        }
    }
    all.sort_unstable();
    let (mut seen, mut found) = (BTreeSet::new(), vec![]);
    let mut longest: Option<(Stretch, usize)> = None;
    for (stretch, index) in all {
        if let Some((other, holder)) = longest
            && holder != index
            && stretch.0 <= other.1
            && seen.insert((holder.min(index), holder.max(index)))
        {
            found.push((
                (holder.min(index), holder.max(index)),
                (stretch.0, stretch.1.min(other.1)),
            ));
        }
        if longest.is_none_or(|(other, _)| stretch.1 > other.1) {
            longest = Some((stretch, index));
        }
    }
    found
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

/// Such as `Mon 08:00 America/Denver`.
fn moment(instant: i64, zone: &str) -> String {
    let zoned = crate::schedule::zone(zone).zip(jiff::Timestamp::from_second(instant).ok());
    zoned.map_or_else(String::new, |(zone, instant)| {
        let local = zone.to_datetime(instant);
        format!(
            "{} {zone_name}",
            local.strftime("%a %H:%M"),
            zone_name = zone.iana_name().unwrap_or("UTC")
        )
    })
}
