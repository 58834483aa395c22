//! Signatures at the edges of Ed25519: small orders, encodings that are not canonical, S out of range.
//!
//! R11 asks for the one equation without cofactor, R compared byte for byte; every case follows from it.

use super::super::fixtures::{author, other_author};
use super::super::set::Set;
use super::super::text::off_the_curve;
use super::{first, result};
use crate::forge::torsion::{Signer, order, small_order_encodings};
use crate::forge::{Draft, hex, key};
use crate::suite::Case;

pub(super) fn edges() -> Set {
    let mut set = Set::new("entry.decode", "signatures", &["KY1", "BA1"]);
    set.key("author", &author());
    set.key("other", &other_author());
    scalars(&mut set);
    nonces(&mut set);
    mixed_keys(&mut set);
    small_order_keys(&mut set);
    set
}

/// A draft of the signer's with a log id of its own, so that no two cases share their message.
fn draft(signer: &Signer, log_id: u64) -> Draft {
    Draft {
        author: signer.public(),
        log_id,
        ..first()
    }
}

fn sealed(draft: &Draft, signature: [u8; 64]) -> Vec<u8> {
    [&draft.unsigned()[..], &signature].concat()
}

fn valid<'a>(
    set: &'a mut Set,
    (name, comment): (&str, &str),
    draft: &Draft,
    signature: [u8; 64],
) -> &'a mut Case {
    let bytes = sealed(draft, signature);
    set.valid(name, comment, hex(&bytes), result(draft, &bytes))
        .ruled("R11")
}

fn refused<'a>(
    set: &'a mut Set,
    near: &str,
    (name, comment): (&str, &str),
    draft: &Draft,
    signature: [u8; 64],
) -> &'a mut Case {
    let input = hex(sealed(draft, signature));
    set.invalid(name, comment, near, input, "signature_invalid")
        .ruled("R11")
}

/// S by itself: its range, and values no signer would get.
fn scalars(set: &mut Set) {
    let draft = draft(&Signer::mixed(&author(), 0), 9);
    let honest = author().sign(&draft.unsigned());
    let sound = ("honest", "A signature as every library makes it.");
    valid(set, sound, &draft, honest);

    let with_s = |s: [u8; 32]| {
        let mut signature = honest;
        signature[32..].copy_from_slice(&s);
        signature
    };
    let mut below_order = key::ORDER;
    below_order[0] -= 1;
    for (name, comment, signature) in [
        ("s-zero", "S is zero.", with_s([0; 32])),
        (
            "s-below-order",
            "S is the greatest canonical number.",
            with_s(below_order),
        ),
        ("r-off-the-curve", "R is no point of the curve.", {
            let mut signature = honest;
            signature[..32].copy_from_slice(&off_the_curve());
            signature
        }),
        ("all-zero", "64 zero bytes.", [0; 64]),
    ] {
        refused(set, "honest", (name, comment), &draft, signature);
    }
    let twice = key::malleate(key::malleate(honest));
    for (name, comment, signature, hazard) in [
        (
            "s-equals-order",
            "S is the group order itself: zero, not canonical.",
            with_s(key::ORDER),
            false,
        ),
        (
            "s-plus-twice-the-order",
            "S with twice the group order added.",
            twice,
            true,
        ),
        (
            "s-all-ones",
            "Every bit of S is set.",
            with_s([0xff; 32]),
            true,
        ),
    ] {
        let input = hex(sealed(&draft, signature));
        let case = set.invalid(name, comment, "honest", input, "signature_malformed");
        case.ruled("R11")
            .or(&["signature_invalid"])
            .flag("Malleable");
        if hazard {
            case.kills();
        }
    }
    let swapped = [&honest[32..], &honest[..32]].concat();
    let swapped = swapped.try_into().expect("two halves of 32 bytes");
    refused(
        set,
        "honest",
        ("halves-swapped", "S before R."),
        &draft,
        swapped,
    )
    .or(&["signature_malformed"])
    .kills();
}

