//! The audit trail: read by page, and handed out whole as CSV or JSON Lines.

use rocket::http::Status;
use rocket::{FromForm, get, routes};
use serde::Serialize;
use uuid::{Uuid, Version};

use super::export::{Export, Format};
use super::query::{self, address, bad};
use crate::foundation::app::App;
use crate::foundation::audit::{self, EntryView, Event, Filter};
use crate::people::users::{self, Former};
use crate::sessions::Admin;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Refusal, Slice, Visit};

const HERE: &str = "/admin/audit";
const CSV: &str = "/admin/audit.csv";
const JSONL: &str = "/admin/audit.jsonl";
const MAX_LIMIT: u32 = 200;

/// As many names as a browser suggests for a field.
const USERS_SUGGESTED: u32 = 200;

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![list, export_csv, export_jsonl];
    Slice::new(routes, vec![PageKind::of::<AuditPage>()])
}

/// What the address says; what is empty in the form is left out.
#[derive(FromForm)]
struct Asked<'r> {
    q: Option<&'r str>,
    event: Option<&'r str>,
    user: Option<&'r str>,
    address: Option<&'r str>,
    since: Option<&'r str>,
    until: Option<&'r str>,
    after: Option<&'r str>,
    limit: Option<&'r str>,
}

#[get("/admin/audit?<asked..>")]
async fn list(app: &App, _visit: Visit, admin: Admin, asked: Asked<'_>) -> Result<Answer, Failure> {
    let mut filter = asked.filter(app).await?;
    let limit = filter.limit;
    // One more tells whether there is another page.
    filter.limit += 1;
    let mut entries = audit::list(app.db.reader(), &filter).await?;
    let more = entries.len() > limit as usize;
    entries.truncate(limit as usize);
    let next = entries.last().filter(|_| more).map(|entry| entry.id);
    let page = AuditPage {
        users: users::some_usernames(app.db.reader(), USERS_SUGGESTED).await?,
        former: users::former_by_name(app.db.reader(), given(asked.user).unwrap_or_default())
            .await?,
        more: next.map(|id| asked.link(HERE, Some(id))),
        first: filter.after.map(|_| asked.link(HERE, None)),
        csv: asked.link(CSV, None),
        jsonl: asked.link(JSONL, None),
        events: kinds(),
        records: entries.into_iter().map(EntryView::from).collect(),
        query: asked.shown(limit),
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

#[get("/admin/audit.csv?<asked..>")]
async fn export_csv<'r>(
    app: &'r App,
    _visit: Visit,
    admin: Admin,
    asked: Asked<'r>,
) -> Result<Export<'r>, Failure> {
    Ok(Export::new(
        app,
        &admin,
        Format::Csv,
        asked.filter(app).await?,
    ))
}

#[get("/admin/audit.jsonl?<asked..>")]
async fn export_jsonl<'r>(
    app: &'r App,
    _visit: Visit,
    admin: Admin,
    asked: Asked<'r>,
) -> Result<Export<'r>, Failure> {
    Ok(Export::new(
        app,
        &admin,
        Format::JsonLines,
        asked.filter(app).await?,
    ))
}

impl Asked<'_> {
    async fn filter(&self, app: &App) -> Result<Filter, Failure> {
        Ok(Filter {
            q: read("q", self.q, audit::search)?,
            event: read("event", self.event, |name| {
                Event::parse(name).ok_or_else(|| "is no event".to_owned())
            })?,
            subject: match given(self.user) {
                Some(user) => Some(users::audit_subject(app.db.reader(), user).await?),
                None => None,
            },
            address: read("address", self.address, audit::address)?,
            since: read("since", self.since, audit::moment)?,
            until: read("until", self.until, audit::until)?,
            after: read("after", self.after, cursor)?,
            limit: query::limit(self.limit, MAX_LIMIT)?,
        })
    }

    /// The same records at `path`, those after `after`.
    fn link(&self, path: &str, after: Option<Uuid>) -> String {
        let after = after.map(|id| id.to_string());
        let limit = given(self.limit).filter(|_| path == HERE);
        let parameters = [
            ("q", given(self.q)),
            ("event", given(self.event)),
            ("user", given(self.user)),
            ("address", given(self.address)),
            ("since", given(self.since)),
            ("until", given(self.until)),
            ("after", after.as_deref()),
            ("limit", limit),
        ];
        address(
            path,
            &parameters.map(|(name, value)| (name, value.unwrap_or_default())),
        )
    }

    fn shown(&self, limit: u32) -> QueryView {
        let text = |value| given(value).unwrap_or_default().to_owned();
        QueryView {
            q: text(self.q),
            event: text(self.event),
            user: text(self.user),
            address: text(self.address),
            since: text(self.since),
            until: text(self.until),
            limit: (limit != query::DEFAULT_LIMIT).then_some(limit),
        }
    }
}

fn given(value: Option<&str>) -> Option<&str> {
    value.map(str::trim).filter(|value| !value.is_empty())
}

fn read<T>(
    name: &str,
    value: Option<&str>,
    parse: impl FnOnce(&str) -> Result<T, String>,
) -> Result<Option<T>, Refusal> {
    given(value).map(parse).transpose().map_err(|why| Refusal {
        message: format!("The parameter “{name}” in this address {why}."),
        ..bad(name).link(HERE, "All audit records")
    })
}

/// The id of a record, which need not be there any more.
fn cursor(text: &str) -> Result<Uuid, String> {
    Uuid::try_parse(text)
        .ok()
        .filter(|id| id.get_version() == Some(Version::SortRand))
        .ok_or_else(|| "is no place in this list".to_owned())
}

#[derive(Serialize)]
pub struct AuditPage {
    query: QueryView,
    /// Who had the name that is asked for and was deleted.
    former: Vec<Former>,
    users: Vec<String>,
    events: Vec<Kind>,
    records: Vec<EntryView>,
    more: Option<String>,
    first: Option<String>,
    csv: String,
    jsonl: String,
}

#[derive(Serialize)]
struct QueryView {
    q: String,
    event: String,
    user: String,
    address: String,
    since: String,
    until: String,
    /// Where it is not the usual one.
    limit: Option<u32>,
}

/// A kind of event to choose.
#[derive(Serialize)]
struct Kind {
    name: &'static str,
    text: &'static str,
}

fn kinds() -> Vec<Kind> {
    Event::all()
        .iter()
        .map(|event| Kind {
            name: event.as_str(),
            text: audit::describe(event.as_str()),
        })
        .collect()
}

impl Page for AuditPage {
    const TEMPLATE: Template = template!("admin/audit.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |text: &str, limit, records, place: Option<&str>| Self {
            query: QueryView {
                q: text.to_owned(),
                event: text.to_owned(),
                user: text.to_owned(),
                address: text.to_owned(),
                since: text.to_owned(),
                until: text.to_owned(),
                limit,
            },
            former: Former::samples(text),
            users: vec![text.to_owned()],
            events: kinds(),
            records,
            more: place.map(str::to_owned),
            first: place.map(str::to_owned),
            csv: CSV.to_owned(),
            jsonl: JSONL.to_owned(),
        };
        vec![
            page("", None, Vec::new(), None),
            page(text, Some(10), Vec::new(), None),
            page(text, None, Vec::new(), Some(text)),
            page(text, Some(10), EntryView::samples(text), Some(text)),
        ]
    }
}
