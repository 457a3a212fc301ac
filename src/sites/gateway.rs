//! How a sign-in leads to a protected site: with a ticket.

use super::frame;
use super::tickets::{mint, site_address};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::token::TokenHash;
use crate::login::{Entrance, External, Gateway};

struct Tickets;

pub(super) fn registered() -> Box<dyn Gateway> {
    Box::new(Tickets)
}

#[rocket::async_trait]
impl Gateway for Tickets {
    async fn find(&self, app: &App, rd: &str) -> Result<Option<External>, Error> {
        let site = site_address(app, rd).await?;
        Ok(site.map(|site| External {
            host: site.host().to_string(),
            url: site.as_str().to_owned(),
        }))
    }

    fn out_of_frame(&self, app: &App, to: &External) -> String {
        frame::address(app, to)
    }

    async fn enter(
        &self,
        app: &App,
        to: &External,
        session: &TokenHash,
        flow: &TokenHash,
        retry: bool,
    ) -> Result<Option<Entrance>, Error> {
        // Read again: the site may be gone since.
        let Some(site) = site_address(app, &to.url).await? else {
            return Ok(None);
        };
        let minted = mint(app, session, &site, flow, retry).await?;
        Ok(minted.map(|minted| Entrance {
            url: minted.entrance,
            cookie: minted.domain_cookie,
        }))
    }
}
