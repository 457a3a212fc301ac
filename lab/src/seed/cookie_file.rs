//! A file of what is presented, a line each: cookies as `name=value`, app tokens as the header that they are in.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use xtask::run::{Stop, failed};

pub const MAX_COOKIES: u64 = 20_000;

pub struct CookieFile {
    file: BufWriter<File>,
    prefix: String,
    left: u64,
}

impl CookieFile {
    pub fn create(path: &Path, prefix: String) -> Result<Self, Stop> {
        // Whoever reads it can sign in wherever the database is served.
        let file = File::options()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .map_err(failed(path.display()))?;
        Ok(Self {
            file: BufWriter::new(file),
            prefix,
            left: MAX_COOKIES,
        })
    }

    /// Adds one, unless there are enough.
    pub fn add(&mut self, value: &str) -> std::io::Result<()> {
        if self.left == 0 {
            return Ok(());
        }
        self.left -= 1;
        writeln!(self.file, "{}{value}", self.prefix)
    }

    pub fn finish(mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}
