//! Numbers and times as Java's formatters write them, in English. Pure.

use jiff::Zoned;
use jiff::civil::Weekday;

/// `%.Nf`.
pub(crate) fn decimal(number: f64, digits: usize) -> String {
    match number.is_infinite() {
        true if number < 0.0 => "-Infinity".to_owned(),
        true => "Infinity".to_owned(),
        false => format!("{number:.digits$}"),
    }
}

/// `Float.toString`.
pub(crate) fn float(number: f32) -> String {
    let is_plain = number == 0.0 || (1e-3..1e7).contains(&number.abs());
    shortest(is_plain, format!("{number:?}"), format!("{number:E}"))
}

/// `Double.toString`.
pub(crate) fn double(number: f64) -> String {
    let is_plain = number == 0.0 || (1e-3..1e7).contains(&number.abs());
    shortest(is_plain, format!("{number:?}"), format!("{number:E}"))
}

/// The shortest digits that tell the number from its neighbours, with a point between 0.001 and ten million and in
/// computerized scientific notation beyond, always with a digit behind the point.
fn shortest(is_plain: bool, plain: String, scientific: String) -> String {
    match scientific.split_once('E') {
        _ if is_plain => plain,
        Some((mantissa, _)) if mantissa.contains('.') => scientific,
        Some((mantissa, exponent)) => format!("{mantissa}.0E{exponent}"),
        None => scientific.replace("inf", "Infinity"),
    }
}

/// `Double.parseDouble`, without its hexadecimal form.
pub(crate) fn parse_double(text: &str) -> Option<f64> {
    let text = text.trim();
    let digits = text.trim_start_matches(['+', '-']);
    if digits == "Infinity" || digits == "NaN" {
        return text.parse().ok();
    }
    let is_number = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let text = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    text.parse().ok().filter(|_| text.chars().all(is_number))
}

#[test]
fn numbers_are_read_as_java_reads_them() {
    for (text, number) in [("10", 10.0), ("1e3", 1000.0), (" 2.5 ", 2.5), ("7d", 7.0)] {
        assert_eq!(parse_double(text), Some(number), "{text}");
    }
    for text in ["", "abc", "inf", "infinity", "nan", "1,5", "0x10", "1dd"] {
        assert_eq!(parse_double(text), None, "{text}");
    }
}

/// Metrics as the tools of the reference print them, each with its name and value.
pub(crate) fn metrics(group: &str, client_id: &str, rows: &[(&str, f64)]) -> String {
    let rows = rows.iter().map(|(name, value)| {
        let name = format!("{group}:{name}:{{client-id={client_id}}}");
        (name, decimal(*value, 3))
    });
    let rows: Vec<(String, String)> = rows.collect();
    let width = rows.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    let lines = rows
        .iter()
        .map(|(name, value)| format!("{name:width$} : {value}\n"));
    let head = format!("\n{:width$}   Value\n", "Metric Name");
    [head].into_iter().chain(lines).collect()
}

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// A pattern of `java.text.SimpleDateFormat`, without its letters for weeks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DateFormat(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// A letter, and how often it stands there.
    Field(char, usize),
}

impl DateFormat {
    /// The error is the reference's.
    pub(crate) fn of_pattern(pattern: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '\'' => quoted(&mut chars, &mut text)?,
                _ if c.is_ascii_alphabetic() => {
                    if !"GyMLdDEuaHkKhmsSzZX".contains(c) {
                        return Err(format!("Illegal pattern character '{c}'"));
                    }
                    let mut count = 1;
                    while chars.next_if_eq(&c).is_some() {
                        count += 1;
                    }
                    parts.push(Part::Text(std::mem::take(&mut text)));
                    parts.push(Part::Field(c, count));
                }
                _ => text.push(c),
            }
        }
        parts.push(Part::Text(text));
        Ok(Self(parts))
    }

    pub(crate) fn format(&self, at: &Zoned) -> String {
        let shown = self.0.iter().map(|part| match part {
            Part::Text(text) => text.clone(),
            Part::Field(letter, count) => field(*letter, *count, at),
        });
        shown.collect()
    }
}

