//! Text and numbers made safe and readable in HTML.
use std::fmt::{self, Display, Write as _};

/// Text in an element or in a quoted attribute. Characters that no XML may hold, such as the
/// escape of a terminal colour, are replaced.
pub(super) struct Esc<'t>(pub(super) &'t str);

impl Display for Esc<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                '\n' | '\t' => f.write_char(c)?,
                c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => {
                    f.write_char('\u{fffd}')?;
                }
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Undoes [`Esc`].
pub(super) fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'")];
    let text = entities.iter().fold(text.to_owned(), |t, (from, to)| t.replace(from, to));
    text.replace("&amp;", "&")
}

/// A relative difference, an error: two digits.
pub(super) fn short(x: f64) -> String {
    if x.is_nan() {
        "NaN".to_owned()
    } else if x == 0.0 {
        "0".to_owned()
    } else if (0.01..1000.0).contains(&x.abs()) {
        let text = format!("{x:.*}", if x.abs() < 1.0 { 3 } else { 1 });
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    } else {
        format!("{x:.1e}").replacen(".0e", "e", 1)
    }
}

/// The same within a sentence, where a line must not end at the sign of its exponent.
pub(super) fn unbroken(x: f64) -> String {
    short(x).replace('-', "\u{2011}")
}

/// A power of ten, for an axis.
pub(super) fn power(exponent: i32) -> String {
    match exponent {
        0 => "1".to_owned(),
        1 => "10".to_owned(),
        _ => {
            let digits = exponent.to_string();
            let raised = digits.chars().map(|c| match c {
                '-' => '\u{207b}',
                '1' => '\u{b9}',
                '2' => '\u{b2}',
                '3' => '\u{b3}',
                c => char::from_u32(0x2070 + c.to_digit(10).unwrap_or(0)).unwrap_or(c),
            });
            format!("10{}", raised.collect::<String>())
        }
    }
}

/// Digits in groups of three.
pub(super) fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (k, c) in digits.chars().enumerate() {
        if k > 0 && (digits.len() - k).is_multiple_of(3) {
            text.push(',');
        }
        text.push(c);
    }
    text
}

/// A time, to the millisecond where it is short.
pub(super) fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", (seconds * 1e3).ceil())
    } else if seconds < 100.0 {
        format!("{seconds:.1} s")
    } else {
        format!("{seconds:.0} s")
    }
}

/// Date and time in UTC of so many seconds since 1970. The calendar's arithmetic counts years from
/// March, so that the leap day comes last (Hinnant, "chrono-compatible low-level date algorithms").
pub(super) fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400 + 719_468, seconds % 86_400);
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let of_year = day - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let of_month = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (rest / 3600, rest / 60 % 60);
    format!("{year}-{month:02}-{of_month:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_comes_back_and_holds_no_markup() {
        let hostile = "<a href='x'>&amp;\"\u{1b}[31m\u{0}</a>";
        let safe = Esc(hostile).to_string();
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{1b}', '\u{0}']), "{safe}");
        assert_eq!(unescape(&safe), hostile.replace(['\u{1b}', '\u{0}'], "\u{fffd}"));
    }

    #[test]
    fn numbers_are_short_and_dates_are_those_of_the_calendar() {
        assert_eq!(short(f64::NAN), "NaN");
        assert_eq!(short(f64::INFINITY), "inf");
        assert_eq!(short(0.5499), "0.55");
        assert_eq!((short(2e-7), short(2.5e-7)), ("2e-7".to_owned(), "2.5e-7".to_owned()));
        assert_eq!(power(-16), "10\u{207b}\u{b9}\u{2076}");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(utc(0), "1970-01-01 00:00 UTC");
        assert_eq!(utc(951_782_400), "2000-02-29 00:00 UTC");
        assert_eq!(utc(1_709_251_199), "2024-02-29 23:59 UTC");
    }
}
