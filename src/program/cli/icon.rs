//! Icons by the command line.

use super::Fault;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::launcher::icon::Icon;
use crate::launcher::{Owner, set_icon};

/// What `--icon` asks for, read before anything is changed.
pub enum Wanted {
    Nothing,
    Away,
    This(Icon),
}

impl Wanted {
    /// # Errors
    /// The file cannot be read, or is no icon.
    pub fn read(file: Option<&str>) -> Result<Self, Fault> {
        let Some(file) = file else {
            return Ok(Self::Nothing);
        };
        if file.is_empty() {
            return Ok(Self::Away);
        }
        let told = |why: String| format!("{file}: {why}");
        let image = std::fs::read(file).map_err(|error| told(error.to_string()))?;
        let icon = Icon::read(image).map_err(|no_icon| told(no_icon.to_string()))?;
        Ok(Self::This(icon))
    }

    /// # Errors
    /// The database failed.
    pub async fn put(&self, app: &App, owner: &Owner, name: &str) -> Result<(), Fault> {
        let icon = match self {
            Self::Nothing => return Ok(()),
            Self::Away => None,
            Self::This(icon) => Some(icon),
        };
        Ok(set_icon(app, &Actor::operator(), owner, name, icon).await?)
    }
}
