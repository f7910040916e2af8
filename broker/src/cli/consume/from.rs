//! Where to start reading, as it is written on the command line.

use ringlane_client::Position;

/// `earliest`, `latest`, an offset, a time in RFC 3339, or `@` and milliseconds since 1970.
pub(super) fn parse(text: &str) -> Result<Position, String> {
    let position = match text {
        "earliest" | "beginning" => Some(Position::Earliest),
        "latest" | "end" => Some(Position::Latest),
        _ => match text.strip_prefix('@') {
            Some(ms) => ms.parse().ok().filter(|&ms: &i64| ms >= 0).map(Position::Timestamp),
            None if text.bytes().all(|byte| byte.is_ascii_digit()) => {
                text.parse().ok().map(Position::Offset)
            }
            None => rfc3339_ms(text).map(Position::Timestamp),
        },
    };
    position.ok_or_else(|| {
        "expected earliest, latest, an offset, a time as 2026-05-01T12:00:00Z, or @MILLISECONDS"
            .into()
    })
}

/// Milliseconds since 1970-01-01T00:00:00Z of a time in RFC 3339.
fn rfc3339_ms(text: &str) -> Option<i64> {
    let (date, rest) = text.split_once(['T', 't', ' '])?;
    let [year, month, day] = numbers(date, '-')?;
    let offset_at = rest.find(['Z', 'z', '+', '-'])?;
    let (time, offset) = rest.split_at(offset_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = numbers(time, ':')?;
    let is_real = (1..=12).contains(&month)
        && (1..=days_in(year, month)).contains(&day)
        && hour < 24
        && minute < 60
        && second <= 60;
    if !is_real || fraction.is_empty() || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let ms: i64 = format!("{fraction:0<3}")[..3].parse().ok()?;
    let seconds = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((seconds - offset_seconds(offset)?) * 1000 + ms)
}

/// `Z`, or hours and minutes east of Greenwich.
fn offset_seconds(text: &str) -> Option<i64> {
    let (sign, text) = match text.split_at_checked(1)? {
        ("Z" | "z", "") => return Some(0),
        ("+", text) => (1, text),
        ("-", text) => (-1, text),
        _ => return None,
    };
    let (hours, minutes) = text.split_once(':')?;
    let (hours, minutes) = (number(hours)?, number(minutes)?);
    (hours < 24 && minutes < 60).then_some(sign * (hours * 3600 + minutes * 60))
}

fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() <= 4 && text.bytes().all(|b| b.is_ascii_digit());
    is_number.then(|| text.parse().ok())?
}

fn numbers(text: &str, separator: char) -> Option<[i64; 3]> {
    let parts: Option<Vec<i64>> = text.split(separator).map(number).collect();
    parts?.try_into().ok()
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let leap_days = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    let years = (year - 1970) * 365 + leap_days(year - 1) - leap_days(1969);
    let months: i64 = (1..month).map(|month| days_in(year, month)).sum();
    years + months + day - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_are_told_apart() {
        assert_eq!(parse("earliest"), Ok(Position::Earliest));
        assert_eq!(parse("latest"), Ok(Position::Latest));
        assert_eq!(parse("1200"), Ok(Position::Offset(1200)));
        assert_eq!(parse("@1700000000000"), Ok(Position::Timestamp(1_700_000_000_000)));
        assert_eq!(parse("2023-11-14T22:13:20Z"), Ok(Position::Timestamp(1_700_000_000_000)));
        for bad in ["", "-1", "@", "@-5", "soon", "2023-11-14", "99999999999999999999"] {
            assert!(parse(bad).is_err(), "{bad}");
        }
    }

    /// `date -u -d TIME +%s`.
    #[test]
    fn times_are_milliseconds_since_1970() {
        let cases = [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("2024-12-31T23:59:59.5+01:00", 1_735_685_999_500),
            ("2100-03-01T00:00:00-05:30", 4_107_562_200_000),
            ("1969-12-31T23:59:59Z", -1000),
        ];
        for (text, ms) in cases {
            assert_eq!(rfc3339_ms(text), Some(ms), "{text}");
        }
        for bad in [
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-01-01T24:00:00Z",
            "2023-01-01T00:00:00",
            "2023-01-01T00:00:00+2",
            "2023-01-01T00:00Z",
        ] {
            assert_eq!(rfc3339_ms(bad), None, "{bad}");
        }
    }
}
