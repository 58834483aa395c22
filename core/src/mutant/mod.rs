//! Rule mutants: the rules of this crate, each broken on purpose, to measure what notices.
//!
//! A rule is marked where it stands by one of the macros below, and listed in [`points`] with what it
//! guards. In a build with the feature `mutants`, which nothing that ships turns on, a process breaks
//! the one rule that was activated; in any other build [`is_active`] is a constant, and the macros
//! leave the bare rule behind. What the mutants are shown to, and who notices, is the conformance
//! tool's matter.

mod points;

use std::fmt;

pub use points::Point;

/// What kind of rule stands at a point, which decides how it can be broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A condition under which an input is refused: `fault!` and `holds!`.
    Check,
    /// A number that something is compared with: `bound!`.
    Bound,
    /// Two things of which one comes first: `swapped!`.
    Order,
    /// A value, with another that a mistaken reader of the rule might take: `altered!`.
    Value,
}

impl Form {
    /// The ways to break a rule of this form.
    pub const fn changes(self) -> &'static [Change] {
        match self {
            Self::Check => &[Change::Dropped, Change::Inverted],
            Self::Bound => &[Change::Less, Change::More],
            Self::Order => &[Change::Swapped],
            Self::Value => &[Change::Altered],
        }
    }
}

/// How a rule is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// The check never refuses.
    Dropped,
    /// The check refuses what it should let in, and the other way round.
    Inverted,
    /// The bound is one less.
    Less,
    /// The bound is one more.
    More,
    /// What comes second comes first.
    Swapped,
    /// The other value is taken.
    Altered,
}

impl Change {
    /// The spelling in names of mutants.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Dropped => "dropped",
            Self::Inverted => "inverted",
            Self::Less => "less",
            Self::More => "more",
            Self::Swapped => "swapped",
            Self::Altered => "altered",
        }
    }
}

/// One rule, broken in one way. As text `HashLength.dropped`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mutant {
    /// The rule.
    pub point: Point,
    /// How it is broken.
    pub change: Change,
}

impl Mutant {
    /// Every mutant, in the order of the table.
    pub fn all() -> impl Iterator<Item = Self> {
        Point::ALL.iter().flat_map(|&point| {
            let changes = point.form().changes().iter();
            changes.map(move |&change| Self { point, change })
        })
    }

    /// The mutant of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::all().find(|mutant| mutant.to_string() == name)
    }
}

impl fmt::Display for Mutant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.point.name(), self.change.name())
    }
}

/// Whether rules can be broken in this build.
pub const ENABLED: bool = cfg!(feature = "mutants");

#[cfg(feature = "mutants")]
mod switch {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{Change, Mutant, Point};

    /// The active mutant; none at first.
    static ACTIVE: AtomicU32 = AtomicU32::new(u32::MAX);

    const fn code(point: Point, change: Change) -> u32 {
        ((point as u32) << 8) | change as u32
    }

    /// Breaks this rule, and no other, in the whole process from now on.
    pub fn activate(mutant: Mutant) {
        ACTIVE.store(code(mutant.point, mutant.change), Ordering::Relaxed);
    }

    /// Whether the rule at `point` is broken in this way.
    pub fn is_active(point: Point, change: Change) -> bool {
        ACTIVE.load(Ordering::Relaxed) == code(point, change)
    }
}

#[cfg(feature = "mutants")]
pub use switch::{activate, is_active};

/// Whether the rule at `point` is broken in this way: never, in a build that ships.
#[cfg(not(feature = "mutants"))]
#[inline(always)]
pub const fn is_active(_: Point, _: Change) -> bool {
    false
}

/// Whether a rule is broken in one way.
macro_rules! broken {
    ($point:ident, $change:ident) => {
        $crate::mutant::is_active(
            $crate::mutant::Point::$point,
            $crate::mutant::Change::$change,
        )
    };
}

/// A condition under which something is refused: `if fault!(SeqNumZero, number == 0)`.
macro_rules! fault {
    ($point:ident, $fault:expr) => {
        !$crate::mutant::broken!($point, Dropped)
            && ($fault) != $crate::mutant::broken!($point, Inverted)
    };
}

/// A condition without which something is refused: `if holds!(NameLetterFirst, first.is_letter())`.
macro_rules! holds {
    ($point:ident, $condition:expr) => {
        $crate::mutant::broken!($point, Dropped)
            || ($condition) != $crate::mutant::broken!($point, Inverted)
    };
}

/// A number that something is compared with: `len > bound!(NameMax, 64)`.
macro_rules! bound {
    ($point:ident, $bound:expr) => {
        if $crate::mutant::broken!($point, Less) {
            $bound - 1
        } else if $crate::mutant::broken!($point, More) {
            $bound + 1
        } else {
            $bound
        }
    };
}

/// Two values of one type, in this order: `swapped!(LinkOrder, skiplink, backlink)` is a pair.
macro_rules! swapped {
    ($point:ident, $first:expr, $second:expr) => {{
        let (first, second) = ($first, $second);
        if $crate::mutant::broken!($point, Swapped) {
            (second, first)
        } else {
            (first, second)
        }
    }};
}

/// A value, and what the mutant takes for it: `altered!(HashOnce, hash(bytes), hash(hash(bytes)))`.
macro_rules! altered {
    ($point:ident, $value:expr, $mistake:expr) => {
        if $crate::mutant::broken!($point, Altered) {
            $mistake
        } else {
            $value
        }
    };
}

pub(crate) use {altered, bound, broken, fault, holds, swapped};
