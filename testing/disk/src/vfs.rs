//! The disk as SQLite calls it, from C.
#![expect(unsafe_code, reason = "SQLite takes a file system as tables of C functions")]

use crate::Shared;
use crate::lock::Level;
use crate::shm::{Change, REGION_BYTES, SLOTS, Shm};
use crate::state::{Handle, Refusal, SECTOR_BYTES, State};
use libsqlite3_sys as ffi;
use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Longest file name, in bytes.
const NAME_BYTES_MAX: c_int = 512;

/// What SQLite is told the time is, in milliseconds of its own count: 14 November 2023.
const NOW_MS: i64 = 210_866_760_000_000 + 1_700_000_000_000;

static DISKS: AtomicU64 = AtomicU64::new(1);

/// A disk's entry in SQLite's list of file systems.
#[derive(Debug)]
pub(crate) struct Registration {
    name: String,
    vfs: *mut ffi::sqlite3_vfs,
}

// SAFETY: the pointer is only handed to `sqlite3_vfs_unregister`, which takes SQLite's own lock.
unsafe impl Send for Registration {}
// SAFETY: as above; nothing is read through the pointer.
unsafe impl Sync for Registration {}

impl Registration {
    pub(crate) fn new(shared: &Arc<Shared>) -> Self {
        let name = format!("geartrain-disk-{}", DISKS.fetch_add(1, Ordering::Relaxed));
        let c_name = CString::new(name.clone()).expect("a word and a number contain no NUL");
        let app_data: Box<Weak<Shared>> = Box::new(Arc::downgrade(shared));
        // Connections keep pointers to all three for as long as they live, which nobody here knows:
        // they are leaked.
        let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
            iVersion: 2,
            szOsFile: c_int::try_from(size_of::<OpenFile>()).expect("two pointers are small"),
            mxPathname: NAME_BYTES_MAX,
            pNext: ptr::null_mut(),
            zName: c_name.into_raw(),
            pAppData: Box::into_raw(app_data).cast(),
            xOpen: Some(open),
            xDelete: Some(delete),
            xAccess: Some(access),
            xFullPathname: Some(full_pathname),
            xDlOpen: None,
            xDlError: None,
            xDlSym: None,
            xDlClose: None,
            xRandomness: Some(randomness),
            xSleep: Some(sleep),
            xCurrentTime: None,
            xGetLastError: None,
            xCurrentTimeInt64: Some(current_time),
            xSetSystemCall: None,
            xGetSystemCall: None,
            xNextSystemCall: None,
        }));
        // SAFETY: `vfs` is valid for ever, its functions follow SQLite's contract, and it is registered
        // once, under a name no other one has.
        let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
        assert_eq!(code, ffi::SQLITE_OK, "SQLite takes another file system");
        Self { name, vfs }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        // SAFETY: `vfs` was registered by `new`, and is never freed.
        unsafe { ffi::sqlite3_vfs_unregister(self.vfs) };
    }
}

/// What SQLite has as an open file: its own part first, as its contract demands.
#[repr(C)]
struct OpenFile {
    base: ffi::sqlite3_file,
    opened: *mut Opened,
}

/// Our part of an open file.
struct Opened {
    shared: Arc<Shared>,
    handle: Handle,
    delete_on_close: bool,
    shm: OnceLock<Arc<Shm>>,
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(shm_map),
    xShmLock: Some(shm_lock),
    xShmBarrier: Some(shm_barrier),
    xShmUnmap: Some(shm_unmap),
    xFetch: None,
    xUnfetch: None,
};

/// The disk behind a file system; `None` when its last handle is gone.
///
/// # Safety
/// `vfs` is one that `Registration::new` made.
unsafe fn disk(vfs: *mut ffi::sqlite3_vfs) -> Option<Arc<Shared>> {
    // SAFETY: it is never freed, and neither is its `pAppData`, which is a `Weak<Shared>`.
    unsafe { (*(*vfs).pAppData.cast::<Weak<Shared>>()).upgrade() }
}

