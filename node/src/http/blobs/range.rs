//! What the headers of a request ask of bytes that are there: nothing new, a part, or all of them
//! (RFC 9110, sections 13 and 14).
//!
//! Headers that make no sense are as good as absent, as the RFC wants it.

use axum::http::{HeaderMap, HeaderName, header};

/// The part of an answer that is sent: from the first byte up to and without the last.
pub(super) type Part = std::ops::Range<u64>;

/// What to answer with.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The client has it already.
    Nothing,
    /// All bytes.
    Whole,
    /// Some of them.
    Part(Part),
    /// Bytes that are not there.
    Beyond,
    /// Other bytes than those that are there by now.
    Changed,
}

/// What a request wants of `length` bytes known by this entity tag, quotes included. Parts are for
/// GET alone.
pub(super) fn wanted(headers: &HeaderMap, is_get: bool, tag: &str, length: u64) -> Wanted {
    // In this order (section 13.2.2). Those that go by dates need one of the bytes, which have none.
    if headers.contains_key(header::IF_MATCH)
        && !lists(headers, header::IF_MATCH, |list| list == tag)
    {
        return Wanted::Changed;
    }
    let known = |listed: &str| listed.strip_prefix("W/").unwrap_or(listed) == tag;
    if lists(headers, header::IF_NONE_MATCH, known) {
        return Wanted::Nothing;
    }
    // With an older part at hand, a client asks for the rest only of the same bytes. A weak tag, or a
    // date, does not tell that they are.
    let other = text(headers, header::IF_RANGE).is_some_and(|text| text.trim() != tag);
    match text(headers, header::RANGE) {
        Some(range) if is_get && !other => part(range, length),
        _ => Wanted::Whole,
    }
}

/// The value of a header that is there once.
fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Whether a header lists an entity tag that is the one, or stands for any.
fn lists(headers: &HeaderMap, name: HeaderName, is_it: impl Fn(&str) -> bool) -> bool {
    let values = headers.get_all(name).iter();
    let mut lists = values.filter_map(|value| value.to_str().ok());
    lists.any(|list| list.trim() == "*" || list.split(',').map(str::trim).any(&is_it))
}

/// The one part asked for. Of several parts, all bytes are sent, which is always allowed.
fn part(range: &str, length: u64) -> Wanted {
    let Some((unit, ranges)) = range.split_once('=') else {
        return Wanted::Whole;
    };
    let Some((first, last)) = ranges.trim().split_once('-') else {
        return Wanted::Whole;
    };
    if !unit.trim().eq_ignore_ascii_case("bytes") || !digits(first) || !digits(last) {
        return Wanted::Whole;
    }
    match (first, last) {
        ("", "") => Wanted::Whole,
        ("", suffix) => match number(suffix) {
            0 => Wanted::Beyond,
            // All of nothing can't be told as a part.
            _ if length == 0 => Wanted::Whole,
            size => Wanted::Part(length.saturating_sub(size)..length),
        },
        (first, "") => within(number(first), length - 1.min(length), length),
        (first, last) if number(first) > number(last) => Wanted::Whole,
        (first, last) => within(number(first), number(last), length),
    }
}

fn within(first: u64, last: u64, length: u64) -> Wanted {
    if first < length {
        Wanted::Part(first..last.saturating_add(1).min(length))
    } else {
        Wanted::Beyond
    }
}

