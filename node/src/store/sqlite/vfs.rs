//! How SQLite reaches its database file: as by default, but every page is cleaned and summed on its way to
//! the disk, and looked at on its way back.
//!
//! What is done to a page is for [`pages`] to know. The write-ahead log is left alone: its frames have sums of
//! their own over what SQLite put into them, and it is emptied soon. Temporary files are left alone, too.
//!
//! This is the one file in which the node talks to SQLite by pointers: a VFS is made of C functions. It copies
//! the system's own VFS and puts itself before four functions of database files.
//!
//! Always true:
//! - A page that is read and is not what was written fails the question (`SQLITE_IOERR_DATA`).
//! - Nothing here panics: that would end the process.

#![allow(unsafe_code, reason = "SQLite asks for its files by C functions")]

use std::ffi::{CStr, c_char, c_int, c_void};
use std::sync::OnceLock;
use std::{mem, ptr, slice};

use rusqlite::ffi::{self, sqlite3_file, sqlite3_io_methods, sqlite3_vfs};

use super::pages;
use crate::store::StoreError;

/// Its name, by which connections ask for it.
pub(super) const NAME: &str = "grove";

const C_NAME: &CStr = c"grove";

/// What a connection is asked to find out which pages are damaged: `PRAGMA grove_damaged_pages(FROM)` looks at
/// pages from this number on, and tells up to where it got, and the numbers of those that are damaged.
pub(super) const DAMAGED_PAGES: &str = "grove_damaged_pages";

/// Pages looked at for one such question.
const PAGES_PER_LOOK: u64 = 4_096;

/// How often a page is read anew that looks damaged: it may be being written.
const LOOKS_MAX: u32 = 3;

/// What is remembered of an open database file, behind what the system's VFS remembers of it.
struct OpenFile {
    /// Whether its pages end with their sums.
    is_summed: bool,
    /// The size of its pages.
    page_size: u64,
    /// The highest page seen.
    pages: u64,
}

/// The system's functions for files, and ours.
struct Methods {
    system: *const sqlite3_io_methods,
    ours: sqlite3_io_methods,
}

struct Registered {
    system: *mut sqlite3_vfs,
    /// Where in a file's memory our part begins.
    offset: usize,
}

// SAFETY: what they point to is made once, never changes and is never freed.
unsafe impl Send for Methods {}
unsafe impl Sync for Methods {}
unsafe impl Send for Registered {}
unsafe impl Sync for Registered {}

static REGISTERED: OnceLock<Option<Registered>> = OnceLock::new();
static METHODS: OnceLock<Methods> = OnceLock::new();

/// Makes the VFS known to SQLite, once in a process.
pub(super) fn register() -> Result<(), StoreError> {
    let registered = REGISTERED.get_or_init(|| {
        // SAFETY: a null name asks for the default VFS, which lives as long as the process.
        let system = unsafe { ffi::sqlite3_vfs_find(ptr::null()) };
        // SAFETY: it is null or a valid VFS.
        let mut vfs = unsafe { system.as_ref() }.copied()?;
        let align = mem::align_of::<OpenFile>();
        let offset = usize::try_from(vfs.szOsFile).ok()?.next_multiple_of(align);
        vfs.szOsFile = c_int::try_from(offset + mem::size_of::<OpenFile>()).ok()?;
        vfs.pNext = ptr::null_mut();
        vfs.zName = C_NAME.as_ptr();
        vfs.xOpen = Some(open);
        // SAFETY: the VFS is never freed, so that SQLite may keep it.
        let code = unsafe { ffi::sqlite3_vfs_register(Box::leak(Box::new(vfs)), 0) };
        (code == ffi::SQLITE_OK).then_some(Registered { system, offset })
    });
    match registered {
        Some(_) => Ok(()),
        None => Err(StoreError::Database(
            "no VFS could be registered".to_owned(),
        )),
    }
}

