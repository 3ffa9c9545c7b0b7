//! Five-field cron as Amazon EC2 Auto Scaling takes it: minute, hour, day of
//! month, month, day of week; `*`, lists, ranges, steps and English names.
//!
//! Where both days are restricted, either is enough, as in every Unix cron.

use std::str::FromStr;

use jiff::civil::{Date, Time};

/// Days after which an expression that can fire at all has fired: 29 February
/// is missing eight years long around a century that is no leap year.
const FARTHEST_DAYS: usize = 8 * 366;

/// When something recurs, without a time zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Neither, one or both of the day fields say `*`.
    any_day: bool,
    any_weekday: bool,
}

/// Why a text is not a cron expression that fires.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// Not five fields.
    #[error("it has {0} fields instead of five")]
    Fields(usize),
    /// A field that cannot be read.
    #[error("the {field} `{text}` is not one of {low}-{high}, a list, a range or a step")]
    Field {
        /// Which one.
        field: &'static str,
        /// What it says.
        text: String,
        /// Lowest value.
        low: u32,
        /// Highest value.
        high: u32,
    },
    /// No such day exists, such as 30 February.
    #[error("it never fires")]
    Never,
}

impl Cron {
    /// Whether it fires on some days of a month alone.
    pub(super) fn by_date(&self) -> bool {
        (1..=31).any(|day| !has(self.days, day))
    }

    /// Whether it fires on some days of a week alone.
    pub(super) fn by_weekday(&self) -> bool {
        (0..7).any(|day| !has(self.weekdays, day))
    }

    /// The days it fires on, from a day backwards.
    pub(super) fn backwards(&self, from: Date) -> impl Iterator<Item = Date> {
        let days = std::iter::successors(Some(from), |day| day.yesterday().ok());
        days.take(FARTHEST_DAYS).filter(|day| self.fires_on(*day))
    }

    /// The days it fires on, from a day on.
    pub(super) fn forwards(&self, from: Date) -> impl Iterator<Item = Date> {
        let days = std::iter::successors(Some(from), |day| day.tomorrow().ok());
        days.take(FARTHEST_DAYS).filter(|day| self.fires_on(*day))
    }

    /// The times of each day it fires on, early to late.
    pub(super) fn times(&self) -> impl DoubleEndedIterator<Item = Time> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        hours.flat_map(|hour| {
            let minutes = (0..60).filter(|minute| has(self.minutes, *minute));
            minutes.map(move |minute| Time::constant(hour, minute, 0, 0))
        })
    }

    fn fires_on(&self, day: Date) -> bool {
        let by_day = has(self.days, day.day());
        let by_weekday = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        let fits = match (self.any_day, self.any_weekday) {
            (false, false) => by_day || by_weekday,
            _ => by_day && by_weekday,
        };
        fits && has(self.months, day.month())
    }
}

impl FromStr for Cron {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        let fields: Vec<&str> = text.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else {
            return Err(CronError::Fields(fields.len()));
        };
        let weekday_set = WEEKDAY.read(weekdays)?;
        let cron = Self {
            minutes: MINUTE.read(minutes)?,
            hours: HOUR.read(hours)?,
            days: DAY.read(days)?,
            months: MONTH.read(months)?,
            // Sunday is 0 and 7.
            weekdays: (weekday_set | weekday_set >> 7) & 0x7f,
            any_day: days.starts_with('*'),
            any_weekday: weekdays.starts_with('*'),
        };
        let somewhere = Date::constant(2024, 1, 1);
        let fires = cron.forwards(somewhere).next().is_some();
        if fires { Ok(cron) } else { Err(CronError::Never) }
    }
}

/// What a field may hold.
struct Field {
    name: &'static str,
    low: u32,
    high: u32,
    names: &'static [&'static str],
}

const MINUTE: Field = Field { name: "minute", low: 0, high: 59, names: &[] };
const HOUR: Field = Field { name: "hour", low: 0, high: 23, names: &[] };
const DAY: Field = Field { name: "day of the month", low: 1, high: 31, names: &[] };
const MONTH: Field = Field {
    name: "month",
    low: 1,
    high: 12,
    names: &["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"],
};
const WEEKDAY: Field = Field {
    name: "day of the week",
    low: 0,
    high: 7,
    names: &["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"],
};

impl Field {
    /// A bit per value.
    fn read(&self, text: &str) -> Result<u64, CronError> {
        let wrong = || CronError::Field {
            field: self.name,
            text: text.into(),
            low: self.low,
            high: self.high,
        };
        text.split(',').try_fold(0, |set, part| Some(set | self.part(part)?)).ok_or_else(wrong)
    }

    fn part(&self, text: &str) -> Option<u64> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(number(step)?)),
            None => (text, None),
        };
        let (first, last) = match range.split_once('-') {
            Some((first, last)) => (self.value(first)?, self.value(last)?),
            None if range == "*" => (self.low, self.high.min(self.low + self.span() - 1)),
            // A step needs something to step through.
            None if step.is_some() => return None,
            None => (self.value(range)?, self.value(range)?),
        };
        let step = step.unwrap_or(1);
        (first <= last && step > 0)
            .then(|| (first..=last).step_by(step as usize).fold(0, |set, value| set | 1 << value))
    }

    fn value(&self, text: &str) -> Option<u32> {
        let named = self.names.iter().position(|name| name.eq_ignore_ascii_case(text));
        let value = match named {
            Some(index) => self.low + u32::try_from(index).ok()?,
            None => number(text)?,
        };
        (self.low..=self.high).contains(&value).then_some(value)
    }

    /// How many different values there are; 7 is Sunday a second time.
    fn span(&self) -> u32 {
        if self.names.is_empty() { self.high - self.low + 1 } else { self.names.len() as u32 }
    }
}

/// Digits only: neither sign nor blank.
fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn has(set: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| set >> value & 1 == 1)
}
