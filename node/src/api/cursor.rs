//! Places in collections as text that clients carry from one page to the next.
//!
//! Opaque to them. A cursor names the order it belongs to, for in another one its place means nothing;
//! where documents are ordered by their ids it is the id alone.

use grove_core::Reason;
use grove_core::types::{DocumentId, FieldType, Hash, PublicKey, Schema};
use grove_core::wire::cbor::{Decoder, Encoder, Item};

use super::ApiError;
use crate::store::query::{Order, OrderBy, PagePosition, SORT_KEY_SIZE_MAX, SortKey};

/// The cursor of a place.
pub fn to_cursor(order: &Order, place: &PagePosition) -> String {
    let Some(key) = &place.key else {
        return place.id.to_string();
    };
    let mut out = Encoder::new();
    out.array(4).text(order_name(order)).bool(order.descending);
    match key {
        SortKey::Int(int) => out.int(*int),
        SortKey::Float(float) => out.float(*float),
        SortKey::Bytes(bytes) => out.bytes(bytes),
    };
    out.bytes(&place.id.hash().to_bytes());
    hex::encode(out.into_bytes())
}

/// The place a cursor stands for, which must be of this order of documents of this schema. `name` is that of
/// the argument.
pub fn from_cursor(
    name: &'static str,
    schema: &Schema,
    order: &Order,
    cursor: &str,
) -> Result<PagePosition, ApiError> {
    let place = read_place(order, cursor);
    place
        .filter(|place| is_comparable(schema, order, place))
        .ok_or_else(|| ApiError::Argument {
            name,
            text: Reason::CursorInvalid.description().to_owned(),
            reason: Reason::CursorInvalid,
        })
}

fn read_place(order: &Order, cursor: &str) -> Option<PagePosition> {
    if let Ok(id) = cursor.parse::<DocumentId>() {
        return (order.by == OrderBy::DocumentId).then(|| PagePosition::behind(id));
    }
    let bytes = hex::decode(cursor).ok()?;
    let mut decoder = Decoder::new(&bytes);
    let mut next = || decoder.item().ok();
    let (Item::Array(4), Item::Text(name), Item::Bool(descending)) = (next()?, next()?, next()?)
    else {
        return None;
    };
    let key = match next()? {
        Item::Unsigned(number) => SortKey::Int(number.try_into().ok()?),
        Item::Negative(number) => SortKey::Int(!i64::try_from(number).ok()?),
        Item::Float(float) => SortKey::Float(float),
        Item::Bytes(bytes) => SortKey::Bytes(bytes.to_vec()),
        _ => return None,
    };
    let Item::Bytes(id) = next()? else {
        return None;
    };
    let id = Hash::from_bytes(id).ok()?.into();
    decoder.finish().ok()?;
    //= QU10: a cursor of another order is refused
    let fits = order.by != OrderBy::DocumentId
        && name == order_name(order)
        && descending == order.descending;
    fits.then_some(PagePosition { key: Some(key), id })
}

/// Whether documents in this order have keys of the kind that the place has. Nobody made any other; a
/// database would compare what can't be compared, each in its own way.
fn is_comparable(schema: &Schema, order: &Order, place: &PagePosition) -> bool {
    let is_size = |size: &dyn Fn(usize) -> bool| matches!(&place.key, Some(SortKey::Bytes(bytes)) if size(bytes.len()));
    match &order.by {
        OrderBy::DocumentId => place.key.is_none(),
        OrderBy::ViewId => is_size(&|size| size <= SORT_KEY_SIZE_MAX),
        OrderBy::Owner => is_size(&|size| size == PublicKey::SIZE),
        OrderBy::Edited => matches!(place.key, Some(SortKey::Int(0 | 1))),
        OrderBy::Field(name) => {
            let mut fields = schema.fields().iter();
            let field = fields.find(|(field, _)| field.as_str() == name);
            match field.map(|(_, field_type)| field_type) {
                Some(FieldType::Bool) => matches!(place.key, Some(SortKey::Int(0 | 1))),
                Some(FieldType::Int) => matches!(place.key, Some(SortKey::Int(_))),
                Some(FieldType::Float) => matches!(place.key, Some(SortKey::Float(_))),
                Some(_) => is_size(&|size| size <= SORT_KEY_SIZE_MAX),
                None => false,
            }
        }
    }
}

/// A field's name, or what no field is called: all their names begin with a letter.
fn order_name(order: &Order) -> &str {
    match &order.by {
        OrderBy::DocumentId | OrderBy::ViewId => "",
        OrderBy::Owner => "_owner",
        OrderBy::Edited => "_edited",
        OrderBy::Field(name) => name,
    }
}