/// Opens a file as the system does, and puts our functions before those of a database.
unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let Some(Some(registered)) = REGISTERED.get() else {
        return ffi::SQLITE_CANTOPEN;
    };
    // SAFETY: the system's VFS gets what SQLite gave us, with more memory for the file than it needs.
    unsafe {
        let Some(system_open) = (*registered.system).xOpen else {
            return ffi::SQLITE_CANTOPEN;
        };
        let code = system_open(registered.system, name, file, flags, out_flags);
        if code != ffi::SQLITE_OK || flags & ffi::SQLITE_OPEN_MAIN_DB == 0 {
            return code;
        }
        let methods = METHODS.get_or_init(|| {
            let mut ours = *(*file).pMethods;
            // Without memory maps, past which nobody would look at pages.
            ours.iVersion = ours.iVersion.min(2);
            ours.xRead = Some(read);
            ours.xWrite = Some(write);
            ours.xFileControl = Some(control);
            ours.xDeviceCharacteristics = Some(characteristics);
            Methods {
                system: (*file).pMethods,
                ours,
            }
        });
        if !ptr::eq(methods.system, (*file).pMethods) {
            // Another kind of file system than that of the first database: its functions are others.
            if let Some(close) = (*(*file).pMethods).xClose {
                close(file);
            }
            (*file).pMethods = ptr::null();
            return ffi::SQLITE_CANTOPEN;
        }
        (*file).pMethods = &raw const methods.ours;
        let ours = file.cast::<u8>().add(registered.offset).cast::<OpenFile>();
        ours.write(OpenFile {
            is_summed: false,
            page_size: 0,
            pages: 0,
        });
    }
    ffi::SQLITE_OK
}

/// What we remember of a file, and the system's functions for it.
///
/// # Safety
///
/// The file is one that `open` put our functions before, and nobody else uses it meanwhile: SQLite holds the
/// connection's lock.
unsafe fn known<'f>(file: *mut sqlite3_file) -> Option<(&'f mut OpenFile, &'f sqlite3_io_methods)> {
    let registered = REGISTERED.get()?.as_ref()?;
    let methods = METHODS.get()?;
    // SAFETY: `open` wrote our part there, and the system's functions live as long as the process.
    unsafe {
        let ours = file.cast::<u8>().add(registered.offset).cast::<OpenFile>();
        Some((&mut *ours, &*methods.system))
    }
}

