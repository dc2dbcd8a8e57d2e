//! Lengths of time as people write and read them: `250ms`, `45s`, `2m10s`, `3d4h`. Pure.

use std::time::Duration;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1000),
    ("ms", 1),
];

pub(crate) fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// The two largest units that say something; one word, so that columns stay columns.
pub(crate) fn shown(length: Duration) -> String {
    let length = ms(length);
    let mut left = length;
    let mut text = String::new();
    let units = UNITS.iter().skip_while(|(_, unit)| length < *unit);
    for (name, unit) in units.take(2) {
        let count = left / unit;
        left %= unit;
        // Milliseconds beside seconds tell nobody anything.
        if count > 0 && (*name != "ms" || text.is_empty()) {
            text.push_str(&format!("{count}{name}"));
        }
    }
    match text.is_empty() {
        true => "0s".to_owned(),
        false => text,
    }
}

/// The same with a fraction of short lengths, which `shown` would call nothing; for what a machine needed.
pub(crate) fn fine(length: Duration) -> String {
    let ms = length.as_secs_f64() * 1000.0;
    let with_unit = |number: f64, unit| {
        let text = if number < 10.0 {
            format!("{number:.1}")
        } else {
            format!("{number:.0}")
        };
        format!("{}{unit}", text.strip_suffix(".0").unwrap_or(&text))
    };
    match ms {
        _ if length.is_zero() => "0s".to_owned(),
        ..0.9995 => format!("{:.0}us", (ms * 1000.0).max(1.0)),
        ..999.5 => with_unit(ms, "ms"),
        ..9950.0 => with_unit(ms / 1000.0, "s"),
        _ => shown(length),
    }
}

/// A number with a unit, several of them in a row, or a plain number of milliseconds.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if let Ok(ms) = text.parse() {
        return Some(Duration::from_millis(ms));
    }
    let mut rest = text;
    let mut total_ms: u64 = 0;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let (number, behind) = rest.split_at(digits);
        let letters = behind.len()
            - behind
                .trim_start_matches(|c: char| c.is_ascii_alphabetic())
                .len();
        let (unit, behind) = behind.split_at(letters);
        let (_, ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
        let part = number.parse::<u64>().ok()?.checked_mul(*ms)?;
        total_ms = total_ms.checked_add(part)?;
        rest = behind;
    }
    (!text.is_empty()).then(|| Duration::from_millis(total_ms))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_is_shown_in_its_two_largest_units() {
        for (ms, text) in [
            (0, "0s"),
            (7, "7ms"),
            (1000, "1s"),
            (1999, "1s"),
            (130_000, "2m10s"),
            (3_600_000, "1h"),
            (3_601_000, "1h"),
            (273_600_000, "3d4h"),
        ] {
            assert_eq!(shown(Duration::from_millis(ms)), text, "{ms}");
        }
    }

    #[test]
    fn what_a_machine_needed_is_never_nothing() {
        for (ns, text) in [
            (0, "0s"),
            (7, "1us"),
            (310_400, "310us"),
            (3_000_000, "3ms"),
            (3_440_000, "3.4ms"),
            (59_808_763, "60ms"),
            (999_700_000, "1s"),
            (1_500_000_000, "1.5s"),
            (10_000_000_000, "10s"),
            (130_000_000_000, "2m10s"),
        ] {
            assert_eq!(fine(Duration::from_nanos(ns)), text, "{ns}");
        }
    }

    #[test]
    fn a_length_may_have_units_and_has_milliseconds_without() {
        for (text, ms) in [
            ("60s", Some(60_000)),
            ("1500", Some(1500)),
            ("2m10s", Some(130_000)),
            ("250ms", Some(250)),
            ("0", Some(0)),
            ("", None),
            ("s", None),
            ("5x", None),
            ("-5s", None),
            ("1.5s", None),
            ("5s3", None),
            ("99999999999999999999s", None),
            ("9999999999999999d", None),
        ] {
            assert_eq!(parse(text), ms.map(Duration::from_millis), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_length_or_is_none(text in r"([0-9]{0,20}(d|h|m|s|ms|\PC)?){0,4}", ms: u64) {
            let _ = parse(&text);
            // What is shown can be written again.
            proptest::prop_assert!(parse(&shown(Duration::from_millis(ms))).is_some());
        }
    }
}
