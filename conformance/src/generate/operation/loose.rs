//! Loose CBOR: forms that mean the same as their sibling and are not the one canonical form.

use super::super::fixtures::CAFE;
use super::super::set::Set;
use super::{cafe_fields, previous, refuse, replaced};
use crate::forge::{Item, hex};

/// Forms that mean the same as their sibling and are refused for not being the one canonical form.
pub(super) fn loose_forms(set: &mut Set, create: fn() -> Item, update: fn() -> Item) {
    let [hour, title] = cafe_fields();
    let map = || Item::map(cafe_fields());
    let hour_name = |key: Item| {
        Item::Map(vec![
            (key, Item::Int(8)),
            (Item::text("title"), title.1.clone()),
        ])
    };
    let outer = |width| create().wide(width);
    let not_minimal = [
        (
            "array-head-wide",
            "The array's length in a byte of its own.",
            outer(1),
        ),
        (
            "array-head-widest",
            "The array's length in eight bytes.",
            outer(8),
        ),
        (
            "version-wide",
            "The version in a byte of its own.",
            replaced(create(), 0, Item::Int(1).wide(1)),
        ),
        (
            "version-widest",
            "The version in eight bytes.",
            replaced(create(), 0, Item::Int(1).wide(8)),
        ),
        (
            "action-wide",
            "The action in a byte of its own.",
            replaced(create(), 1, Item::Int(0).wide(1)),
        ),
        (
            "schema-id-wide",
            "The schema id's length in two bytes.",
            replaced(create(), 2, Item::text(CAFE).wide(2)),
        ),
        (
            "map-head-wide",
            "The map's length in a byte of its own.",
            replaced(create(), 3, map().wide(1)),
        ),
        (
            "field-name-wide",
            "A field name's length in a byte of its own.",
            replaced(create(), 3, hour_name(Item::text(hour.0).wide(1))),
        ),
    ];
    for (name, comment, item) in not_minimal {
        refuse(set, "create", (name, comment), item, "cbor_not_minimal")
            .requires(&["EN1"])
            .wire_takes("R2")
            .flag("NonMinimal");
    }
    let indefinite = [
        (
            "array-indefinite",
            "The array without a length.",
            create().indefinite(),
        ),
        (
            "map-indefinite",
            "The map without a length.",
            replaced(create(), 3, map().indefinite()),
        ),
        (
            "field-name-indefinite",
            "A field name without a length.",
            replaced(create(), 3, hour_name(Item::text(hour.0).indefinite())),
        ),
    ];
    for (name, comment, item) in indefinite {
        let case = refuse(set, "create", (name, comment), item, "cbor_indefinite");
        case.requires(&["EN1"])
            .wire_takes("R2")
            .flag("Indefinite")
            .or(&["operation_item_type"]);
    }
    let mut unbroken = create().indefinite().encode();
    unbroken.pop();
    set.invalid(
        "array-without-break",
        "The array without a length and without its end.",
        "create",
        hex(unbroken),
        "cbor_indefinite",
    )
    .requires(&["EN1"])
    .or(&["cbor_truncated"])
    .wire_takes("R2")
    .flag("Indefinite");
    let tagged = [
        (
            "array-tagged",
            "A tag before the array.",
            "create",
            create().tagged(55_799),
        ),
        (
            "version-tagged",
            "A tag before the version.",
            "create",
            replaced(create(), 0, Item::Int(1).tagged(99)),
        ),
        (
            "version-bignum",
            "The version as a bignum.",
            "create",
            replaced(create(), 0, Item::bytes([1]).tagged(2)),
        ),
        (
            "action-tagged",
            "A tag before the action.",
            "create",
            replaced(create(), 1, Item::Int(0).tagged(99)),
        ),
        (
            "map-tagged",
            "A tag before the map.",
            "create",
            replaced(create(), 3, map().tagged(99)),
        ),
        (
            "field-name-tagged",
            "A tag before a field name.",
            "create",
            replaced(create(), 3, hour_name(Item::text(hour.0).tagged(99))),
        ),
    ];
    for (name, comment, near, item) in tagged {
        refuse(set, near, (name, comment), item, "cbor_tag")
            .requires(&["EN1"])
            .wire_takes("R2")
            .flag("Tag");
    }
    let wide_tag = [&[0xd8, 21][..], &create().encode()].concat();
    set.invalid(
        "array-tagged-wide",
        "A tag in a longer form than needed.",
        "create",
        hex(wide_tag),
        "cbor_tag",
    )
    .or(&["cbor_not_minimal"])
    .requires(&["EN1"])
    .wire_takes("R2")
    .flag("Tag")
    .flag("NonMinimal");
    let [a, b] = previous();
    let refused_by_all = [
        (
            "schema-id-tagged",
            "A tag before the schema id.",
            replaced(update(), 2, Item::text(CAFE).tagged(99)),
        ),
        (
            "previous-tagged",
            "A tag before previous.",
            replaced(update(), 3, Item::ids(&[a, b]).tagged(99)),
        ),
    ];
    for (name, comment, item) in refused_by_all {
        refuse(set, "update", (name, comment), item, "cbor_tag")
            .requires(&["EN1"])
            .flag("Tag");
    }
    for (name, comment, tail) in [
        ("trailing-byte", "A byte after the array.", "00"),
        (
            "trailing-item",
            "A second operation after the first.",
            "8401",
        ),
    ] {
        set.invalid(
            name,
            comment,
            "create",
            hex(create().encode()) + tail,
            "cbor_trailing_bytes",
        )
        .requires(&["EN1"])
        .wire_takes("R2")
        .flag("Trailing");
    }
}