/// Our part of an open file.
///
/// # Safety
/// `file` was opened by [`open`] and not closed since; then SQLite calls with it from one thread
/// at a time.
unsafe fn opened<'f>(file: *mut ffi::sqlite3_file) -> &'f Opened {
    // SAFETY: `open` put a pointer from `Box::into_raw` there, and only `close` frees it.
    unsafe { &*(*file.cast::<OpenFile>()).opened }
}

/// A name from SQLite.
///
/// # Safety
/// `name` is NULL or a C string that lives for the call.
unsafe fn text(name: *const c_char) -> Option<String> {
    if name.is_null() {
        return None;
    }
    // SAFETY: not NULL, so by the contract a C string.
    Some(unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: ffi::sqlite3_filename,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    let file = file.cast::<OpenFile>();
    // SAFETY: SQLite gives room for `szOsFile` bytes, aligned for pointers. No methods means that
    // nothing is to be closed should this fail.
    unsafe { (*file).base.pMethods = ptr::null() };
    // SAFETY: SQLite calls with the vfs it was given, and a C string or NULL.
    let (Some(shared), name) = (unsafe { (disk(vfs), text(name)) }) else {
        return ffi::SQLITE_CANTOPEN;
    };
    let create = flags & ffi::SQLITE_OPEN_CREATE != 0;
    let handle = {
        let mut state = shared.state();
        let name = name.unwrap_or_else(|| state.temporary_name());
        match state.open(&name, create) {
            Ok(handle) => handle,
            Err(_) => return ffi::SQLITE_CANTOPEN,
        }
    };
    let delete_on_close = flags & ffi::SQLITE_OPEN_DELETEONCLOSE != 0;
    let opened = Box::new(Opened { shared, handle, delete_on_close, shm: OnceLock::new() });
    // SAFETY: as for the first write; `out_flags` is NULL or points at an int.
    unsafe {
        (*file).opened = Box::into_raw(opened);
        (*file).base.pMethods = &raw const METHODS;
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: SQLite closes each file once; `open` made the box.
    let mut opened = unsafe { Box::from_raw((*file.cast::<OpenFile>()).opened) };
    if let Some(shm) = opened.shm.take() {
        shm.release(opened.handle.number);
    }
    let mut state = opened.shared.state();
    state.close(&opened.handle);
    if opened.delete_on_close {
        _ = state.delete(&opened.handle.name, false);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(file: *mut ffi::sqlite3_file, into: *mut c_void, len: c_int, offset: i64) -> c_int {
    let (Ok(len), Ok(offset)) = (usize::try_from(len), usize::try_from(offset)) else {
        return ffi::SQLITE_IOERR_READ;
    };
    // SAFETY: SQLite calls with an open file and `len` bytes of room, which it initialised or not:
    // they are zeroed first.
    let (opened, into) = unsafe {
        into.cast::<u8>().write_bytes(0, len);
        (opened(file), slice::from_raw_parts_mut(into.cast::<u8>(), len))
    };
    match opened.shared.state().read(&opened.handle, offset, into) {
        Ok(read) if read == len => ffi::SQLITE_OK,
        Ok(_) => ffi::SQLITE_IOERR_SHORT_READ,
        Err(_) => ffi::SQLITE_IOERR_READ,
    }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    from: *const c_void,
    len: c_int,
    offset: i64,
) -> c_int {
    let (Ok(len), Ok(offset)) = (usize::try_from(len), usize::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: SQLite calls with an open file and `len` bytes to write.
    let (opened, bytes) = unsafe { (opened(file), slice::from_raw_parts(from.cast::<u8>(), len)) };
    answer(opened.shared.state().write(&opened.handle, offset, bytes), ffi::SQLITE_IOERR_WRITE)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: i64) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    let Ok(len) = usize::try_from(size) else { return ffi::SQLITE_IOERR_TRUNCATE };
    answer(opened.shared.state().truncate(&opened.handle, len), ffi::SQLITE_IOERR_TRUNCATE)
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _flags: c_int) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    opened.shared.call_on_sync();
    answer(opened.shared.state().sync(&opened.handle), ffi::SQLITE_IOERR_FSYNC)
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, size: *mut i64) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    let Ok(len) = opened.shared.state().size(&opened.handle) else { return ffi::SQLITE_IOERR_FSTAT };
    // SAFETY: `size` points at where SQLite wants it.
    unsafe { *size = len as i64 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    let mut state = opened.shared.state();
    match state.locks(&opened.handle).map(|locks| locks.climb(opened.handle.number, level_of(level))) {
        Ok(true) => ffi::SQLITE_OK,
        Ok(false) => ffi::SQLITE_BUSY,
        Err(_) => ffi::SQLITE_IOERR_LOCK,
    }
}

unsafe extern "C" fn unlock(file: *mut ffi::sqlite3_file, level: c_int) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    match opened.shared.state().locks(&opened.handle) {
        Ok(locks) => {
            locks.descend(opened.handle.number, level_of(level));
            ffi::SQLITE_OK
        }
        Err(_) => ffi::SQLITE_IOERR_UNLOCK,
    }
}

unsafe extern "C" fn check_reserved_lock(file: *mut ffi::sqlite3_file, reserved: *mut c_int) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    match opened.shared.state().locks(&opened.handle) {
        Ok(locks) => {
            // SAFETY: `reserved` points at where SQLite wants it.
            unsafe { *reserved = c_int::from(locks.is_reserved()) };
            ffi::SQLITE_OK
        }
        Err(_) => ffi::SQLITE_IOERR_CHECKRESERVEDLOCK,
    }
}

unsafe extern "C" fn file_control(_file: *mut ffi::sqlite3_file, _op: c_int, _arg: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_file: *mut ffi::sqlite3_file) -> c_int {
    c_int::try_from(SECTOR_BYTES).unwrap_or(c_int::MAX)
}

unsafe extern "C" fn device_characteristics(_file: *mut ffi::sqlite3_file) -> c_int {
    // What SQLite assumes of real disks: a torn write spoils no byte outside of it.
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn shm_map(
    file: *mut ffi::sqlite3_file,
    index: c_int,
    size: c_int,
    extend: c_int,
    region: *mut *mut c_void,
) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    if usize::try_from(size) != Ok(REGION_BYTES) {
        return ffi::SQLITE_IOERR_SHMMAP;
    }
    let (Ok(index), Ok(shm)) = (usize::try_from(index), opened.shared.state().shm(&opened.handle)) else {
        return ffi::SQLITE_IOERR_SHMMAP;
    };
    // Kept until the file is closed: the pointer that SQLite gets is into it.
    let found = opened.shm.get_or_init(|| shm).region(index, extend != 0);
    // SAFETY: `region` points at where SQLite wants it; NULL says that there is none yet.
    unsafe { *region = found.map_or(ptr::null_mut(), |found| found.as_ptr().cast()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn shm_lock(
    file: *mut ffi::sqlite3_file,
    first: c_int,
    count: c_int,
    flags: c_int,
) -> c_int {
    // SAFETY: SQLite calls with an open file.
    let opened = unsafe { opened(file) };
    let shm = match opened.shared.state().shm(&opened.handle) {
        Ok(shm) => shm,
        Err(_) => return ffi::SQLITE_IOERR_SHMLOCK,
    };
    let (Ok(first), Ok(count)) = (usize::try_from(first), usize::try_from(count)) else {
        return ffi::SQLITE_IOERR_SHMLOCK;
    };
    if first + count > SLOTS {
        return ffi::SQLITE_IOERR_SHMLOCK;
    }
    let shared = flags & ffi::SQLITE_SHM_SHARED != 0;
    let change = match (flags & ffi::SQLITE_SHM_LOCK != 0, shared) {
        (true, true) => Change::Share,
        (true, false) => Change::Own,
        (false, true) => Change::Unshare,
        (false, false) => Change::Disown,
    };
    if shm.lock(opened.handle.number, first, count, change) { ffi::SQLITE_OK } else { ffi::SQLITE_BUSY }
}

unsafe extern "C" fn shm_barrier(_file: *mut ffi::sqlite3_file) {
    std::sync::atomic::fence(Ordering::SeqCst);
}

unsafe extern "C" fn shm_unmap(file: *mut ffi::sqlite3_file, _delete: c_int) -> c_int {
    // SAFETY: SQLite calls with an open file. The memory itself goes with the last handle.
    let opened = unsafe { opened(file) };
    if let Some(shm) = opened.shm.get() {
        shm.release(opened.handle.number);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: SQLite calls with the vfs it was given, and a C string.
    let (Some(shared), Some(name)) = (unsafe { (disk(vfs), text(name)) }) else {
        return ffi::SQLITE_IOERR_DELETE;
    };
    answer(shared.state().delete(&name, sync_folder != 0), ffi::SQLITE_IOERR_DELETE)
}

unsafe extern "C" fn access(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    _flags: c_int,
    result: *mut c_int,
) -> c_int {
    // SAFETY: SQLite calls with the vfs it was given, and a C string.
    let (Some(shared), Some(name)) = (unsafe { (disk(vfs), text(name)) }) else {
        return ffi::SQLITE_IOERR_ACCESS;
    };
    let Ok(exists) = shared.state().exists(&name) else { return ffi::SQLITE_IOERR_ACCESS };
    // SAFETY: `result` points at where SQLite wants it.
    unsafe { *result = c_int::from(exists) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    room: c_int,
    full: *mut c_char,
) -> c_int {
    // SAFETY: SQLite gives a C string.
    let bytes = unsafe { CStr::from_ptr(name) }.to_bytes_with_nul();
    if usize::try_from(room).is_ok_and(|room| bytes.len() <= room) {
        // SAFETY: `full` has `room` bytes, and does not overlap with the name.
        unsafe { ptr::copy_nonoverlapping(bytes.as_ptr().cast(), full, bytes.len()) };
        return ffi::SQLITE_OK;
    }
    ffi::SQLITE_CANTOPEN
}

unsafe extern "C" fn randomness(vfs: *mut ffi::sqlite3_vfs, len: c_int, into: *mut c_char) -> c_int {
    let wanted = usize::try_from(len).unwrap_or(0);
    // SAFETY: SQLite gives `len` bytes of room, and the vfs it was given; they are zeroed first.
    let (shared, into) = unsafe {
        into.write_bytes(0, wanted);
        (disk(vfs), slice::from_raw_parts_mut(into.cast::<u8>(), wanted))
    };
    if let Some(shared) = shared {
        let mut state = shared.state();
        for byte in into {
            *byte = random_byte(&mut state);
        }
    }
    len
}

fn random_byte(state: &mut State) -> u8 {
    let [byte, ..] = state.random().to_le_bytes();
    byte
}

unsafe extern "C" fn sleep(_vfs: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

unsafe extern "C" fn current_time(_vfs: *mut ffi::sqlite3_vfs, now: *mut i64) -> c_int {
    // SAFETY: `now` points at where SQLite wants it.
    unsafe { *now = NOW_MS };
    ffi::SQLITE_OK
}

fn level_of(level: c_int) -> Level {
    match level {
        ffi::SQLITE_LOCK_NONE => Level::None,
        ffi::SQLITE_LOCK_SHARED => Level::Shared,
        ffi::SQLITE_LOCK_RESERVED => Level::Reserved,
        _ => Level::Exclusive,
    }
}

fn answer(result: Result<(), Refusal>, otherwise: c_int) -> c_int {
    match result {
        Ok(()) => ffi::SQLITE_OK,
        Err(Refusal::Full) => ffi::SQLITE_FULL,
        Err(Refusal::Missing) => ffi::SQLITE_IOERR_DELETE_NOENT,
        Err(Refusal::Io) => otherwise,
    }
}
