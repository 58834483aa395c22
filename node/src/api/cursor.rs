//! Places in collections as text that clients carry from one page to the next.
//!
//! Opaque to them. A cursor names the order it belongs to, for in another one its place means nothing;
//! where documents are ordered by their ids it is the id alone.

use grove_core::Reason;
use grove_core::types::{DocumentId, Hash};
use grove_core::wire::cbor::{Decoder, Encoder, Item};

use super::ApiError;
use crate::store::query::{Order, OrderBy, PagePosition, SortKey};

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

/// The place a cursor stands for, which must be of this order. `name` is that of the argument.
pub fn from_cursor(
    name: &'static str,
    order: &Order,
    cursor: &str,
) -> Result<PagePosition, ApiError> {
    read_place(order, cursor).ok_or_else(|| ApiError::Argument {
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

/// A field's name, or what no field is called: all their names begin with a letter.
fn order_name(order: &Order) -> &str {
    match &order.by {
        OrderBy::DocumentId | OrderBy::ViewId => "",
        OrderBy::Owner => "_owner",
        OrderBy::Edited => "_edited",
        OrderBy::Field(name) => name,
    }
}
