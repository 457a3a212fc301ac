//! Which nodes run on this database, and what a fail-over of its server would lose.

use rocket::http::Status;
use rocket::{get, routes};
use serde::Serialize;

use crate::foundation::app::App;
use crate::foundation::clock::Timestamp;
use crate::foundation::db::{Node, ServerStatus};
use crate::sessions::Admin;
use crate::web::pages::{Page, PageKind, Template, template};
use crate::web::{Answer, Failure, Slice, Visit};

#[must_use]
pub fn slice() -> Slice {
    Slice::new(routes![show], vec![PageKind::of::<NodesPage>()])
}

#[get("/admin/nodes")]
async fn show(app: &App, _visit: Visit, admin: Admin) -> Result<Answer, Failure> {
    let page = NodesPage::of(app.db.to_string(), app.db.server().await?);
    Ok(Answer::page(app, Status::Ok, &page, Some(&admin.0))?)
}

#[derive(Serialize)]
pub struct NodesPage {
    database: String,
    /// PostgreSQL's version, and what a fail-over loses. `None`: one server runs on a file.
    server: Option<(String, &'static str)>,
    nodes: Vec<Node>,
}

impl NodesPage {
    fn of(database: String, server: Option<ServerStatus>) -> Self {
        let facts = |server: &ServerStatus| (server.version.clone(), server.at_failover());
        Self {
            database,
            server: server.as_ref().map(facts),
            nodes: server.map(|server| server.nodes).unwrap_or_default(),
        }
    }
}

impl Page for NodesPage {
    const TEMPLATE: Template = template!("admin/nodes.html");

    fn samples(text: &str) -> Vec<Self> {
        let node = |leads| Node {
            id: uuid::Uuid::nil(),
            name: text.to_owned(),
            version: text.to_owned(),
            started_at: Timestamp::from_micros(0),
            seen_at: Timestamp::from_micros(0),
            leads,
        };
        let server = ServerStatus {
            version: text.to_owned(),
            nodes: vec![node(true), node(false)],
            standbys: 0,
            synchronous: false,
        };
        let page = |server| Self::of(text.to_owned(), server);
        vec![page(None), page(Some(server))]
    }
}
