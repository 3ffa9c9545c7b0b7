//! Schedules against a calendar, and against a plain search minute by minute.

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> i64 {
    text.parse::<Timestamp>().unwrap().as_second()
}

fn window(start: &str, end: &str, timezone: &str) -> Window {
    Window { start: start.into(), end: end.into(), timezone: timezone.into(), min: 1 }
}

#[test]
fn a_weekly_lab_is_open_from_its_start_to_its_end_in_its_zone() {
    let lab = window("0 8 * * MON", "0 12 * * MON", "America/Denver");
    // Monday 2026-10-05 in Denver, six hours behind UTC.
    assert!(!window_open(&lab, at("2026-10-05T13:59:59Z")));
    assert!(window_open(&lab, at("2026-10-05T14:00:00Z")));
    assert!(window_open(&lab, at("2026-10-05T17:59:59Z")));
    assert!(!window_open(&lab, at("2026-10-05T18:00:00Z")));
    assert!(!window_open(&lab, at("2026-10-06T15:00:00Z")));
    // In winter it is seven hours.
    assert!(!window_open(&lab, at("2026-12-07T14:30:00Z")));
    assert!(window_open(&lab, at("2026-12-07T15:30:00Z")));
}

#[test]
fn a_window_may_reach_over_midnight_and_back_to_back() {
    let night = window("0 22 * * *", "0 2 * * *", "UTC");
    assert!(window_open(&night, at("2026-01-01T01:00:00Z")));
    assert!(!window_open(&night, at("2026-01-01T02:00:00Z")));
    let always = window("0 8 * * *", "0 8 * * *", "UTC");
    assert!(window_open(&always, at("2026-01-01T08:00:00Z")));
    assert!(window_open(&always, at("2026-01-01T07:59:00Z")));
}

#[test]
fn edges_are_near_for_as_long_as_asked() {
    let lab = window("0 8 * * MON", "0 12 * * MON", "UTC");
    let monday = at("2026-10-05T08:00:00Z");
    assert!(!near_edge(&lab, monday - 1, 300));
    assert!(near_edge(&lab, monday, 300));
    assert!(near_edge(&lab, monday + 300, 300));
    assert!(!near_edge(&lab, monday + 301, 300));
    assert!(near_edge(&lab, at("2026-10-05T12:04:00Z"), 300));
}

#[test]
fn clocks_that_change_neither_lose_nor_double_an_event() {
    let zone = "America/New_York";
    let skipped = Recurrence::new("30 2 * * *", zone).unwrap();
    // 2026-03-08 has no half past two; it happens at half past three.
    assert_eq!(skipped.next(at("2026-03-08T05:00:00Z")), Some(at("2026-03-08T07:30:00Z")));
    let doubled = Recurrence::new("30 1 * * *", zone).unwrap();
    let first = at("2026-11-01T05:30:00Z");
    assert_eq!(doubled.next(first - 1), Some(first));
    assert_eq!(doubled.next(first), Some(at("2026-11-02T06:30:00Z")));
    assert_eq!(doubled.latest(first + 5400), Some(first));
}

#[test]
fn day_and_weekday_are_either_or_unless_one_is_a_star() {
    let either = Recurrence::new("0 0 13 * FRI", "UTC").unwrap();
    assert_eq!(either.next(at("2026-01-01T00:00:00Z")), Some(at("2026-01-02T00:00:00Z")));
    assert_eq!(either.next(at("2026-01-10T00:00:00Z")), Some(at("2026-01-13T00:00:00Z")));
    let leap = Recurrence::new("0 0 29 FEB *", "UTC").unwrap();
    assert_eq!(leap.next(at("2026-01-01T00:00:00Z")), Some(at("2028-02-29T00:00:00Z")));
}

#[test]
fn what_auto_scaling_does_not_take_is_refused() {
    for text in ["", "* * * *", "* * * * * *", "60 * * * *", "* 24 * * *", "* * 0 * *"] {
        assert!(text.parse::<Cron>().is_err(), "{text}");
    }
    for text in ["* * * * MON#1", "* * L * *", "5/10 * * * *", "*/0 * * * *", "5-1 * * * *"] {
        assert!(text.parse::<Cron>().is_err(), "{text}");
    }
    assert_eq!("0 0 30 2 *".parse::<Cron>(), Err(CronError::Never));
    assert_eq!("0 0 * * SUN".parse::<Cron>(), "0 0 * * 7".parse());
    assert_eq!("0 0 * * 1-5".parse::<Cron>(), "0 0 * * mon-fri".parse());
    assert_eq!("0,30 * * * *".parse::<Cron>(), "*/30 * * * *".parse());
}

#[test]
fn zones_are_known_by_their_exact_name() {
    assert!(zone("America/Denver").is_some());
    assert!(zone("america/denver").is_none());
    assert_eq!(zone_like("america/denver").as_deref(), Some("America/Denver"));
    assert!(zone("Mars/Olympus").is_none());
}

#[test]
fn stretches_come_in_order_within_their_limits() {
    let start = Recurrence::new("0 8 * * *", "UTC").unwrap();
    let end = Recurrence::new("0 9 * * *", "UTC").unwrap();
    let day = at("2026-01-01T00:00:00Z");
    let found = stretches(&start, &end, day..day + 3 * 86_400, 10);
    let hour = |day_index: i64, hour: i64| day + day_index * 86_400 + hour * 3_600;
    assert_eq!(found, [0, 1, 2].map(|index| (hour(index, 8), hour(index, 9))));
    assert_eq!(stretches(&start, &end, day..day + 3 * 86_400, 2).len(), 2);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]
    #[test]
    fn latest_and_next_agree_with_a_search_minute_by_minute(
        minute in 0..60u32, hour in 0..24u32, weekday in 0..7u32, start in 1_700_000_000i64..1_800_000_000
    ) {
        let recurrence =
            Recurrence::new(&format!("{minute} {hour} * * {weekday}"), "Europe/Berlin").unwrap();
        let fires = |instant: i64| {
            let local = recurrence.zone.to_datetime(Timestamp::from_second(instant).unwrap());
            local.minute() as u32 == minute && local.hour() as u32 == hour
                && local.weekday().to_sunday_zero_offset() as u32 == weekday
        };
        let start = start - start % 60;
        let next = (1..=8 * 1440).map(|step| start + step * 60).find(|it| fires(*it));
        // Where clocks change the plain search knows only the times that exist.
        prop_assume!(hour != 2 && hour != 3);
        prop_assert_eq!(recurrence.next(start), next);
        prop_assert_eq!(recurrence.latest(next.unwrap()), next);
    }
}
