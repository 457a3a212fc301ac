//! Who signs in, and how they prove it.

pub mod app_tokens;
pub mod approvals;
pub mod invitations;
pub mod links;
pub mod notices;
pub(crate) mod passkeys;
pub mod passwords;
pub mod recovery_codes;
pub(crate) mod second_factors;
pub mod totp;
pub mod users;

use crate::foundation::app::AppBuilder;
use crate::foundation::error::Error;
use crate::web::Slice;
use passwords::Hasher;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(Vec::new(), Vec::new()).with_setup(setup)
}

fn setup(builder: &mut AppBuilder) -> Result<(), Error> {
    passkeys::setup(builder);
    passwords::setup(builder)?;
    app_tokens::setup(builder);
    builder.on_launch(|app| {
        Box::pin(async {
            let own = users::kinds_of_hashes(app.db.reader()).await?;
            let foreign = users::foreign_hashes(app.db.reader()).await?;
            for kind in own.iter().chain(&foreign) {
                app.state::<Hasher>().allow_for(kind);
            }
            Ok(())
        })
    });
    Ok(())
}
