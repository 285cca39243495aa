//! Owns times as people write and read them: UTC, by RFC 3339.
//! Promises that what it writes it reads; refuses time zones other than UTC.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

const DAY: i64 = 86_400;

/// `2026-11-21T06:00:00.123Z`.
pub fn format(seconds: i64, nanos: i32) -> String {
    let (days, second) = (seconds.div_euclid(DAY), seconds.rem_euclid(DAY));
    let (year, month, day) = civil(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        nanos / 1_000_000
    )
}

/// A time: `2026-11-21`, `2026-11-21T06:00[:00[.5]][Z]`, unix seconds as `@1700000000`, or how long ago as `90s`, `10m`,
/// `2h`, `1d`.
///
/// # Errors
///
/// A sentence on what may be written.
pub fn parse(text: &str, now: SystemTime) -> Result<SystemTime, String> {
    let time = if let Some(seconds) = text.strip_prefix('@') {
        seconds.parse().ok().and_then(after_epoch)
    } else if let Some(ago) = ago(text) {
        now.checked_sub(ago)
    } else {
        date(text).and_then(after_epoch)
    };
    time.ok_or_else(|| {
        format!(
            "`{text}` is no time; write 2026-11-21, 2026-11-21T06:00:00Z, @1700000000 (unix seconds), or 10m, 2h, 1d ago"
        )
    })
}

fn after_epoch(seconds: u64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_secs(seconds))
}

fn ago(text: &str) -> Option<Duration> {
    let unit = text.chars().last()?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => DAY as u64,
        _ => return None,
    };
    let number: u64 = text.strip_suffix(unit)?.parse().ok()?;
    Some(Duration::from_secs(number.checked_mul(seconds)?))
}

/// Unix seconds of a date, with a time or without.
fn date(text: &str) -> Option<u64> {
    let text = text.strip_suffix('Z').unwrap_or(text);
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, Some(time)),
        None => (text, None),
    };
    let mut parts = date.splitn(3, '-');
    let mut number = || parts.next()?.parse::<u32>().ok();
    let (year, month, day) = (number()?, number()?, number()?);
    if !(1..=12).contains(&month) || !(1..=31).contains(&day) || year > 9999 {
        return None;
    }
    let days = days_of(i64::from(year), month, day);
    // A 31st of a shorter month would be another day.
    if civil(days) != (i64::from(year), month, day) {
        return None;
    }
    let mut seconds = days.checked_mul(DAY)?;
    if let Some(time) = time {
        let whole = time.split('.').next()?;
        let mut parts = whole.split(':');
        let hour: i64 = parts.next()?.parse().ok()?;
        let minute: i64 = parts.next()?.parse().ok()?;
        let second: i64 = parts.next().unwrap_or("0").parse().ok()?;
        let in_range = |value: i64, end: i64| (0..end).contains(&value);
        if parts.next().is_some()
            || !in_range(hour, 24)
            || !in_range(minute, 60)
            || !in_range(second, 61)
        {
            return None;
        }
        seconds += hour * 3600 + minute * 60 + second;
    }
    u64::try_from(seconds).ok()
}

/// Year, month and day of a number of days since 1970-01-01, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, u32, u32) {
    // Years that begin in March have their leap day at the end.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    (year, month as u32, day as u32)
}

/// The inverse.
fn days_of(year: i64, month: u32, day: u32) -> i64 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let month = i64::from(month);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5 + i64::from(day) - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(text: &str) -> u64 {
        let now = after_epoch(1_700_000_000).unwrap();
        let time = parse(text, now).unwrap();
        time.duration_since(UNIX_EPOCH).unwrap().as_secs()
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        assert_eq!(format(0, 0), "1970-01-01T00:00:00.000Z");
        assert_eq!(
            format(1_700_000_000, 123_456_789),
            "2023-11-14T22:13:20.123Z"
        );
        assert_eq!(format(951_782_400, 0), "2000-02-29T00:00:00.000Z");
        for day in 0..40_000 {
            let text = format(day * DAY + 3_661, 0);
            assert_eq!(seconds(&text), (day * DAY + 3_661) as u64, "{text}");
        }
    }

    #[test]
    fn a_time_may_be_a_date_a_number_or_a_while_ago() {
        assert_eq!(seconds("2023-11-14"), 1_699_920_000);
        assert_eq!(seconds("2023-11-14T22:13"), 1_699_999_980);
        assert_eq!(seconds("2023-11-14 22:13:20.5"), 1_700_000_000);
        assert_eq!(seconds("@7"), 7);
        assert_eq!(seconds("10m"), 1_699_999_400);
        assert_eq!(seconds("1d"), 1_699_913_600);
        let now = after_epoch(0).unwrap();
        for wrong in [
            "",
            "soon",
            "2023-02-30",
            "2023-13-01",
            "2023-01-01T25:00",
            "10",
            "-5m",
            "2023-01-01T00:00:00+02:00",
        ] {
            assert!(parse(wrong, now).is_err(), "{wrong}");
        }
    }
}
