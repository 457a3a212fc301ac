//! The session object: typed data that a site keeps for a visitor, stored with the session.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{CurrentSession, store, stored_object};
use crate::foundation::error::Error;

impl CurrentSession {
    /// What was stored under `key`; `None` if nothing was.
    ///
    /// # Errors
    /// The database failed, or what is stored is no `T`.
    pub async fn get<T: DeserializeOwned>(&self, key: &str) -> Result<Option<T>, Error> {
        let text = stored_object(&self.app, &self.token_hash).await?;
        let mut object = parse(text.as_deref())?;
        Ok(object.remove(key).map(serde_json::from_value).transpose()?)
    }

    /// Stores `value` under `key`, for as long as the session lives. It is there for the next
    /// request, also after a restart.
    ///
    /// # Errors
    /// The database failed, or `value` has no JSON form.
    pub async fn set<T: Serialize + Sync>(&self, key: &str, value: &T) -> Result<(), Error> {
        let value = serde_json::to_value(value)?;
        self.change(|object| {
            object.insert(key.to_owned(), value);
        })
        .await
    }

    /// Forgets what is stored under `key`; nothing happens if there is nothing.
    ///
    /// # Errors
    /// The database failed.
    pub async fn remove(&self, key: &str) -> Result<(), Error> {
        self.change(|object| {
            object.remove(key);
        })
        .await
    }

    async fn change(
        &self,
        change: impl FnOnce(&mut Map<String, Value>) + Send,
    ) -> Result<(), Error> {
        let mut tx = self.app.db.begin().await?;
        let text = store::data_for_change(&mut tx, self.session.id).await?;
        let mut object = parse(text.as_deref())?;
        change(&mut object);
        store::set_data(&mut tx, self.session.id, &Value::Object(object).to_string()).await?;
        tx.commit().await?;
        Ok(())
    }
}

fn parse(text: Option<&str>) -> Result<Map<String, Value>, Error> {
    Ok(text
        .map(serde_json::from_str)
        .transpose()?
        .unwrap_or_default())
}
