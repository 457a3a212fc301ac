//! In a build that sends no mail.

use uuid::Uuid;

use super::{Failure, Message};
use crate::foundation::settings::Settings;

/// What was done on the way.
pub type Step = String;

/// # Errors
/// Always: this build lacks the feature.
pub fn deliver(_: &Settings, _: Uuid, _: &Message, _: &mut dyn FnMut(Step)) -> Result<(), Failure> {
    Err(Failure {
        text: "this build sends no mail; build it with the feature `mail`".to_owned(),
        is_permanent: false,
    })
}
