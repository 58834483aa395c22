//! Items of a list that differ in a number alone, told once.

use serde_json::{Map, Value, json};

/// The member of an object, or of an item of a list, that stands for several.
pub(super) const MEMBER: &str = "repeat";

/// The shortest row that is told briefly.
const ROW_MIN: usize = 64;

/// Most items one row may stand for.
const COUNT_MAX: u64 = 0xffff;

/// The items, with every long row of them in one.
pub(super) fn told_briefly(items: &[Value]) -> Vec<Value> {
    let mut out = Vec::new();
    let mut at = 0;
    while at < items.len() {
        match row(&items[at..]) {
            Some((count, from, item)) => {
                out.push(json!({MEMBER: {"count": count, "from": from, "item": item}}));
                at += count;
            }
            None => {
                out.push(items[at].clone());
                at += 1;
            }
        }
    }
    out
}

/// How many items follow each other here by counting, from which number, and how each is made.
fn row(items: &[Value]) -> Option<(usize, u64, Value)> {
    let [first, second, ..] = items else {
        return None;
    };
    let (first, second) = (first.to_string(), second.to_string());
    if first.len() != second.len() || first.contains(['#', '@']) || first.contains(MEMBER) {
        return None;
    }
    let differs = first
        .bytes()
        .zip(second.bytes())
        .position(|(a, b)| a != b)?;
    let number = |text: &str, at: usize| u64::from_str_radix(text.get(at..at + 4)?, 16).ok();
    let from = (differs.saturating_sub(3)..=differs).find_map(|at| {
        let from = number(&first, at)?;
        (number(&second, at)? == from + 1).then_some(from)
    })?;
    let before = from.checked_sub(1)?;
    let template = first
        .replace(&format!("{from:04x}"), "#")
        .replace(&format!("{before:04x}"), "@");
    let counted = items.iter().zip(from..=COUNT_MAX);
    let count = counted
        .take_while(|(item, number)| made(&template, *number) == item.to_string())
        .count();
    let template = serde_json::from_str(&template).ok()?;
    (count >= ROW_MIN).then_some((count, from, template))
}

/// The text of item `number` of a row.
fn made(template: &str, number: u64) -> String {
    template
        .replace('#', &format!("{number:04x}"))
        .replace('@', &format!("{:04x}", number.saturating_sub(1)))
}

/// Members in place of pairs of name and value, and of rows of such.
pub(super) fn members(pairs: &[Value]) -> Map<String, Value> {
    let mut out = Map::new();
    for pair in pairs {
        match pair {
            Value::Array(pair) => {
                let name = pair[0].as_str().unwrap_or_default();
                out.insert(name.to_owned(), pair[1].clone());
            }
            row => {
                let mut row = row[MEMBER].clone();
                let item = row["item"].take();
                row["name"] = item[0].clone();
                row["item"] = item[1].clone();
                out.insert(MEMBER.to_owned(), row);
            }
        }
    }
    out
}

/// Puts the items of every row in its place; false when one is malformed.
pub(super) fn list(items: &mut Vec<Value>) -> bool {
    let is_row = |item: &Value| {
        item.as_object()
            .is_some_and(|item| item.contains_key(MEMBER))
    };
    if !items.iter().any(is_row) {
        return true;
    }
    let mut out = Vec::new();
    for item in items.drain(..) {
        match item.get(MEMBER) {
            Some(row) => match spelled(row, &row["item"]) {
                Some(row) => out.extend(row),
                None => return false,
            },
            None => out.push(item),
        }
    }
    *items = out;
    true
}

/// Puts the members of the row in its place; false when it is malformed.
pub(super) fn object(members: &mut Map<String, Value>) -> bool {
    let mut out = Map::new();
    for (name, value) in std::mem::take(members) {
        if name != MEMBER {
            out.insert(name, value);
            continue;
        }
        let pair = json!([value["name"], value["item"]]);
        let Some(pairs) = spelled(&value, &pair) else {
            return false;
        };
        out.extend(self::members(&pairs));
    }
    *members = out;
    true
}

fn spelled(row: &Value, item: &Value) -> Option<Vec<Value>> {
    let (count, from) = (row["count"].as_u64()?, row["from"].as_u64()?);
    if count > COUNT_MAX || from > COUNT_MAX - count || item.is_null() {
        return None;
    }
    let template = item.to_string();
    (from..from + count)
        .map(|number| serde_json::from_str(&made(&template, number)).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::compact::{compact, expand};
    use super::*;

    #[test]
    fn rows_of_items_and_members_are_told_once_and_read_back() {
        let item = |n: u64| json!({"id": format!("0020{n:04x}"), "on": [format!("{:04x}", n - 1)]});
        let items: Vec<_> = (5..600).map(item).collect();
        let members: Map<_, _> = (5..600)
            .map(|n: u64| (format!("f{n:04x}"), item(n)))
            .collect();
        let list = [vec![json!("first")], items, vec![json!("last")]].concat();
        let original = json!({"list": list, "object": members});
        let mut value = original.clone();

        compact(&mut value);

        assert_eq!(
            value["list"][1]["repeat"]["item"],
            json!({"id": "0020#", "on": ["@"]})
        );
        assert_eq!(value["list"].as_array().unwrap().len(), 3);
        assert_eq!(value["object"]["repeat"]["name"], "f#");
        assert!(expand(&mut value));
        assert_eq!(value, original);
    }

    #[test]
    fn irregular_and_short_lists_stay_as_they_are() {
        let short: Vec<_> = (0..63).map(|n| json!(format!("{n:04x}"))).collect();
        let squares: Vec<_> = (0..99).map(|n| json!(format!("{:04x}", n * n))).collect();
        let original = json!([short, squares, vec!["00ff"; 99]]);
        let mut value = original.clone();

        compact(&mut value);

        assert_eq!(value, original);
    }

    #[test]
    fn malformed_rows_are_refused() {
        for row in [
            json!({}),
            json!({"count": 2, "from": 1}),
            json!({"count": -1, "from": 1, "item": "#"}),
            json!({"count": 65_536, "from": 0, "item": "#"}),
            json!({"count": 2, "from": 65_534, "item": "#"}),
        ] {
            assert!(!expand(&mut json!([{MEMBER: row}])));
        }
    }
}
