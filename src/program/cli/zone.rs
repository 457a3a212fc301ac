//! Times as the command line shows and takes them: in the time zone of `TZ`, in UTC without it.

use std::sync::LazyLock;

use jiff::tz::TimeZone;

use super::output;
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;

static ZONE: LazyLock<TimeZone> = LazyLock::new(|| {
    let Some(name) = std::env::var_os("TZ").filter(|name| !name.is_empty()) else {
        return TimeZone::UTC;
    };
    TimeZone::try_system().unwrap_or_else(|_| {
        let name = name.to_string_lossy();
        // As where an image brings no zones: no reason to fail.
        output::err(&format!(
            "vestibule: TZ: this machine knows no time zone {name:?}; times are in UTC"
        ));
        TimeZone::UTC
    })
});

/// RFC 3339, to the second: `2026-11-24T22:25:00+01:00`.
pub fn local(at: Timestamp) -> String {
    let Ok(utc) = jiff::Timestamp::from_microsecond(at.unix_micros()) else {
        return at.to_string();
    };
    let local = utc.to_zoned_datetime(ZONE.clone());
    if local.offset().is_zero() {
        return at.to_string();
    }
    local.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string()
}

/// Reads what [`audit::moment`] does; a time without a zone is local.
pub fn moment(text: &str) -> Result<Timestamp, String> {
    audit::moment(text).map(|at| meant(text, at))
}

/// The same of [`audit::until`].
pub fn until(text: &str) -> Result<Timestamp, String> {
    audit::until(text).map(|at| meant(text, at))
}

/// What was read as if it were in UTC.
fn meant(text: &str, read: Timestamp) -> Timestamp {
    let names_its_zone = text.len() > "2026-11-24T18:30".len();
    let wall = jiff::Timestamp::from_microsecond(read.unix_micros())
        .map(|at| TimeZone::UTC.to_datetime(at));
    match wall.and_then(|wall| ZONE.to_timestamp(wall)) {
        Ok(local) if !names_its_zone => Timestamp::from_micros(local.as_microsecond()),
        _ => read,
    }
}
