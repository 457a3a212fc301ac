use std::io::{self, Write};
use std::sync::{Mutex, Once, PoisonError};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

static LOG: Mutex<Vec<u8>> = Mutex::new(Vec::new());

/// What Vestibule logged since the first call, at every level. All tests share it: look for words
/// of your own.
pub fn logged() -> String {
    static START: Once = Once::new();
    START.call_once(|| {
        let ours = Targets::new().with_target("vestibule", LevelFilter::TRACE);
        let lines = tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(|| Writer);
        tracing_subscriber::registry()
            .with(lines.with_filter(ours))
            .init();
    });
    let log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    String::from_utf8_lossy(&log).into_owned()
}

struct Writer;

impl Write for Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        LOG.lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(line)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
