//! Times and durations as the reference takes them. Pure.

use std::sync::LazyLock;

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use regex::{Captures, Regex};

/// A text that is no time, or no duration.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct NoTime {
    /// The reference's words.
    pub(super) sentence: String,
    /// Ours.
    pub(super) plainly: String,
    pub(super) hint: &'static str,
}

static DATETIME: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"^(\d{1,6})-(\d{1,2})-(\d{1,2})T(\d{1,2}):(\d{1,2}):(\d{1,2})\.(\d{1,3})(?:Z|([+-])(\d{2})(?::?(\d{2}))?)$",
    )
});

static DURATION: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r"(?i)^([-+]?)P(?:([-+]?\d+)D)?(T(?:([-+]?\d+)H)?(?:([-+]?\d+)M)?(?:([-+]?)(\d+)(?:[.,](\d{0,9}))?S)?)?$",
    )
});

fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a pattern that stands above")
}

/// `2030-12-31T23:59:59.999`, and a zone behind it where it is not UTC, as milliseconds since 1970.
pub(super) fn datetime_ms(text: &str) -> Result<i64, NoTime> {
    let hint = "Write 2030-12-31T23:59:59.999, with Z or +01:00 behind it where the zone matters.";
    let Some((_, time)) = text.split_once('T').filter(|(_, time)| !time.is_empty()) else {
        return Err(NoTime {
            sentence: "java.text.ParseException: Error parsing timestamp. It does not contain a 'T' according to \
                       ISO8601 format"
                .to_owned(),
            plainly: format!("'{text}' is no time"),
            hint,
        });
    };
    let zoned = match time.contains(['+', '-', 'Z']) {
        true => text.to_owned(),
        false => format!("{text}Z"),
    };
    let parsed = DATETIME.captures(&zoned).and_then(|found| instant(&found));
    parsed.ok_or_else(|| NoTime {
        sentence: format!("java.text.ParseException: Unparseable date: \"{zoned}\""),
        plainly: format!("'{text}' is no time"),
        hint,
    })
}

fn instant(found: &Captures<'_>) -> Option<i64> {
    let number = |index| found.get(index)?.as_str().parse::<i32>().ok();
    let small = |index| i8::try_from(number(index)?).ok();
    // The calendar repeats every 400 years, and may go further than a `DateTime` does.
    let year = number(1)?;
    let cycles = i64::from((year - 2000).div_euclid(400));
    let civil = DateTime::new(
        i16::try_from(2000 + (year - 2000).rem_euclid(400)).ok()?,
        small(2)?,
        small(3)?,
        small(4)?,
        small(5)?,
        small(6)?,
        number(7)? * 1_000_000,
    );
    let (hours, minutes) = (number(9).unwrap_or(0), number(10).unwrap_or(0));
    if hours > 23 || minutes > 59 {
        return None;
    }
    let ahead = hours * 3600 + minutes * 60;
    let sign = match found.get(8).map(|sign| sign.as_str()) {
        Some("-") => -1,
        _ => 1,
    };
    let zone = TimeZone::fixed(Offset::from_seconds(sign * ahead).ok()?);
    let zoned = civil.ok()?.to_zoned(zone).ok()?;
    Some(zoned.timestamp().as_millisecond() + cycles * 146_097 * 86_400_000)
}

/// `P1DT2H3M4.5S` in milliseconds; a day has 24 hours, and every number may have a sign.
pub(super) fn duration_ms(text: &str) -> Result<i64, NoTime> {
    let parsed = DURATION.captures(text).and_then(|found| length(&found));
    parsed.ok_or_else(|| NoTime {
        sentence: "Text cannot be parsed to a Duration".to_owned(),
        plainly: format!("'{text}' is no duration"),
        hint: "Write P7D for seven days, PT1H30M for one hour and a half, P1DT12H for both kinds.",
    })
}

fn length(found: &Captures<'_>) -> Option<i64> {
    let text = |index| found.get(index).map_or("", |part| part.as_str());
    // A P or a T with nothing behind it is no duration.
    let parts = [2, 4, 5, 7].map(|index| found.get(index).is_some());
    let after_t = parts.iter().skip(1).any(|present| *present);
    if !parts.contains(&true) || (found.get(3).is_some() && !after_t) {
        return None;
    }
    let whole = |index, unit_ms: i64| match text(index) {
        "" => Some(0),
        number => number.parse::<i64>().ok()?.checked_mul(unit_ms),
    };
    let fraction: String = text(8).chars().chain("000".chars()).take(3).collect();
    let seconds = whole(7, 1000)?.checked_add(fraction.parse::<i64>().ok()?)?;
    let seconds = if text(6) == "-" { -seconds } else { seconds };
    let total = whole(2, 24 * 3_600_000)?
        .checked_add(whole(4, 3_600_000)?)?
        .checked_add(whole(5, 60_000)?)?
        .checked_add(seconds)?;
    if text(1) == "-" {
        total.checked_neg()
    } else {
        Some(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_milliseconds_and_may_have_a_zone() {
        for (text, expected) in [
            ("1970-01-01T00:00:00.001", 1),
            ("1970-01-01T00:00:01.000Z", 1000),
            ("1970-01-01T02:00:00.000+02:00", 0),
            ("1970-01-01T00:00:00.000-0130", 5_400_000),
            ("2024-02-29T12:00:00.5", 1_709_208_000_005),
            ("1970-01-01T00:00:00.000+00", 0),
        ] {
            assert_eq!(datetime_ms(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn what_is_no_time_is_refused_in_the_reference_s_words() {
        let said = |text| datetime_ms(text).expect_err(text).sentence;
        assert_eq!(
            said("2020-01-01T00:00:00"),
            "java.text.ParseException: Unparseable date: \"2020-01-01T00:00:00Z\""
        );
        for text in ["yesterday", "2020-01-01", "2020-01-01T"] {
            assert!(said(text).contains("does not contain a 'T'"), "{text}");
        }
        for text in [
            "2023-02-29T00:00:00.000",
            "2020-13-01T00:00:00.000",
            "2020-01-01T24:00:00.000",
            "2020-01-01T00:00:00.000+24:00",
            "2020-01-01T00:00:00.000+01:60",
            "2020-01-01T00:00:00.000 today",
        ] {
            assert!(said(text).contains("Unparseable date"), "{text}");
        }
    }

    #[test]
    fn a_duration_is_read_as_the_reference_reads_it() {
        for (text, expected) in [
            ("PT1H", 3_600_000),
            ("P1D", 86_400_000),
            ("p1dt2h3m4.5s", 93_784_500),
            ("PT0S", 0),
            ("-PT1M", -60_000),
            ("PT-1M", -60_000),
            ("-PT-1M", 60_000),
            ("PT-0.5S", -500),
            ("PT1,25S", 1250),
        ] {
            assert_eq!(duration_ms(text), Ok(expected), "{text}");
        }
        for text in [
            "P1X",
            "P",
            "PT",
            "P1DT",
            "1h",
            "P1W",
            "P1M",
            "PT1.5H",
            "PT99999999999999999H",
        ] {
            assert!(duration_ms(text).is_err(), "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_time_or_is_none(
            text in r"(-?[0-9]{1,21}|[-+PTDHMSZ:.,]|\PC){0,16}", year in 0..20_000, number in i64::MIN..i64::MAX
        ) {
            let _ = (datetime_ms(&text), duration_ms(&text));
            let _ = datetime_ms(&format!("{year}-12-31T23:59:59.999-18:00"));
            let _ = duration_ms(&format!("-P{number}DT{number}H{number}M{number}.9S"));
        }
    }
}
