//! How things stand: who is signed in, and how sign-ins went of late.

use rocket::http::Status;
use rocket::{get, routes};
use serde::Serialize;

use super::chart::{Chart, Day};
use crate::foundation::app::App;
use crate::foundation::audit::{self, EntryView, Filter};
use crate::foundation::clock::{DAY, Timestamp};
use crate::foundation::error::Error;
use crate::people::{approvals, users};
use crate::sessions::{self, Admin};
use crate::web::pages::{Page, PageKind, Template, grouped, template};
use crate::web::{Answer, Failure, Slice, Visit};

/// Days in the chart, today's included.
const DAYS: u32 = 30;
const RECORDS: u32 = 10;

#[must_use]
pub fn slice() -> Slice {
    let routes = routes![show];
    Slice::new(routes, vec![PageKind::of::<OverviewPage>()])
}

#[get("/admin")]
async fn show(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    let now = app.clock.now();
    let (_, failures) =
        audit::count_sign_ins(app.db.reader(), now.minus(DAY), now.plus(DAY)).await?;
    let newest = Filter {
        limit: RECORDS,
        ..Filter::default()
    };
    let records = audit::list(app.db.reader(), &newest).await?;
    let page = OverviewPage {
        live: grouped(sessions::count_live(app).await?),
        users: grouped(users::count(app.db.reader()).await?),
        failures: grouped(failures),
        waiting: approvals::count(app).await?,
        chart: Chart::of(sign_ins_by_day(app, now).await?),
        records: records.into_iter().map(EntryView::from).collect(),
    };
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

/// The last days of UTC, oldest first; the last one is not over.
async fn sign_ins_by_day(app: &App, now: Timestamp) -> Result<Vec<Day>, Error> {
    let mut days = Vec::new();
    for ago in (0..DAYS).rev() {
        let start = now.start_of_day().minus(DAY * ago);
        let (ok, refused) = audit::count_sign_ins(app.db.reader(), start, start.plus(DAY)).await?;
        days.push(Day { start, ok, refused });
    }
    Ok(days)
}

#[derive(Serialize)]
pub struct OverviewPage {
    live: String,
    users: String,
    failures: String,
    /// Users who wait for approval.
    waiting: i64,
    #[serde(flatten)]
    chart: Chart,
    records: Vec<EntryView>,
}

impl Page for OverviewPage {
    const TEMPLATE: Template = template!("admin/overview.html");

    fn samples(text: &str) -> Vec<Self> {
        let start = Timestamp::parse("2026-03-01T00:00:00Z").expect("a time");
        let page = |refused, records| Self {
            live: "1".to_owned(),
            users: "1,234".to_owned(),
            failures: grouped(refused),
            waiting: refused,
            chart: Chart::of(vec![Day {
                start,
                ok: refused * 2,
                refused,
            }]),
            records,
        };
        vec![page(0, Vec::new()), page(3, EntryView::samples(text))]
    }
}
