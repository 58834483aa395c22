//! Values are bound, never part of a statement's text: the text follows from a question's shape alone.

#![allow(clippy::unwrap_used)]

use grove_core::types::{FieldType, Hash, KeyPair, Schema, SchemaId, Value};
use proptest::prelude::*;

use super::SqliteStore;
use super::views::View;
use crate::store::StoreError;
use crate::store::indexes::AccessPath;
use crate::store::query::{
    Comparison, Condition, DocumentQuery, Order, OrderBy, PagePosition, SortKey, Standing, Test,
};

/// What a statement of ours may consist of.
const PLAIN: &str = " _.,()?<>=-+*'";

fn schema() -> Schema {
    let id = format!("note_{}", Hash::of(b"note"));
    let id: SchemaId = id.parse().unwrap();
    let fields = [
        ("amount", FieldType::Int),
        ("data", FieldType::Bytes),
        ("others", FieldType::RelationList(SchemaId::BLOB)),
        ("views", FieldType::PinnedRelationList(SchemaId::BLOB)),
        ("weight", FieldType::Float),
        ("words", FieldType::Str),
    ];
    let named = |(name, kind): (&str, FieldType)| (name.parse().unwrap(), kind);
    Schema::new(id, String::new(), fields.map(named)).unwrap()
}

/// Everything one can ask for at once, with values made of a text and a number.
fn question(text: &str, number: i64, order: &OrderBy, standing: Standing) -> DocumentQuery {
    let hash = Hash::of(text.as_bytes());
    let of = |field: &str, test| Condition::Field(field.to_owned(), test);
    let words = || Value::Str(text.to_owned());
    let bytes = || Value::Bytes(text.as_bytes().to_vec());
    let view_id = || vec![grove_core::types::OperationId::from(hash).into()];
    let key = KeyPair::from_seed(&hash.to_bytes()[..32].try_into().unwrap()).public_key();
    let conditions = vec![
        of("words", Test::Among(true, vec![words(), words()])),
        of("words", Test::Compared(Comparison::Above, words())),
        of("words", Test::Contains(true, text.to_owned())),
        of("words", Test::Contains(false, text.to_owned())),
        of("data", Test::Among(false, vec![bytes()])),
        of(
            "amount",
            Test::Compared(Comparison::AtMost, Value::Int(number)),
        ),
        of(
            "weight",
            Test::Compared(Comparison::Below, Value::Float(number as f64)),
        ),
        of("others", Test::Lists(true, vec![hash.into()])),
        of("views", Test::ListsViews(false, view_id())),
        Condition::Document(true, vec![hash.into()]),
        Condition::View(false, view_id()),
        Condition::Owner(true, vec![key]),
        Condition::Edited(number > 0),
    ];
    let sort_key = match order {
        OrderBy::DocumentId => None,
        OrderBy::Field(name) if name == "amount" => Some(SortKey::Int(number)),
        _ => Some(SortKey::Bytes(text.as_bytes().to_vec())),
    };
    DocumentQuery {
        standing,
        conditions,
        order: Order {
            by: order.clone(),
            descending: number % 2 == 0,
        },
        after: Some(PagePosition {
            key: sort_key,
            id: hash.into(),
        }),
        limit: number.unsigned_abs() as u32,
        ..DocumentQuery::default()
    }
}

/// The texts of a question's statements, each with as many values as it has places for them.
fn texts(query: &DocumentQuery) -> Result<[String; 3], StoreError> {
    let store = SqliteStore::in_memory()?;
    let view = View::new(7, schema());
    let statements = [
        view.list_sql(&store.database, query, AccessPath::Order)?,
        view.list_sql(&store.database, query, AccessPath::Ids)?,
        view.count_sql(&store.database, query, AccessPath::Order)?,
    ];
    Ok(statements.map(|(text, values)| {
        assert_eq!(text.matches('?').count(), values.len(), "{text}");
        text
    }))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_text_of_a_statement_follows_from_the_shape_of_the_question(
        text in prop_oneof![
            r"\PC{1,40}",
            Just("'; DROP TABLE entries; --".to_owned()),
            Just("x' OR '1'='1\0\\\"".to_owned()),
        ],
        number: i64,
        order in prop::sample::select(vec![
            OrderBy::DocumentId,
            OrderBy::ViewId,
            OrderBy::Field("amount".to_owned()),
            OrderBy::Field("words".to_owned()),
            OrderBy::Field("views".to_owned()),
        ]),
        standing in prop::sample::select(vec![Standing::Live, Standing::Deleted]),
    ) {
        // The direction is part of the shape.
        let other = number & 1;

        let asked = texts(&question(&text, number, &order, standing)).unwrap();
        let tame = texts(&question("a", other, &order, standing)).unwrap();

        prop_assert_eq!(&asked, &tame);
        for text in &asked {
            let is_plain = |char: char| char.is_ascii_alphanumeric() || PLAIN.contains(char);
            prop_assert!(text.chars().all(is_plain), "{}", text);
        }
        let strange = DocumentQuery {
            order: Order { by: OrderBy::Field(text), descending: false },
            ..DocumentQuery::default()
        };
        prop_assert!(matches!(texts(&strange), Err(StoreError::Misfit(_))));
    }
}
