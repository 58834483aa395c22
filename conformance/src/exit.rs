//! How a command ends, as its exit code tells.
//!
//! Stands by itself, so that reports can name the code of their verdict and the command line can end with it.

/// The exit codes; scripts lean on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Exit {
    /// Everything conforms.
    Conforms = 0,
    /// Something does not.
    Failures = 1,
    /// The arguments make no sense.
    Usage = 2,
    /// Nothing could be judged, because the subject could not be set up.
    SetUpFailed = 3,
    /// A waiver has run out or no longer applies.
    WaiversStale = 4,
    /// Nothing is wrong, but something required was left out.
    Partial = 5,
}

impl Exit {
    /// What the exit code of this program says.
    pub const fn of_code(code: i32) -> Self {
        match code {
            0 => Self::Conforms,
            1 => Self::Failures,
            2 => Self::Usage,
            4 => Self::WaiversStale,
            5 => Self::Partial,
            _ => Self::SetUpFailed,
        }
    }
}
