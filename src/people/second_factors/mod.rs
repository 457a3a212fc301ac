//! What concerns all second factors of a user together.

mod store;

use uuid::Uuid;

use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::people::recovery_codes;

pub(crate) use store::{any, count_without};

/// Removes all of them, with the recovery codes.
pub(crate) async fn remove_all(tx: &mut Tx, user_id: Uuid) -> Result<(), Error> {
    Ok(store::remove_all(tx, user_id).await?)
}

/// Once one was removed: recovery codes go with the last one, for they replace nothing any more.
pub(crate) async fn after_removal(tx: &mut Tx, user_id: Uuid) -> Result<(), Error> {
    if !store::any(tx, user_id).await? {
        recovery_codes::forget(tx, user_id).await?;
    }
    Ok(())
}