fn digits(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number of any length: what is too large is as large as can be.
fn number(digits: &str) -> u64 {
    digits.parse().unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    const TAG: &str = "\"0020ab\"";

    fn asked(pairs: &[(HeaderName, &str)], length: u64) -> Wanted {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.clone(), value.parse().unwrap());
        }
        wanted(&headers, true, TAG, length)
    }

    #[rstest]
    #[case("bytes=0-0", Wanted::Part(0..1))]
    #[case("bytes=2-5", Wanted::Part(2..6))]
    #[case("Bytes = 2-5", Wanted::Part(2..6))]
    #[case("bytes=2-", Wanted::Part(2..10))]
    #[case("bytes=9-", Wanted::Part(9..10))]
    #[case("bytes=-3", Wanted::Part(7..10))]
    #[case("bytes=-30", Wanted::Part(0..10))]
    #[case("bytes=8-30", Wanted::Part(8..10))]
    #[case("bytes=8-99999999999999999999999", Wanted::Part(8..10))]
    #[case("bytes=10-", Wanted::Beyond)]
    #[case("bytes=10-11", Wanted::Beyond)]
    #[case("bytes=99999999999999999999999-", Wanted::Beyond)]
    #[case("bytes=-0", Wanted::Beyond)]
    #[case("bytes=5-2", Wanted::Whole)]
    #[case("bytes=0-1,4-5", Wanted::Whole)]
    #[case("bytes=-", Wanted::Whole)]
    #[case("bytes=", Wanted::Whole)]
    #[case("bytes", Wanted::Whole)]
    #[case("bytes=a-b", Wanted::Whole)]
    #[case("bytes=+1-2", Wanted::Whole)]
    #[case("bytes=--2", Wanted::Whole)]
    #[case("lines=0-1", Wanted::Whole)]
    fn a_range_is_a_part_of_ten_bytes(#[case] range: &str, #[case] expected: Wanted) {
        assert_eq!(asked(&[(header::RANGE, range)], 10), expected);
    }

    #[rstest]
    #[case("bytes=0-", Wanted::Beyond)]
    #[case("bytes=0-0", Wanted::Beyond)]
    #[case("bytes=-1", Wanted::Whole)]
    fn nothing_has_no_parts(#[case] range: &str, #[case] expected: Wanted) {
        assert_eq!(asked(&[(header::RANGE, range)], 0), expected);
    }

    #[rstest]
    #[case(TAG, true)]
    #[case("W/\"0020ab\"", true)]
    #[case("\"x\", \"0020ab\"", true)]
    #[case("*", true)]
    #[case("\"0020AB\"", false)]
    #[case("0020ab", false)]
    #[case("\"x\"", false)]
    #[case("", false)]
    fn what_a_client_has_is_not_sent_again(#[case] list: &str, #[case] known: bool) {
        let expected = if known {
            Wanted::Nothing
        } else {
            Wanted::Whole
        };
        assert_eq!(asked(&[(header::IF_NONE_MATCH, list)], 10), expected);
    }

    #[rstest]
    #[case(TAG, Wanted::Whole)]
    #[case("\"x\", \"0020ab\"", Wanted::Whole)]
    #[case("*", Wanted::Whole)]
    #[case("W/\"0020ab\"", Wanted::Changed)]
    #[case("\"x\"", Wanted::Changed)]
    #[case("0020ab", Wanted::Changed)]
    #[case("", Wanted::Changed)]
    fn other_bytes_are_not_taken_for_those_wanted(#[case] list: &str, #[case] expected: Wanted) {
        assert_eq!(asked(&[(header::IF_MATCH, list)], 10), expected);
        // It comes before all others.
        let headers = [
            (header::RANGE, "bytes=0-1"),
            (header::IF_NONE_MATCH, TAG),
            (header::IF_MATCH, list),
        ];
        let expected = match expected {
            Wanted::Changed => Wanted::Changed,
            _ => Wanted::Nothing,
        };
        assert_eq!(asked(&headers, 10), expected);
    }

    #[test]
    fn dates_decide_nothing_where_there_are_none() {
        for name in [header::IF_MODIFIED_SINCE, header::IF_UNMODIFIED_SINCE] {
            let date = "Tue, 15 Nov 1994 12:45:26 GMT";
            assert_eq!(asked(&[(name, date)], 10), Wanted::Whole);
        }
    }

    #[rstest]
    #[case(TAG, Wanted::Part(0..2))]
    #[case("W/\"0020ab\"", Wanted::Whole)]
    #[case("\"x\"", Wanted::Whole)]
    #[case("Tue, 15 Nov 1994 12:45:26 GMT", Wanted::Whole)]
    fn the_rest_is_sent_of_the_same_bytes_only(#[case] tag: &str, #[case] expected: Wanted) {
        let headers = [(header::RANGE, "bytes=0-1"), (header::IF_RANGE, tag)];
        assert_eq!(asked(&headers, 10), expected);
    }

    #[test]
    fn two_ranges_in_two_headers_are_none() {
        let headers = [(header::RANGE, "bytes=0-1"), (header::RANGE, "bytes=0-1")];
        assert_eq!(asked(&headers, 10), Wanted::Whole);
    }
}
