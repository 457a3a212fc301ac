//! What every page needs: which requests are taken at all, forms, cookies, answers and their headers,
//! templates.
//!
//! A GET route asks for a [`Visit`], a POST route for a [`Visit`] and its form as [`Posted`]; each
//! answers with an [`Answer`] or a [`Failure`]. A feature announces its routes and pages as a
//! [`Slice`].

mod answer;
mod assets;
pub mod cookies;
pub(crate) mod denials;
mod error_page;
mod form;
pub(crate) mod headers;
pub(crate) mod letters;
pub(crate) mod navigation;
pub(crate) mod origin;
#[cfg(feature = "program")]
pub(crate) mod outgoing;
pub mod pages;
pub(crate) mod peer;
mod refusal;
pub mod return_to;
mod slice;
mod visit;
mod visitor;

pub(crate) use answer::report;
pub use answer::{Answer, Failure};
pub(crate) use answer::{OwnHeader, SVG};

pub use denials::Denied;
pub use error_page::ErrorPage;
pub use form::{Fields, Posted};
pub(crate) use headers::ResponseExtras;
pub use refusal::{Link, Refusal};
pub use return_to::{back_to, with_query};
pub use slice::Slice;
pub(crate) use visit::wants_json;
pub use visit::{AnyHost, CookieHeaders, Device, Opened, Visit};
pub use visitor::Visitor;

use pages::PageKind;

/// What every page shares: stylesheet, icon, the page of errors, and the counts of denials.
#[must_use]
pub fn slice() -> Slice {
    Slice::new(assets::routes(), vec![PageKind::of::<ErrorPage>()]).with_setup(|builder| {
        denials::register(builder);
        Ok(())
    })
}
