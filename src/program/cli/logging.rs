//! Logs go to standard error: readable lines, or JSON lines.

use std::collections::HashMap;
use std::io::IsTerminal;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Metadata, Subscriber};
use tracing_appender::non_blocking::{NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::filter::{FilterExt, LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Filter, Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

use crate::foundation::settings::{LogFormat, LogLevel, Settings};

/// The target of the audit trail's lines: one for each sign-in and change, none left out.
const AUDIT: &str = "vestibule::audit";

/// Lines a second that one place in the program may write: an attack fills no disk.
const LINES_A_SECOND: u32 = 50;

/// Lines that wait until they are written, 32 bytes each for their place alone; further ones are dropped.
const WAITING_LINES: usize = 8_192;

/// Begins to log; what is still on its way is written when the guard is dropped.
///
/// Only what Vestibule says itself follows `log_level`: Rocket and sqlx print whole requests and
/// statements at the lower ones.
pub fn init(settings: &Settings) -> WorkerGuard {
    start(settings, level(settings.log_level))
}

/// The same for a command: it says itself what it did, and the log only what went wrong.
pub fn init_for_command(settings: &Settings) -> WorkerGuard {
    start(settings, level(settings.log_level).min(Level::WARN))
}

fn level(level: LogLevel) -> Level {
    match level {
        LogLevel::Error => Level::ERROR,
        LogLevel::Warn => Level::WARN,
        LogLevel::Info => Level::INFO,
        LogLevel::Debug => Level::DEBUG,
        LogLevel::Trace => Level::TRACE,
    }
}

fn start(settings: &Settings, level: Level) -> WorkerGuard {
    let shown = Targets::new()
        .with_default(LevelFilter::ERROR)
        .with_target("vestibule", level)
        .and(Bounded::default());
    // On a thread of its own, which drops lines when nobody reads them: no request waits for a log.
    let (writer, guard) = NonBlockingBuilder::default()
        .buffered_lines_limit(WAITING_LINES)
        .finish(std::io::stderr());
    let layer = tracing_subscriber::fmt::layer()
        .with_writer(writer)
        .log_internal_errors(false)
        .with_target(false);
    let subscriber = tracing_subscriber::registry();
    let initialised = match settings.log_format {
        LogFormat::Text => subscriber
            .with(
                layer
                    .with_ansi(std::io::stderr().is_terminal())
                    .with_filter(shown),
            )
            .try_init(),
        LogFormat::Json => subscriber
            .with(layer.json().flatten_event(true).with_filter(shown))
            .try_init(),
    };
    debug_assert!(initialised.is_ok(), "logging is initialised once");
    guard
}

/// Lets each place in the program write [`LINES_A_SECOND`].
#[derive(Default)]
struct Bounded(Mutex<HashMap<Identifier, (Instant, u32)>>);

impl<S: Subscriber> Filter<S> for Bounded {
    fn enabled(&self, _: &Metadata<'_>, _: &Context<'_, S>) -> bool {
        true
    }

    fn event_enabled(&self, event: &Event<'_>, _: &Context<'_, S>) -> bool {
        // What the audit trail tells is bounded by what it took: a hash, a try, a right.
        if event.metadata().target() == AUDIT {
            return true;
        }
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let (since, lines) = places
            .entry(event.metadata().callsite())
            .or_insert((now, 0));
        if now.duration_since(*since) >= Duration::from_secs(1) {
            (*since, *lines) = (now, 0);
        }
        *lines += 1;
        *lines <= LINES_A_SECOND
    }
}
