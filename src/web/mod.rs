//! HTTP, as far as Rocket leaves it to us: which requests are heard at all, and what every answer
//! has.
//!
//! A GET route asks for a [`Visit`], a POST route for a [`Visit`] and its form as [`Posted`]; each
//! answers with an [`Answer`] or a [`Failure`].

mod answer;
pub mod assets;
pub mod cookies;
mod form;
pub(crate) mod headers;
mod origin;
pub mod pages;
pub(crate) mod peer;
mod received;
mod refusal;
pub mod return_to;
mod visit;

pub use answer::{Answer, Failure};
pub use form::{Fields, Posted};
pub(crate) use headers::Aside;
pub(crate) use received::Received;
pub use refusal::{Link, Refusal};
pub use return_to::back_to;
pub use visit::{AnyHost, Opened, Visit};
pub(crate) use visit::{is_navigation, navigates, wants_json};
