//! A directory for the databases: the one that is named, or one of its own, removed at the end.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

pub(crate) struct Room {
    path: PathBuf,
    own: bool,
}

impl Room {
    pub(crate) fn new() -> io::Result<Self> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        // Relaxed: the numbers differ, and nothing else hangs on them.
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("chanbus-orders-{}-{number}", process::id());
        let path = env::temp_dir().join(name);
        fs::create_dir(&path)?;
        Ok(Room { path, own: true })
    }

    pub(crate) fn at(path: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&path)?;
        Ok(Room { path, own: false })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        if self.own {
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}
