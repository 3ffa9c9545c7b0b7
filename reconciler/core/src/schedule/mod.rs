//! When a cluster's schedules begin and end.
//!
//! Owns: cron expressions in a time zone, and the stretches of time between a
//! start and the end after it. May not: know what time it is; `now` comes in.
//! Time zones come from the database in the binary, never from the machine.
//! Where clocks go forward, a time that is skipped happens an hour later; where
//! they go back, a time that comes twice counts the first time.

mod cron;

use std::sync::OnceLock;

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::{TimeZone, TimeZoneDatabase};

use crate::kind::Window;
use cron::Cron;
pub use cron::CronError;

/// Whether `now` is within a window: a start has come, and no end since. The
/// second of the start is inside, that of the end outside. A window that cannot
/// be read, which validation excludes, is never open.
pub fn window_open(window: &Window, now: i64) -> bool {
    let Some((start, end)) = edges(window) else {
        return false;
    };
    // `None` sorts below any time: without an end so far it is open.
    start.latest(now).is_some_and(|start| Some(start) >= end.latest(now))
}

/// Whether a start or an end of a window has come within the last `seconds`.
pub fn near_edge(window: &Window, now: i64, seconds: i64) -> bool {
    let Some((start, end)) = edges(window) else {
        return false;
    };
    [start, end].iter().filter_map(|edge| edge.latest(now)).any(|edge| now - edge <= seconds)
}

/// Why something does not recur.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotRecurring {
    /// The expression cannot be used.
    #[error("`{text}` is not a cron expression")]
    Cron {
        /// The expression.
        text: String,
        /// Why not.
        source: CronError,
    },
    /// The time zone does not exist.
    #[error("there is no time zone `{0}`")]
    Zone(String),
}

/// Moments that come again and again: a cron expression in a time zone.
#[derive(Clone, Debug)]
pub struct Recurrence {
    cron: Cron,
    zone: TimeZone,
}

impl Recurrence {
    /// From a five-field cron expression and the name of a time zone.
    pub fn new(cron: &str, zone: &str) -> Result<Self, NotRecurring> {
        let parsed =
            cron.parse().map_err(|source| NotRecurring::Cron { text: cron.into(), source })?;
        let zone = self::zone(zone).ok_or_else(|| NotRecurring::Zone(zone.into()))?;
        Ok(Self { cron: parsed, zone })
    }

    /// Whether it is for some days of a month alone.
    pub fn is_by_date(&self) -> bool {
        self.cron.by_date()
    }

    /// Whether it is for some days of a week alone.
    pub fn is_by_weekday(&self) -> bool {
        self.cron.by_weekday()
    }

    /// The latest one at or before `now`, in Unix seconds.
    pub fn latest(&self, now: i64) -> Option<i64> {
        let local = self.zone.to_datetime(Timestamp::from_second(now).ok()?);
        self.cron.backwards(local.date()).find_map(|day| {
            let today = day == local.date();
            let times = self.cron.times().rev().filter(|time| !today || *time <= local.time());
            times.filter_map(|time| self.instant(day, time)).find(|instant| *instant <= now)
        })
    }

    /// The first one after `now`, in Unix seconds.
    pub fn next(&self, now: i64) -> Option<i64> {
        let local = self.zone.to_datetime(Timestamp::from_second(now).ok()?);
        self.cron.forwards(local.date()).find_map(|day| {
            let mut times = self.cron.times().filter_map(|time| self.instant(day, time));
            times.find(|instant| *instant > now)
        })
    }

    fn instant(&self, day: Date, time: Time) -> Option<i64> {
        let local = day.to_datetime(time);
        self.zone.to_ambiguous_timestamp(local).compatible().ok().map(Timestamp::as_second)
    }
}

/// The stretches from a start to the end after it that begin within a time, in
/// order, at most `limit` of them.
pub fn stretches(
    start: &Recurrence,
    end: &Recurrence,
    within: std::ops::Range<i64>,
    limit: usize,
) -> Vec<(i64, i64)> {
    let stretch = |after: i64| {
        let start = start.next(after).filter(|start| *start < within.end)?;
        Some((start, end.next(start)?))
    };
    let first = stretch(within.start - 1);
    std::iter::successors(first, |(_, end)| stretch(*end - 1)).take(limit).collect()
}

/// A year in UTC, in Unix seconds.
pub fn year(of: i16) -> std::ops::Range<i64> {
    let begin = |year: i16| {
        let first =
            Date::new(year, 1, 1).ok().and_then(|day| TimeZone::UTC.to_timestamp(day.into()).ok());
        first.map_or(0, Timestamp::as_second)
    };
    begin(of)..begin(of + 1)
}

/// A time zone by its IANA name, spelled exactly so.
pub fn zone(name: &str) -> Option<TimeZone> {
    static DATABASE: OnceLock<TimeZoneDatabase> = OnceLock::new();
    let zone = DATABASE.get_or_init(TimeZoneDatabase::bundled).get(name).ok()?;
    (zone.iana_name() == Some(name)).then_some(zone)
}

/// The name somebody probably meant: the same letters in another case.
pub fn zone_like(name: &str) -> Option<String> {
    let zone = TimeZoneDatabase::bundled().get(name).ok()?;
    zone.iana_name().map(str::to_string)
}

fn edges(window: &Window) -> Option<(Recurrence, Recurrence)> {
    let edge = |cron: &str| Recurrence::new(cron, &window.timezone).ok();
    Some((edge(&window.start)?, edge(&window.end)?))
}

#[cfg(test)]
mod tests;