/// R by itself: moved by a point of small order, the identity, and the identity written otherwise.
fn nonces(set: &mut Set) {
    let signer = Signer::mixed(&author(), 0);
    for part in [4, 2, 1] {
        let order = order(part);
        let draft = draft(&signer, 9);
        let signature = signer.sign(&draft.unsigned(), part, |left| left != 0);
        refused(
            set,
            "honest",
            (
                &format!("r-with-order-{order}"),
                "R has a part of small order, which only a check with cofactor overlooks.",
            ),
            &draft,
            signature,
        )
        .flag("SmallOrder");
    }
    let draft = draft(&signer, 10);
    let message = draft.unsigned();
    let mut identity = [0; 32];
    identity[0] = 1;
    valid(
        set,
        (
            "r-identity",
            "A nonce of zero gives the private key away, and still the equation holds.",
        ),
        &draft,
        signer.sign_with_r(&message, identity),
    );
    let spellings = small_order_encodings();
    let others = spellings.iter().skip(8).filter(|(part, _)| *part == 0);
    for ((_, r), name) in others.zip(["with-sign", "not-reduced", "not-reduced-with-sign"]) {
        refused(
            set,
            "r-identity",
            (
                &format!("r-identity-{name}"),
                "The identity in another spelling; R is compared as bytes.",
            ),
            &draft,
            signer.sign_with_r(&message, *r),
        )
        .flag("SmallOrder");
    }
    for (part, r) in spellings[..8]
        .iter()
        .filter(|(part, _)| [4, 2, 1].contains(part))
    {
        refused(
            set,
            "r-identity",
            (
                &format!("r-of-order-{}", order(*part)),
                "R is a point of small order, where the equation asks for the identity.",
            ),
            &draft,
            signer.sign_with_r(&message, *r),
        )
        .flag("SmallOrder");
    }
}

/// Keys A + T: of large order, so nobody but the holder can sign, but with a part of small order.
fn mixed_keys(set: &mut Set) {
    for part in [4, 2, 1] {
        let signer = Signer::mixed(&author(), part);
        let order = order(part);
        let draft = draft(&signer, 11);
        let message = draft.unsigned();
        let sound = format!("key-with-order-{order}");
        valid(
            set,
            (
                &sound,
                "The key has a part of small order, which the challenge cancels.",
            ),
            &draft,
            signer.sign(&message, 0, |left| left == 0),
        )
        .flag("SmallOrder");
        refused(
            set,
            &sound,
            (
                &format!("{sound}-cofactored"),
                "The key's part of small order is left over: the equation holds with cofactor only.",
            ),
            &draft,
            signer.sign(&message, 0, |left| left != 0),
        )
        .flag("SmallOrder");
        valid(
            set,
            (
                &format!("{sound}-cancelled-by-r"),
                "A part of small order in R cancels that of the key.",
            ),
            &draft,
            signer.sign(&message, part, |left| left == 0),
        )
        .flag("SmallOrder");
    }
    let signer = Signer::mixed(&author(), 1);
    let (draft, signature) = (12..)
        .map(|log_id| draft(&signer, log_id))
        .find_map(|draft| {
            let message = draft.unsigned();
            let signature = signer.sign_without_nonce(&message, 3, |left| left == 0)?;
            Some((draft, signature))
        })
        .expect("one log id in 64 or so fits");
    valid(
        set,
        (
            "r-of-small-order",
            "R is a point of small order, and it is the one the equation asks for.",
        ),
        &draft,
        signature,
    )
    .flag("SmallOrder");
}

/// Keys of small order alone: R12 refuses them, and leaves them open for others.
fn small_order_keys(set: &mut Set) {
    let spellings = small_order_encodings();
    let names = [
        (1, "order-8"),
        (2, "order-4"),
        (4, "order-2"),
        (8, "identity-with-sign"),
        (10, "identity-not-reduced"),
    ];
    for (index, name) in names {
        let signer = Signer::anybody(spellings[index]);
        let draft = draft(&signer, 13);
        let signature = signer.sign(&draft.unsigned(), 0, |left| left == 0);
        let bytes = sealed(&draft, signature);
        set.valid(
            &format!("author-{name}"),
            "Signed by nobody: the author is a point of small order.",
            hex(&bytes),
            result(&draft, &bytes),
        )
        .spec_is_open()
        .ruled("R12")
        .flag("SmallOrder");
    }
}
