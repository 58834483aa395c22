//! Loose CBOR: forms that mean the same as their sibling and are not the one canonical form.

use super::super::fixtures::CAFE;
use super::super::set::Set;
use super::{cafe_fields, previous, refuse, replaced};
use crate::forge::{Item, hex};

/// A form of an operation that is not the canonical one, made of the sound operation.
struct Loose {
    name: &'static str,
    comment: &'static str,
    item: fn(Item) -> Item,
}

/// The fields of the CREATE.
fn map() -> Item {
    Item::map(cafe_fields())
}

/// The fields of the CREATE, with `key` for the name of the first.
fn hour_name(key: Item) -> Item {
    let [hour, title] = cafe_fields();
    Item::Map(vec![(key, hour.1), (Item::text(title.0), title.1)])
}

const NOT_MINIMAL: &[Loose] = &[
    Loose {
        name: "array-head-wide",
        comment: "The array's length in a byte of its own.",
        item: |sound| sound.wide(1),
    },
    Loose {
        name: "array-head-widest",
        comment: "The array's length in eight bytes.",
        item: |sound| sound.wide(8),
    },
    Loose {
        name: "version-wide",
        comment: "The version in a byte of its own.",
        item: |sound| replaced(sound, 0, Item::Int(1).wide(1)),
    },
    Loose {
        name: "version-widest",
        comment: "The version in eight bytes.",
        item: |sound| replaced(sound, 0, Item::Int(1).wide(8)),
    },
    Loose {
        name: "action-wide",
        comment: "The action in a byte of its own.",
        item: |sound| replaced(sound, 1, Item::Int(0).wide(1)),
    },
    Loose {
        name: "schema-id-wide",
        comment: "The schema id's length in two bytes.",
        item: |sound| replaced(sound, 2, Item::text(CAFE).wide(2)),
    },
    Loose {
        name: "map-head-wide",
        comment: "The map's length in a byte of its own.",
        item: |sound| replaced(sound, 3, map().wide(1)),
    },
    Loose {
        name: "field-name-wide",
        comment: "A field name's length in a byte of its own.",
        item: |sound| replaced(sound, 3, hour_name(Item::text("opening_hour").wide(1))),
    },
];

const INDEFINITE: &[Loose] = &[
    Loose {
        name: "array-indefinite",
        comment: "The array without a length.",
        item: |sound| sound.indefinite(),
    },
    Loose {
        name: "map-indefinite",
        comment: "The map without a length.",
        item: |sound| replaced(sound, 3, map().indefinite()),
    },
    Loose {
        name: "field-name-indefinite",
        comment: "A field name without a length.",
        item: |sound| replaced(sound, 3, hour_name(Item::text("opening_hour").indefinite())),
    },
];

const TAGGED: &[Loose] = &[
    Loose {
        name: "array-tagged",
        comment: "A tag before the array.",
        item: |sound| sound.tagged(55_799),
    },
    Loose {
        name: "version-tagged",
        comment: "A tag before the version.",
        item: |sound| replaced(sound, 0, Item::Int(1).tagged(99)),
    },
    Loose {
        name: "version-bignum",
        comment: "The version as a bignum.",
        item: |sound| replaced(sound, 0, Item::bytes([1]).tagged(2)),
    },
    Loose {
        name: "action-tagged",
        comment: "A tag before the action.",
        item: |sound| replaced(sound, 1, Item::Int(0).tagged(99)),
    },
    Loose {
        name: "map-tagged",
        comment: "A tag before the map.",
        item: |sound| replaced(sound, 3, map().tagged(99)),
    },
    Loose {
        name: "field-name-tagged",
        comment: "A tag before a field name.",
        item: |sound| replaced(sound, 3, hour_name(Item::text("opening_hour").tagged(99))),
    },
];

const TAGGED_AND_REFUSED_BY_ALL: &[Loose] = &[
    Loose {
        name: "schema-id-tagged",
        comment: "A tag before the schema id.",
        item: |sound| replaced(sound, 2, Item::text(CAFE).tagged(99)),
    },
    Loose {
        name: "previous-tagged",
        comment: "A tag before previous.",
        item: |sound| replaced(sound, 3, Item::ids(&previous()).tagged(99)),
    },
];

/// Forms that mean the same as their sibling and are refused for not being the one canonical form.
pub(super) fn loose_forms(set: &mut Set, create: fn() -> Item, update: fn() -> Item) {
    for &Loose {
        name,
        comment,
        item,
    } in NOT_MINIMAL
    {
        refuse(
            set,
            "create",
            (name, comment),
            item(create()),
            "cbor_not_minimal",
        )
        .requires(&["EN1"])
        .wire_takes("R2")
        .flag("NonMinimal");
    }
    for &Loose {
        name,
        comment,
        item,
    } in INDEFINITE
    {
        let case = refuse(
            set,
            "create",
            (name, comment),
            item(create()),
            "cbor_indefinite",
        );
        case.requires(&["EN1"])
            .wire_takes("R2")
            .flag("Indefinite")
            .or(&["operation_item_type"]);
    }
    without_break(set, create);
    tagged(set, create, update);
    trailing(set, create);
}

/// The one form without a length that has no end either.
fn without_break(set: &mut Set, create: fn() -> Item) {
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
}

fn tagged(set: &mut Set, create: fn() -> Item, update: fn() -> Item) {
    for &Loose {
        name,
        comment,
        item,
    } in TAGGED
    {
        refuse(set, "create", (name, comment), item(create()), "cbor_tag")
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
    for &Loose {
        name,
        comment,
        item,
    } in TAGGED_AND_REFUSED_BY_ALL
    {
        refuse(set, "update", (name, comment), item(update()), "cbor_tag")
            .requires(&["EN1"])
            .flag("Tag");
    }
}

fn trailing(set: &mut Set, create: fn() -> Item) {
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
