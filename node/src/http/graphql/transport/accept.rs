//! Which form of an answer a client accepts, as RFC 9110 (12.5.1) has it: by the most precise of its ranges,
//! with their weights.

use axum::http::{HeaderMap, header};

/// The types of an answer, by how much a client wants each: 0 to 1000 thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Accepted {
    json: Weight,
    response: Weight,
    events: Weight,
    page: Weight,
}

/// How much a type is wanted, and whether by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Weight {
    value: u16,
    precision: u8,
}

/// A type of JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Json {
    /// `application/json`: the status tells only whether the request could be read.
    Plain,
    /// `application/graphql-response+json`: the status tells whether it was executed.
    Response,
}

impl Json {
    pub(super) fn content_type(self) -> &'static str {
        match self {
            Self::Plain => "application/json",
            Self::Response => "application/graphql-response+json",
        }
    }
}

impl Accepted {
    /// What a client says that it accepts: anything when it says nothing.
    pub(super) fn of(headers: &HeaderMap) -> Self {
        let values = headers.get_all(header::ACCEPT).iter();
        let values: Vec<_> = values.filter_map(|value| value.to_str().ok()).collect();
        let ranges: Vec<_> = values
            .iter()
            .flat_map(|value| value.split(','))
            .filter_map(range)
            .collect();
        let weight = |kind: &str| match ranges.is_empty() {
            true => Weight {
                value: 1000,
                precision: 0,
            },
            false => weight_of(kind, &ranges),
        };
        Self {
            json: weight("application/json"),
            response: weight("application/graphql-response+json"),
            events: weight("text/event-stream"),
            page: weight("text/html"),
        }
    }

    /// The type of a single answer.
    pub(super) fn json(self) -> Json {
        // Who asks for anything is one of those that were there before the newer type.
        let is_named = self.response.precision == NAMED;
        match is_named && self.response.value > 0 && self.response.value >= self.json.value {
            true => Json::Response,
            false => Json::Plain,
        }
    }

    /// Whether events are understood: only who names them knows what to do with them.
    pub(super) fn events(self) -> bool {
        self.events.precision == NAMED && self.events.value > 0
    }

    /// Whether even a single answer is to come as an event.
    pub(super) fn prefers_events(self) -> bool {
        self.events() && self.events.value > self.json.value.max(self.response.value)
    }

    /// Whether somebody looks at a page.
    pub(super) fn prefers_page(self) -> bool {
        let others = self.json.value.max(self.response.value);
        self.page.precision == NAMED && self.page.value > 0 && self.page.value >= others
    }

    /// Whether nothing in particular is asked for.
    pub(super) fn is_any(self) -> bool {
        let all = [self.json, self.response, self.events, self.page];
        all.iter()
            .all(|weight| weight.precision == 0 && weight.value > 0)
    }
}

const NAMED: u8 = 2;

/// A range of types with its weight.
struct Range<'h> {
    kind: &'h str,
    subtype: &'h str,
    value: u16,
}

fn range(text: &str) -> Option<Range<'_>> {
    let mut parts = text.split(';');
    let (kind, subtype) = parts.next()?.trim().split_once('/')?;
    let mut value = 1000;
    for parameter in parts {
        let Some((name, weight)) = parameter.split_once('=') else {
            continue;
        };
        if name.trim().eq_ignore_ascii_case("q") {
            // What is no weight says nothing.
            value = weight
                .trim()
                .parse()
                .map_or(1000, |weight: f32| (weight.clamp(0.0, 1.0) * 1000.0) as u16);
        }
    }
    Some(Range {
        kind,
        subtype,
        value,
    })
}

fn weight_of(kind: &str, ranges: &[Range<'_>]) -> Weight {
    let (main, sub) = kind.split_once('/').unwrap_or((kind, ""));
    let matching = ranges.iter().filter_map(|range| {
        let same = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let precision = match (range.kind, range.subtype) {
            ("*", "*") => 0,
            (kind, "*") if same(kind, main) => 1,
            (kind, subtype) if same(kind, main) && same(subtype, sub) => NAMED,
            _ => return None,
        };
        Some(Weight {
            value: range.value,
            precision,
        })
    });
    matching
        .max_by_key(|weight| weight.precision)
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(accept: &str) -> Accepted {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, accept.parse().expect("a header"));
        Accepted::of(&headers)
    }

    #[test]
    fn the_most_precise_range_counts() {
        // What urql 6 sends with its queries by GET.
        let urql = accepted("application/json, text/event-stream;q=0");
        assert!(!urql.events() && !urql.prefers_events());
        assert!(!accepted("*/*").events());
        assert!(!accepted("text/*").events());
        assert!(accepted("text/event-stream").prefers_events());
        assert!(!accepted("text/event-stream, */*").prefers_events());
        assert!(accepted("text/event-stream, */*").events());
        assert!(accepted("text/event-stream;q=0.9, */*;q=0.1").prefers_events());
        assert!(!accepted("text/event-stream;q=0, text/*").events());
        assert!(accepted("TEXT/Event-Stream; q=1.0").events());
    }

    #[test]
    fn the_newer_json_is_for_those_who_name_it() {
        for (accept, expected) in [
            ("*/*", Json::Plain),
            ("application/*", Json::Plain),
            ("application/json", Json::Plain),
            ("image/png", Json::Plain),
            ("application/graphql-response+json", Json::Response),
            (
                "application/graphql-response+json, application/json;q=0.9",
                Json::Response,
            ),
            (
                "application/json, application/graphql-response+json",
                Json::Response,
            ),
            (
                "application/json, application/graphql-response+json;q=0.9",
                Json::Plain,
            ),
            (
                "application/graphql-response+json;q=0, application/json;q=0",
                Json::Plain,
            ),
        ] {
            assert_eq!(accepted(accept).json(), expected, "{accept}");
        }
    }

    #[test]
    fn browsers_get_pages() {
        let firefox = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
        assert!(accepted(firefox).prefers_page());
        assert!(!accepted("*/*").prefers_page());
        assert!(accepted("*/*").is_any());
        assert!(Accepted::of(&HeaderMap::new()).is_any());
        assert!(!accepted("application/json, text/html;q=0.5").prefers_page());
    }
}
