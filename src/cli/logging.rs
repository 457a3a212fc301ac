//! Logs go to standard error: readable lines, or JSON lines.

use tracing::Level;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{LogFormat, LogLevel, Settings};

/// Only what Vestibule says itself follows `log_level`: Rocket and sqlx print whole requests and
/// statements at the lower ones.
pub fn init(settings: &Settings) {
    let level = match settings.log_level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    };
    let shown = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("vestibule", level);
    let subscriber = tracing_subscriber::registry().with(shown);
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(std::io::stderr)
        // A log that cannot be written is no reason to stop.
        .log_internal_errors(false)
        .with_target(false);
    let initialised = match settings.log_format {
        LogFormat::Text => subscriber
            .with(layer.with_ansi(std::io::IsTerminal::is_terminal(&std::io::stderr())))
            .try_init(),
        LogFormat::Json => subscriber.with(layer.json().flatten_event(true)).try_init(),
    };
    debug_assert!(initialised.is_ok(), "logging is initialised once");
}
