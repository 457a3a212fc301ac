//! What records and pages need to know of a person. Users implement it, who stand above.

use uuid::Uuid;

pub trait Person {
    fn id(&self) -> Uuid;
    fn username(&self) -> &str;
    /// What pages call the person.
    fn shown_name(&self) -> &str;
    fn is_admin(&self) -> bool;
}