unsafe extern "C" fn read(
    file: *mut sqlite3_file,
    buffer: *mut c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives a file of ours, and a buffer of this length, which is filled by then.
    unsafe {
        let Some((known, system)) = known(file) else {
            return ffi::SQLITE_IOERR_READ;
        };
        let Some(system_read) = system.xRead else {
            return ffi::SQLITE_IOERR_READ;
        };
        let code = system_read(file, buffer, len, offset);
        if code != ffi::SQLITE_OK {
            return code;
        }
        let bytes = slice::from_raw_parts(buffer.cast::<u8>(), usize::try_from(len).unwrap_or(0));
        if known.lacks_header(bytes.len(), offset.cast_unsigned()) {
            known.read_header(file, system);
        }
        known.look(bytes, offset.cast_unsigned())
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    buffer: *const c_void,
    len: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    // SAFETY: SQLite gives a file of ours, and a buffer of this length.
    unsafe {
        let Some((known, system)) = known(file) else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let Some(system_write) = system.xWrite else {
            return ffi::SQLITE_IOERR_WRITE;
        };
        let bytes = slice::from_raw_parts(buffer.cast::<u8>(), usize::try_from(len).unwrap_or(0));
        if known.lacks_header(bytes.len(), offset.cast_unsigned()) {
            known.read_header(file, system);
        }
        match known.prepared(bytes, offset.cast_unsigned()) {
            Some(page) => system_write(file, page.as_ptr().cast(), len, offset),
            None => system_write(file, buffer, len, offset),
        }
    }
}

/// What the disk can do, but for reading parts of pages: no part of one can be compared with its sum.
unsafe extern "C" fn characteristics(file: *mut sqlite3_file) -> c_int {
    // SAFETY: SQLite gives a file of ours.
    unsafe {
        let known = known(file).and_then(|(_, system)| system.xDeviceCharacteristics);
        known.map_or(0, |system| system(file) & !ffi::SQLITE_IOCAP_SUBPAGE_READ)
    }
}

unsafe extern "C" fn control(file: *mut sqlite3_file, op: c_int, argument: *mut c_void) -> c_int {
    // SAFETY: SQLite gives a file of ours; for a pragma the argument is an array of texts, of which the second
    // is its name and the third null or what it was asked for.
    unsafe {
        let Some((known, system)) = known(file) else {
            return ffi::SQLITE_NOTFOUND;
        };
        let texts = argument.cast::<*mut c_char>();
        if op == ffi::SQLITE_FCNTL_PRAGMA
            && CStr::from_ptr(*texts.add(1)).to_bytes() == DAMAGED_PAGES.as_bytes()
        {
            let from = match (*texts.add(2)).as_ref() {
                None => 0,
                Some(text) => CStr::from_ptr(text)
                    .to_str()
                    .map_or(0, |text| text.parse().unwrap_or(0)),
            };
            let found = known.damaged(file, system, from);
            let text: Vec<_> = found.iter().map(ToString::to_string).collect();
            let Ok(text) = std::ffi::CString::new(text.join(" ")) else {
                return ffi::SQLITE_NOMEM;
            };
            *texts = ffi::sqlite3_mprintf(c"%s".as_ptr(), text.as_ptr());
            return ffi::SQLITE_OK;
        }
        match system.xFileControl {
            Some(system_control) => system_control(file, op, argument),
            None => ffi::SQLITE_NOTFOUND,
        }
    }
}

impl OpenFile {
    /// Looks at what was read.
    fn look(&mut self, bytes: &[u8], offset: u64) -> c_int {
        self.notice(bytes, offset);
        let is_page = pages::is_page(bytes.len(), offset);
        if is_page && self.is_summed && !pages::is_sound(bytes) {
            return ffi::SQLITE_IOERR_DATA;
        }
        ffi::SQLITE_OK
    }

    /// What is to be written in place of a page; `None` when it is no page.
    fn prepared(&mut self, bytes: &[u8], offset: u64) -> Option<Vec<u8>> {
        self.notice(bytes, offset);
        if !pages::is_page(bytes.len(), offset) {
            return None;
        }
        let mut page = bytes.to_vec();
        if self.pages < pages::PAGES_MAX {
            pages::clear_gaps(&mut page, offset == 0);
        }
        if self.is_summed {
            pages::seal(&mut page);
        }
        Some(page)
    }

    /// Learns what kind of database it is, from its header and its pages.
    fn notice(&mut self, bytes: &[u8], offset: u64) {
        if let Some(header) = pages::Header::read(bytes).filter(|_| offset == 0) {
            self.is_summed = header.is_summed;
            self.pages = self.pages.max(header.pages);
        }
        if pages::is_page(bytes.len(), offset) {
            self.page_size = bytes.len() as u64;
            self.pages = self.pages.max(offset / self.page_size + 1);
        }
    }

    /// Whether the header has to be read before a page can be judged. It may have come into the file since,
    /// out of the write-ahead log.
    fn lacks_header(&self, len: usize, offset: u64) -> bool {
        !self.is_summed && offset != 0 && pages::is_page(len, offset)
    }

    /// Reads the header.
    ///
    /// # Safety
    ///
    /// The file is the one this is remembered of.
    unsafe fn read_header(&mut self, file: *mut sqlite3_file, system: &sqlite3_io_methods) {
        let mut header = [0; pages::FILE_HEADER_LEN];
        if let Some(read) = system.xRead {
            let len = pages::FILE_HEADER_LEN as c_int;
            // SAFETY: the buffer is of this length.
            let code = unsafe { read(file, header.as_mut_ptr().cast(), len, 0) };
            if code == ffi::SQLITE_OK {
                self.notice(&header, 0);
            }
        }
    }

    /// Up to where pages were looked at, 0 when that was the end, and which of them are damaged.
    ///
    /// # Safety
    ///
    /// The file is the one this is remembered of.
    unsafe fn damaged(
        &self,
        file: *mut sqlite3_file,
        system: &sqlite3_io_methods,
        from: u64,
    ) -> Vec<u64> {
        let (Some(read), Some(size_of)) = (system.xRead, system.xFileSize) else {
            return vec![0];
        };
        let mut size = 0;
        // SAFETY: the system's functions get a file of theirs.
        let code = unsafe { size_of(file, &raw mut size) };
        let pages = match self.page_size {
            0 => 0,
            page_size => size.cast_unsigned() / page_size,
        };
        if code != ffi::SQLITE_OK || !self.is_summed {
            return vec![0];
        }
        let end = pages.min(from.saturating_add(PAGES_PER_LOOK));
        let mut found = vec![if end < pages { end } else { 0 }];
        let mut page = vec![0; usize::try_from(self.page_size).unwrap_or(0)];
        for number in from..end {
            let offset = (number * self.page_size).cast_signed();
            let is_sound = (0..LOOKS_MAX).any(|_| {
                let len = c_int::try_from(page.len()).unwrap_or(0);
                // SAFETY: the buffer is of this length.
                let code = unsafe { read(file, page.as_mut_ptr().cast(), len, offset) };
                code == ffi::SQLITE_OK && pages::is_sound(&page)
            });
            if !is_sound {
                found.push(number + 1);
            }
        }
        found
    }
}
