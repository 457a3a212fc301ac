//! What the pages of users show.

use serde::Serialize;

use crate::admin::query::Pager;
use crate::foundation::audit;
use crate::foundation::clock::Timestamp;
use crate::foundation::version::Version;
use crate::people::approvals::Waiting;
use crate::people::users::{Listed, User};
use crate::sessions::view::SessionView;
use crate::sites::tokens::TokenView;
use crate::web::pages::{Page, Template, template};

#[derive(Serialize)]
pub struct UsersPage {
    pub q: String,
    pub users: Vec<UserView>,
    /// Those of them whose addresses nobody has confirmed, as the form names them.
    pub unconfirmed: Vec<String>,
    pub error: Option<String>,
    /// For an admin's approval.
    pub waiting: Vec<Waiting>,
    #[serde(flatten)]
    pub pager: Pager,
}

#[derive(Serialize)]
pub struct UserView {
    #[serde(flatten)]
    pub user: User,
    pub disabled: bool,
    pub live_sessions: i64,
}

impl From<Listed> for UserView {
    fn from(listed: Listed) -> Self {
        Self {
            disabled: listed.user.disabled_at.is_some(),
            live_sessions: listed.live_sessions,
            user: listed.user,
        }
    }
}

impl Page for UsersPage {
    const TEMPLATE: Template = template!("admin/users.html");

    fn samples(text: &str) -> Vec<Self> {
        let user = || UserView {
            user: User::sample(text),
            disabled: true,
            live_sessions: 2,
        };
        let page = |users: Vec<UserView>, waiting, pager| Self {
            q: text.to_owned(),
            unconfirmed: users.iter().map(|_| text.to_owned()).collect(),
            error: users.first().map(|_| text.to_owned()),
            users,
            waiting,
            pager,
        };
        vec![
            page(Vec::new(), Vec::new(), Pager::default()),
            page(
                vec![user()],
                vec![Waiting::sample(text)],
                Pager::sample(text),
            ),
        ]
    }
}

#[derive(Default, Serialize)]
pub struct NewUserPage {
    pub error: Option<String>,
    pub form: NewUserValues,
}

#[derive(Default, Serialize)]
pub struct NewUserValues {
    pub username: String,
    pub display_name: String,
    pub email: String,
    pub groups: String,
    pub admin: bool,
}

impl Page for NewUserPage {
    const TEMPLATE: Template = template!("admin/user_new.html");

    fn samples(text: &str) -> Vec<Self> {
        let form = NewUserValues {
            username: text.to_owned(),
            display_name: text.to_owned(),
            email: text.to_owned(),
            groups: text.to_owned(),
            admin: true,
        };
        vec![
            Self::default(),
            Self {
                error: Some(text.to_owned()),
                form,
            },
        ]
    }
}

#[derive(Serialize)]
pub struct UserPage {
    pub user: UserFacts,
    pub error: Option<String>,
    /// Shown this once.
    pub password: Option<String>,
    /// Shown this once, too.
    pub link: Option<String>,
    /// And this.
    pub code: Option<String>,
    /// A code is asked for before a first factor.
    pub takes_code: bool,
    pub own: bool,
    pub sessions: Vec<SessionView>,
    pub tokens: Vec<TokenView>,
    pub records: Vec<audit::EntryView>,
    /// The address of this page, to come back to.
    pub rd: String,
}

#[derive(Serialize)]
pub struct UserFacts {
    #[serde(flatten)]
    pub user: User,
    pub groups_text: String,
    pub version: Version,
}

impl From<User> for UserFacts {
    fn from(user: User) -> Self {
        Self {
            groups_text: user.groups.join(", "),
            version: user.version(),
            user,
        }
    }
}

impl Page for UserPage {
    const TEMPLATE: Template = template!("admin/user.html");

    fn samples(text: &str) -> Vec<Self> {
        let page = |disabled_at, told: Option<&str>| Self {
            user: UserFacts::from(User {
                disabled_at,
                ..User::sample(text)
            }),
            error: told.map(str::to_owned),
            password: told.map(str::to_owned),
            link: told.map(str::to_owned),
            code: told.map(str::to_owned),
            takes_code: told.is_none(),
            own: told.is_some(),
            sessions: SessionView::samples(text),
            tokens: TokenView::samples(text),
            records: audit::EntryView::samples(text),
            rd: text.to_owned(),
        };
        vec![
            page(None, None),
            page(Some(Timestamp::from_micros(0)), Some(text)),
        ]
    }
}

#[derive(Serialize)]
pub struct DeletePage {
    pub user: User,
    pub sessions: usize,
}

impl Page for DeletePage {
    const TEMPLATE: Template = template!("admin/user_delete.html");

    fn samples(text: &str) -> Vec<Self> {
        vec![Self {
            user: User::sample(text),
            sessions: 2,
        }]
    }
}