/// What stands between two quotes; two of them in a row are one that is meant.
fn quoted(
    chars: &mut std::iter::Peekable<std::str::Chars<'_>>,
    text: &mut String,
) -> Result<(), String> {
    if chars.next_if_eq(&'\'').is_some() {
        text.push('\'');
        return Ok(());
    }
    while let Some(c) = chars.next() {
        match c {
            '\'' if chars.next_if_eq(&'\'').is_none() => return Ok(()),
            _ => text.push(c),
        }
    }
    Err("Unterminated quote".to_owned())
}

fn field(letter: char, count: usize, at: &Zoned) -> String {
    let number = |value: i64| format!("{value:0count$}");
    let hour = i64::from(at.hour());
    match letter {
        'G' => "AD".to_owned(),
        'y' if count == 2 => format!("{:02}", at.year().rem_euclid(100)),
        'y' => number(i64::from(at.year())),
        'M' | 'L' if count >= 3 => name(&MONTHS, at.month() - 1, count),
        'M' | 'L' => number(i64::from(at.month())),
        'd' => number(i64::from(at.day())),
        'D' => number(i64::from(at.day_of_year())),
        'E' => weekday(at.weekday(), count).to_owned(),
        'u' => number(i64::from(at.weekday().to_monday_one_offset())),
        'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        'H' => number(hour),
        'k' => number(if hour == 0 { 24 } else { hour }),
        'K' => number(hour % 12),
        'h' => number(if hour % 12 == 0 { 12 } else { hour % 12 }),
        'm' => number(i64::from(at.minute())),
        's' => number(i64::from(at.second())),
        'S' => number(i64::from(at.millisecond())),
        'z' => at.strftime("%Z").to_string(),
        'Z' => at.strftime("%z").to_string(),
        'X' => offset(count, at),
        _ => String::new(),
    }
}

fn name(names: &[&str], index: i8, count: usize) -> String {
    let index = usize::try_from(index).unwrap_or(0);
    let name = names.get(index).copied().unwrap_or_default();
    shortened(name, count).to_owned()
}

fn weekday(day: Weekday, count: usize) -> &'static str {
    let name = match day {
        Weekday::Monday => "Monday",
        Weekday::Tuesday => "Tuesday",
        Weekday::Wednesday => "Wednesday",
        Weekday::Thursday => "Thursday",
        Weekday::Friday => "Friday",
        Weekday::Saturday => "Saturday",
        Weekday::Sunday => "Sunday",
    };
    shortened(name, count)
}

fn shortened(name: &str, count: usize) -> &str {
    match count >= 4 {
        true => name,
        false => name.get(..3).unwrap_or(name),
    }
}

/// ISO 8601: hours, with minutes, with a colon.
fn offset(count: usize, at: &Zoned) -> String {
    match (at.offset().is_zero(), count) {
        (true, _) => "Z".to_owned(),
        (_, 1) => at.strftime("%z").to_string().chars().take(3).collect(),
        (_, 2) => at.strftime("%z").to_string(),
        _ => at.strftime("%:z").to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(pattern: &str) -> String {
        let at: Zoned = "2026-03-07T00:05:09.042+05:30[+05:30]".parse().unwrap();
        DateFormat::of_pattern(pattern).unwrap().format(&at)
    }

    #[test]
    fn dates_are_as_simple_date_format_writes_them() {
        for (pattern, text) in [
            ("yyyy-MM-dd HH:mm:ss:SSS", "2026-03-07 00:05:09:042"),
            ("yy/M/d h:m:s.S a", "26/3/7 12:5:9.42 AM"),
            ("EEE, d MMM yyyy", "Sat, 7 Mar 2026"),
            ("EEEE MMMM kk KK", "Saturday March 24 00"),
            ("yyyy-MM-dd'T'HH:mm:ssXXX", "2026-03-07T00:05:09+05:30"),
            ("Z X 'o''clock' '' D", "+0530 +05 o'clock ' 66"),
        ] {
            assert_eq!(shown(pattern), text, "{pattern}");
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        let refused = |pattern| DateFormat::of_pattern(pattern).unwrap_err();
        assert_eq!(refused("yyyy-bb"), "Illegal pattern character 'b'");
        assert_eq!(refused("yyyy 'o"), "Unterminated quote");
    }

    #[test]
    fn numbers_without_a_value_are_javas() {
        assert_eq!(decimal(1.0 / 0.0, 2), "Infinity");
        assert_eq!(decimal(f64::NAN, 4), "NaN");
        assert_eq!(decimal(1.5, 4), "1.5000");
    }
}
