//! The audit trail as a file: read from the database some rows at a time while it is sent, so that a
//! million records need no more memory than a thousand.

use rocket::Request;
use rocket::futures::stream::{BoxStream, StreamExt};
use rocket::response::stream::{ByteStream, stream};
use rocket::response::{self, Responder, Response};
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::audit::{self, Entry, Filter};
use crate::foundation::error::Error;
use crate::people::users::User;

/// Rows that are read at once.
const ROWS: u32 = 1_000;

/// How the file is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180 with a header. A cell that a spreadsheet would take for a formula, or that begins
    /// with an apostrophe, has an apostrophe before it: drop that one to have the text again.
    Csv,
    /// An object a line, with the fields of `vestibule audit list --json`.
    JsonLines,
}

/// All records that a filter finds, newest first, to be saved under a name.
///
/// HTTP has no word for a failure after the beginning: the last line says that records are missing.
pub struct Export<'r> {
    format: Format,
    body: BoxStream<'r, Vec<u8>>,
}

impl<'r> Export<'r> {
    pub fn new(app: &'r App, admin: &User, format: Format, filter: Filter) -> Self {
        tracing::info!(by = admin.username, "the audit trail was exported");
        let filter = Filter {
            limit: ROWS,
            after: None,
            ..filter
        };
        Self {
            format,
            body: rows(app, format, filter).boxed(),
        }
    }
}

fn rows<'r>(
    app: &'r App,
    format: Format,
    mut filter: Filter,
) -> impl rocket::futures::Stream<Item = Vec<u8>> + Send + 'r {
    stream! {
        yield format.header();
        loop {
            let page = read(app, format, &mut filter).await;
            match page {
                Ok((text, more)) => {
                    yield text;
                    if !more {
                        return;
                    }
                }
                Err(error) => {
                    tracing::error!("an export of the audit trail broke off: {error}");
                    yield format.broken_off();
                    return;
                }
            }
        }
    }
}

/// The next rows as text, and whether there may be more; the filter then stands behind them.
async fn read(app: &App, format: Format, filter: &mut Filter) -> Result<(Vec<u8>, bool), Error> {
    let entries = audit::list(app.db.reader(), filter).await?;
    filter.after = entries.last().map(|entry| entry.id).or(filter.after);
    Ok((format.text(&entries), entries.len() == ROWS as usize))
}

impl Format {
    fn media_type(self) -> &'static str {
        match self {
            Self::Csv => "text/csv; charset=utf-8; header=present",
            Self::JsonLines => "application/jsonl; charset=utf-8",
        }
    }

    fn file_name(self) -> &'static str {
        match self {
            Self::Csv => "audit.csv",
            Self::JsonLines => "audit.jsonl",
        }
    }

    fn header(self) -> Vec<u8> {
        match self {
            Self::Csv => csv_lines([HEADER.map(str::to_owned)]),
            Self::JsonLines => Vec::new(),
        }
    }

    fn text(self, entries: &[Entry]) -> Vec<u8> {
        match self {
            Self::Csv => csv_lines(entries.iter().map(cells)),
            Self::JsonLines => entries.iter().flat_map(json_line).collect(),
        }
    }

    fn broken_off(self) -> Vec<u8> {
        const WHY: &str = "incomplete: the database failed, older records are missing";
        match self {
            Self::Csv => csv_lines([[WHY]]),
            Self::JsonLines => json_line(&BrokenOff { error: WHY }),
        }
    }
}

#[derive(Serialize)]
struct BrokenOff {
    error: &'static str,
}

const HEADER: [&str; 11] = [
    "id",
    "at",
    "event",
    "result",
    "source",
    "user_id",
    "username",
    "actor",
    "address",
    "session_id",
    "detail",
];

fn cells(entry: &Entry) -> [String; 11] {
    let id = |id: Option<uuid::Uuid>| id.map(|id| id.to_string()).unwrap_or_default();
    let text = |text: &Option<String>| harmless(text.as_deref().unwrap_or_default());
    [
        entry.id.to_string(),
        entry.at.to_string(),
        entry.event.clone(),
        entry.result.clone(),
        entry.source.clone(),
        id(entry.user_id),
        text(&entry.username),
        text(&entry.actor),
        text(&entry.address),
        id(entry.session_id),
        text(&entry.detail),
    ]
}

/// As OWASP has it for CSV injection, and so that it can be undone.
fn harmless(text: &str) -> String {
    if text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n', '\'']) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn csv_lines<R, C>(records: impl IntoIterator<Item = R>) -> Vec<u8>
where
    R: IntoIterator<Item = C>,
    C: AsRef<[u8]>,
{
    let mut writer = csv::WriterBuilder::new()
        .flexible(true)
        .terminator(csv::Terminator::CRLF)
        .from_writer(Vec::new());
    for record in records {
        // Into memory: nothing can fail.
        let _ = writer.write_record(record);
    }
    writer.into_inner().unwrap_or_default()
}

fn json_line<T: Serialize>(value: &T) -> Vec<u8> {
    let mut line = serde_json::to_vec(value).unwrap_or_default();
    line.push(b'\n');
    line
}

impl<'r> Responder<'r, 'r> for Export<'r> {
    fn respond_to(self, request: &'r Request<'_>) -> response::Result<'r> {
        let disposition = format!("attachment; filename=\"{}\"", self.format.file_name());
        Response::build_from(ByteStream(self.body).respond_to(request)?)
            .raw_header("Content-Type", self.format.media_type())
            .raw_header("Content-Disposition", disposition)
            .ok()
    }
}
