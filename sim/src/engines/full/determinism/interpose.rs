//! The C library's `getrandom`, `getentropy`, `clock_gettime` and `syscall`, defined once more.
//!
//! A symbol defined in the program wins over the C library's for every call from Rust code and for
//! `dlsym`. Decides nothing: asks the thread's state, and where that says "not mine" calls the next
//! definition in line, which is the C library's.
#![allow(unsafe_code)] // Defining and calling C functions is the whole purpose of this file.

use std::ffi::{c_char, c_int, c_long, c_uint, c_void};
use std::sync::atomic::{AtomicPtr, Ordering};

use super::{controlled_clock, controlled_fill};

type GetRandom = unsafe extern "C" fn(*mut c_void, usize, c_uint) -> isize;
type GetEntropy = unsafe extern "C" fn(*mut c_void, usize) -> c_int;
type ClockGetTime = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> c_int;
type Syscall = unsafe extern "C" fn(c_long, ...) -> c_long;
type FixedSyscall =
    unsafe extern "C" fn(c_long, c_long, c_long, c_long, c_long, c_long, c_long) -> c_long;

/// One function of the C library, looked up at the first call.
struct Next {
    name: &'static std::ffi::CStr,
    address: AtomicPtr<c_void>,
}

impl Next {
    const fn new(name: &'static std::ffi::CStr) -> Self {
        Self {
            name,
            address: AtomicPtr::new(std::ptr::null_mut()),
        }
    }

    /// The address of the definition after ours; two threads may both look it up, with one result.
    fn address(&self) -> *mut c_void {
        let known = self.address.load(Ordering::Relaxed);
        if !known.is_null() {
            return known;
        }
        let name: *const c_char = self.name.as_ptr();
        // SAFETY: `name` is a terminated string that lives for ever.
        let found = unsafe { libc::dlsym(libc::RTLD_NEXT, name) };
        if found.is_null() {
            // Unwinding out of a C function is not defined, and there is nothing to go on with.
            std::process::abort();
        }
        self.address.store(found, Ordering::Relaxed);
        found
    }
}

/// The first of the four functions that a look-up by name does not find here.
///
/// Crates look functions up by name, which only finds those that the linker exported from the program.
pub(super) fn unreached() -> Option<&'static str> {
    let overrides: [(&std::ffi::CStr, *const c_void); 4] = [
        (c"getrandom", getrandom as GetRandom as *const c_void),
        (c"getentropy", getentropy as GetEntropy as *const c_void),
        (
            c"clock_gettime",
            clock_gettime as ClockGetTime as *const c_void,
        ),
        (c"syscall", syscall as FixedSyscall as *const c_void),
    ];
    overrides.into_iter().find_map(|(name, ours)| {
        // SAFETY: `name` is a terminated string that lives for ever.
        let found = unsafe { libc::dlsym(libc::RTLD_DEFAULT, name.as_ptr()) };
        let known = name.to_str().expect("plain ASCII");
        (found.cast_const() != ours).then_some(known)
    })
}

static GETRANDOM: Next = Next::new(c"getrandom");
static GETENTROPY: Next = Next::new(c"getentropy");
static CLOCK_GETTIME: Next = Next::new(c"clock_gettime");
static SYSCALL: Next = Next::new(c"syscall");

/// Longest request `getentropy` may serve (POSIX); longer ones go on to be refused.
const GETENTROPY_LEN_MAX: usize = 256;

/// # Safety
///
/// As `getrandom(2)`: `buffer` is writable for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut c_void, len: usize, flags: c_uint) -> isize {
    // SAFETY: the caller's promise.
    if unsafe { fill(|surfaces| surfaces.getrandom, buffer, len) } {
        return len.cast_signed();
    }
    // SAFETY: the C library's symbol of this name has this type; arguments are handed on untouched.
    unsafe {
        let next: GetRandom = std::mem::transmute(GETRANDOM.address());
        next(buffer, len, flags)
    }
}

/// # Safety
///
/// As `getentropy(3)`: `buffer` is writable for `len` bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getentropy(buffer: *mut c_void, len: usize) -> c_int {
    // SAFETY: the caller's promise.
    if len <= GETENTROPY_LEN_MAX && unsafe { fill(|surfaces| surfaces.getentropy, buffer, len) } {
        return 0;
    }
    // SAFETY: as in `getrandom`.
    unsafe {
        let next: GetEntropy = std::mem::transmute(GETENTROPY.address());
        next(buffer, len)
    }
}

/// # Safety
///
/// As `clock_gettime(2)`: `time` is writable.
#[unsafe(no_mangle)]
unsafe extern "C" fn clock_gettime(clock: libc::clockid_t, time: *mut libc::timespec) -> c_int {
    if let Some(now) = controlled_clock() {
        // SAFETY: the caller's promise; a zeroed timespec is a valid one.
        unsafe {
            let mut answer: libc::timespec = std::mem::zeroed();
            // Bounded: the epoch plus simulated hours is far from both types' ends.
            answer.tv_sec = now.as_secs() as libc::time_t;
            answer.tv_nsec = now.subsec_nanos() as _;
            time.write(answer);
        }
        return 0;
    }
    // SAFETY: as in `getrandom`.
    unsafe {
        let next: ClockGetTime = std::mem::transmute(CLOCK_GETTIME.address());
        next(clock, time)
    }
}

/// Variadic in C. With integer arguments only, as system calls have, the fixed form reads the same
/// registers and stack slots on every Linux architecture Rust supports.
///
/// # Safety
///
/// As `syscall(2)`: whatever the numbered call demands.
#[unsafe(no_mangle)]
unsafe extern "C" fn syscall(
    number: c_long,
    a: c_long,
    b: c_long,
    c: c_long,
    d: c_long,
    e: c_long,
    f: c_long,
) -> c_long {
    if number == libc::SYS_getrandom {
        let (buffer, len) = (a as *mut c_void, b as usize);
        // SAFETY: the caller's promise, as in `getrandom(2)`.
        if unsafe { fill(|surfaces| surfaces.syscall, buffer, len) } {
            return b;
        }
    }
    // SAFETY: as in `getrandom`; six arguments is the most any call takes.
    unsafe {
        let next: Syscall = std::mem::transmute(SYSCALL.address());
        next(number, a, b, c, d, e, f)
    }
}

/// # Safety
///
/// `buffer` is writable for `len` bytes, or `len` is 0.
unsafe fn fill(surface: fn(&super::Surfaces) -> bool, buffer: *mut c_void, len: usize) -> bool {
    // Crates probe for the system call with no bytes and any pointer.
    let bytes = match len {
        0 => &mut [][..],
        // SAFETY: the caller's promise; the bytes are only written, so their old content is no matter.
        _ => unsafe {
            buffer.cast::<u8>().write_bytes(0, len);
            std::slice::from_raw_parts_mut(buffer.cast::<u8>(), len)
        },
    };
    controlled_fill(surface, bytes)
}
