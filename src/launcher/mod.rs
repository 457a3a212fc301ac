//! What one may open, for the start page: sites by their rules, applications by their groups, with name and icon.

pub mod icon;
mod routes;
mod store;
mod upload;

use std::sync::Arc;

use uuid::Uuid;

use crate::account::{Launcher, Tile};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::error::Error;
use crate::oidc::clients;
use crate::sessions::CurrentSession;
use crate::sites::decision::{Asked, decide};
use crate::sites::host::Pattern;
use crate::sites::policy;
use crate::sites::rules::Site;
use crate::sites::visitor::Visitor;
use crate::web::{Device, Slice};
use icon::Icon;

pub use upload::Uploaded;

/// More than people look through, too few to make a page slow.
const MOST_TILES: usize = 200;

#[must_use]
pub fn slice() -> Slice {
    Slice::new(routes::routes(), Vec::new()).with_setup(|builder| {
        builder.manage::<Box<dyn Launcher>>(Box::new(SitesAndClients));
        Ok(())
    })
}

/// Whose icon it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Owner {
    Client(String),
    Site(Uuid),
}

impl Owner {
    fn client(&self) -> Option<&str> {
        match self {
            Self::Client(id) => Some(id),
            Self::Site(_) => None,
        }
    }

    fn site(&self) -> Option<Uuid> {
        match self {
            Self::Client(_) => None,
            Self::Site(id) => Some(*id),
        }
    }
}

/// The addresses of all icons. A new icon has a new one, so that browsers may keep each for ever.
pub struct Icons(Vec<store::Placed>);

impl Icons {
    /// # Errors
    /// The database failed.
    pub async fn read(app: &App) -> Result<Self, Error> {
        Ok(Self(store::icons(app.db.reader()).await?))
    }

    /// `None`: it has none.
    #[must_use]
    pub fn of(&self, owner: &Owner) -> Option<String> {
        let is_its = |icon: &&store::Placed| {
            icon.client_id.as_deref() == owner.client() && icon.site_id == owner.site()
        };
        let found = self.0.iter().find(is_its);
        found.map(|icon| format!("/account/icons/{}", icon.id))
    }
}

/// Gives it an icon, or takes the one it has away; `name` is for the audit trail.
///
/// # Errors
/// The database failed.
pub async fn set_icon(
    app: &App,
    actor: &Actor,
    owner: &Owner,
    name: &str,
    icon: Option<&Icon>,
) -> Result<(), Error> {
    let mut tx = app.db.begin().await?;
    store::delete(&mut tx, owner).await?;
    if let Some(icon) = icon {
        let is_there = store::insert(&mut tx, Uuid::now_v7(), owner, icon).await?;
        if !is_there {
            return Ok(());
        }
    }
    let (event, detail) = match owner {
        Owner::Client(_) => (Event::ClientChange, format!("icon of {name}")),
        Owner::Site(_) => (Event::SiteChange, format!("changed the icon of {name}")),
    };
    let record = Record::anonymous(event).detail(detail);
    audit::commit(tx, app.clock.now(), actor, &[record]).await
}

struct SitesAndClients;

#[rocket::async_trait]
impl Launcher for SitesAndClients {
    async fn tiles(
        &self,
        app: &App,
        current: &CurrentSession,
        device: &Device,
    ) -> Result<Vec<Tile>, Error> {
        let icons = Icons::read(app).await?;
        let mut tiles = of_sites(app, current, device, &icons).await?;
        tiles.extend(of_clients(app, current, &icons).await?);
        tiles.sort_by_cached_key(|tile| tile.name.to_lowercase());
        tiles.truncate(MOST_TILES);
        Ok(tiles)
    }
}

/// Whose front page the user would be let in to, from here, if need be with a second factor. All hosts below a domain have none.
async fn of_sites(
    app: &App,
    current: &CurrentSession,
    device: &Device,
    icons: &Icons,
) -> Result<Vec<Tile>, Error> {
    let asked = Asked {
        method: "GET",
        path: "/",
        address: Some(device.address),
    };
    let visitor = Visitor::signed_in(Arc::new(current.user.clone()), current.session.methods);
    let opens = |site: &&Site| decide(site, &asked, Some(&visitor)).may_open();
    let policy = policy::current(app).await?;
    let scheme = app.settings.url().scheme();
    let tile = |site: &Site| {
        let Pattern::Exact(host) = &site.host else {
            return None;
        };
        let name = match site.terms.name.as_str() {
            "" => host.name(),
            name => name,
        };
        let icon = icons.of(&Owner::Site(site.id));
        Some(Tile::new(name, format!("{scheme}://{}/", site.host), icon))
    };
    Ok(policy.sites.iter().filter(opens).filter_map(tile).collect())
}

async fn of_clients(
    app: &App,
    current: &CurrentSession,
    icons: &Icons,
) -> Result<Vec<Tile>, Error> {
    if !app.settings.oidc.enabled {
        return Ok(Vec::new());
    }
    let clients = clients::list(app).await?;
    let own = clients
        .into_iter()
        .filter(|client| client.is_for(&current.user));
    let tile = |client: clients::Client| {
        let icon = icons.of(&Owner::Client(client.id));
        Some(Tile::new(&client.name, client.launch_url?, icon))
    };
    Ok(own.filter_map(tile).collect())
}
