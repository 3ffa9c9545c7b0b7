//! Times as people write them: `500ms`, `60s`, `5m`, `1h`.

use std::time::Duration;

/// The longest that makes sense anywhere: a day.
const LONGEST: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads a time.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let wrong = || format!("`{text}` is not a time; expected a number with ms, s, m or h");
    let number: u64 = number.parse().map_err(|_| wrong())?;
    let millis = match unit {
        "ms" => 1,
        "s" => 1000,
        "m" => 60 * 1000,
        "h" => 60 * 60 * 1000,
        _ => return Err(wrong()),
    };
    let time = Duration::from_millis(number.saturating_mul(millis));
    if time.is_zero() || time > LONGEST {
        return Err(format!("`{text}` is out of range; from 1ms to 24h"));
    }
    Ok(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_and_a_limit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "60", "s", "1d", "-1s", "0s", "25h", "99999999999999999999s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
