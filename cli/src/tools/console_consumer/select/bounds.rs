//! Where reading begins and ends, as people write it. Pure: what time it is comes with the question.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::durations;
use crate::stop::{Failure, Stop};

/// From one place up to and without another; none where there is no end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tools::console_consumer) struct Bounds {
    pub(in crate::tools::console_consumer) from: Place,
    pub(in crate::tools::console_consumer) to: Option<Place>,
}

impl Bounds {
    /// Those that are named.
    pub(super) fn partitions(&self) -> impl Iterator<Item = i32> {
        let places = std::iter::once(&self.from).chain(&self.to);
        let named = places.filter_map(|place| match place {
            Place::Offsets(offsets) => Some(offsets),
            _ => None,
        });
        named.flatten().map(|(index, _)| *index)
    }
}

/// A place in each partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::tools::console_consumer) enum Place {
    Beginning,
    End,
    /// The first record at or after so many milliseconds since 1970.
    At(i64),
    Offset(i64),
    /// An offset for each of these partitions; others are not meant.
    Offsets(Vec<(i32, i64)>),
}

impl Place {
    pub(super) fn parse(option: &str, text: &str, now_ms: i64) -> Result<Self, Stop> {
        let found = match text {
            "beginning" | "earliest" | "start" => Some(Self::Beginning),
            "end" | "latest" | "now" => Some(Self::End),
            _ => match (text.strip_prefix('@'), text.strip_prefix('-')) {
                (Some(time), _) => time_ms(time).map(Self::At),
                (_, Some(ago)) => before(ago, now_ms).map(Self::At),
                _ if text.contains(':') => offsets(text).map(Self::Offsets),
                _ => offset(text).map(Self::Offset),
            },
        };
        found.ok_or_else(|| {
            let unknown = format!("Cannot parse argument '{text}' of option {option}");
            let hint = format!(
                "--{option} wants beginning, end, an offset, offsets such as 0:120,1:80, a time ago such as -1h or -30m, \
                 or a time such as @2026-11-01T00:00Z."
            );
            Failure::new(unknown).hint(hint).into()
        })
    }
}

/// With a unit: a bare number might be meant as a count.
fn before(ago: &str, now_ms: i64) -> Option<i64> {
    if ago.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ago = i64::try_from(durations::ms(durations::parse(ago)?)).ok()?;
    Some(now_ms.saturating_sub(ago).max(0))
}

/// A time with its zone, or in the machine's own, or milliseconds since 1970.
fn time_ms(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    if let Ok(time) = text.parse::<Timestamp>() {
        return Some(time.as_millisecond());
    }
    let local: DateTime = text.parse().ok()?;
    let local = local.to_zoned(TimeZone::system()).ok()?;
    Some(local.timestamp().as_millisecond())
}

fn offset(text: &str) -> Option<i64> {
    text.parse().ok().filter(|offset| *offset >= 0)
}

fn offsets(text: &str) -> Option<Vec<(i32, i64)>> {
    let pair = |pair: &str| {
        let (partition, at) = pair.split_once(':')?;
        let partition = partition.trim().parse().ok().filter(|index| *index >= 0)?;
        Some((partition, offset(at.trim())?))
    };
    text.split(',').map(pair).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_800_000_000_000;

    fn place(text: &str) -> Option<Place> {
        Place::parse("from", text, NOW).ok()
    }

    #[test]
    fn places_are_ends_times_and_offsets() {
        for (text, expected) in [
            ("beginning", Place::Beginning),
            ("now", Place::End),
            ("-1h", Place::At(NOW - 3_600_000)),
            ("-2m30s", Place::At(NOW - 150_000)),
            ("@0", Place::At(0)),
            ("@1700000000123", Place::At(1_700_000_000_123)),
            ("@2026-11-01T00:00Z", Place::At(1_793_491_200_000)),
            ("@2026-11-01T01:00:00+01:00", Place::At(1_793_491_200_000)),
            ("17", Place::Offset(17)),
            ("0:5,2:0", Place::Offsets(vec![(0, 5), (2, 0)])),
            ("3:9", Place::Offsets(vec![(3, 9)])),
        ] {
            assert_eq!(place(text), Some(expected), "{text}");
        }
        let local = DateTime::constant(2026, 11, 1, 0, 0, 0, 0);
        let local = local.to_zoned(TimeZone::system()).expect("a time");
        let expected = Some(Place::At(local.timestamp().as_millisecond()));
        assert_eq!(place("@2026-11-01"), expected);
    }

    #[test]
    fn what_is_no_place_is_refused() {
        for text in [
            "", "-20", "-", "-1x", "@", "@soon", "x", "1:", ":1", "0:1,", "-1:5", "0:-5", "1.5",
        ] {
            assert_eq!(place(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_place_or_is_none(text in r"[-@]?(\PC{0,12}|[0-9:,]{0,24}|[0-9]{1,20}[dhms]{1,2})") {
            let _ = place(&text);
        }
    }
}
