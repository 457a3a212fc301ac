//! The form that changes an application.

use rocket::{FromForm, post};
use serde::Serialize;

use super::page::ApplicationPage;
use super::{find, page_of};
use crate::admin::conflict::ConflictPage;
use crate::foundation::app::App;
use crate::foundation::audit::Actor;
use crate::foundation::clock::Timestamp;
use crate::foundation::version::Version;
use crate::login::Sensitive;
use crate::oidc::clients::{self, Client, Refused};
use crate::people::users::group_name;
use crate::sessions::Admin;
use crate::web::{Answer, Failure, Refusal, Visit};

/// What stands in the form: lists of addresses and rules have a line for each.
#[derive(Clone, Default, FromForm, Serialize)]
pub struct EditForm {
    name: String,
    redirect_uris: String,
    sign_out_uris: Option<String>,
    back_channel_uri: Option<String>,
    launch_url: Option<String>,
    groups: Option<String>,
    consent: String,
    /// `one` or `two`.
    factor: String,
    /// `on`, or absent, as are the next two.
    pkce: Option<String>,
    offline_access: Option<String>,
    disabled: Option<String>,
    claims: Option<String>,
    #[serde(skip)]
    version: Option<Version>,
}

fn words(text: Option<&String>) -> Vec<String> {
    let text = text.map(String::as_str).unwrap_or_default();
    text.split_whitespace().map(str::to_owned).collect()
}

fn lines(items: &[String]) -> Option<String> {
    Some(items.join("\n"))
}

fn checked(is: bool) -> Option<String> {
    is.then(|| "on".to_owned())
}

impl EditForm {
    pub fn of(client: &Client) -> Self {
        let rules: Vec<String> = client.claims.iter().map(ToString::to_string).collect();
        Self {
            name: client.name.clone(),
            redirect_uris: client.redirect_uris.join("\n"),
            sign_out_uris: lines(&client.sign_out_uris),
            back_channel_uri: client.back_channel_uri.clone(),
            launch_url: client.launch_url.clone(),
            groups: Some(client.groups.join(", ")),
            consent: client.consent.as_str().to_owned(),
            factor: if client.two_factors { "two" } else { "one" }.to_owned(),
            pkce: checked(client.pkce),
            offline_access: checked(client.offline_access),
            disabled: checked(client.disabled_at.is_some()),
            claims: lines(&rules),
            version: None,
        }
    }

    pub fn sample(text: &str) -> Self {
        let some = || Some(text.to_owned());
        Self {
            name: text.to_owned(),
            redirect_uris: text.to_owned(),
            sign_out_uris: some(),
            back_channel_uri: some(),
            launch_url: some(),
            groups: some(),
            consent: "once".to_owned(),
            factor: "two".to_owned(),
            pkce: checked(true),
            offline_access: None,
            disabled: None,
            claims: some(),
            version: None,
        }
    }

    /// Makes a client of it what the form says; what is not in the form stays.
    fn apply(&self, client: &mut Client, now: Timestamp) -> Result<(), String> {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        let groups = text(&self.groups).replace(',', " ");
        let groups = groups.split_whitespace().map(group_name);
        client.groups = groups
            .collect::<Result<_, _>>()
            .map_err(|invalid| invalid.to_string())?;
        let rules = text(&self.claims);
        let rules = rules.lines().filter(|line| !line.trim().is_empty());
        client.claims = rules.map(str::parse).collect::<Result<_, _>>()?;
        client.consent = self.consent.parse()?;
        client.two_factors = self.factor == "two";
        client.name = self.name.trim().to_owned();
        client.redirect_uris = words(Some(&self.redirect_uris));
        client.sign_out_uris = words(self.sign_out_uris.as_ref());
        let filled = |field| Some(text(field).trim().to_owned()).filter(|text| !text.is_empty());
        client.back_channel_uri = filled(&self.back_channel_uri);
        client.launch_url = filled(&self.launch_url);
        // Of a public client it is always asked.
        client.pkce = self.pkce.is_some() || client.is_public();
        client.offline_access = self.offline_access.is_some();
        client.set_disabled(self.disabled.is_some(), now);
        Ok(())
    }

    /// Fields as they are sent, with their labels.
    fn fields(&self) -> [(&'static str, &'static str, String); 12] {
        let text = |field: &Option<String>| field.clone().unwrap_or_default();
        [
            ("name", "Name", self.name.clone()),
            ("redirect_uris", "Redirect URIs", self.redirect_uris.clone()),
            ("sign_out_uris", "Sign-out URIs", text(&self.sign_out_uris)),
            (
                "back_channel_uri",
                "Back-channel URI",
                text(&self.back_channel_uri),
            ),
            ("launch_url", "Start address", text(&self.launch_url)),
            ("groups", "Groups", text(&self.groups)),
            ("consent", "People are asked", self.consent.clone()),
            ("factor", "Factors", self.factor.clone()),
            ("pkce", "PKCE", text(&self.pkce)),
            (
                "offline_access",
                "Goes on after the session",
                text(&self.offline_access),
            ),
            ("disabled", "Disabled", text(&self.disabled)),
            ("claims", "Claim rules", text(&self.claims)),
        ]
    }

    fn conflict(&self, now: &Client) -> ConflictPage {
        let page = ConflictPage::new(&now.name, page_of(&now.id), now.version());
        let stored = Self::of(now).fields();
        let both = stored.into_iter().zip(self.fields());
        both.fold(page, |page, ((_, label, now), (name, _, wanted))| {
            let of_lines = |text: &str| text.lines().map(str::to_owned).collect();
            let page = page.compare_lists(label, of_lines(&now), of_lines(&wanted));
            // A box that is not ticked is not sent.
            let is_box = matches!(name, "pkce" | "offline_access" | "disabled");
            if is_box && wanted.is_empty() {
                return page;
            }
            page.field(name, &wanted)
        })
    }
}

#[post("/admin/applications/<id>", data = "<form>")]
pub(super) async fn change(
    app: &App,
    visit: Visit,
    admin: Admin,
    id: &str,
    form: Sensitive<EditForm>,
) -> Result<Answer, Failure> {
    let Sensitive(form) = form;
    let actor = Actor::user(&admin.0, visit.address);
    let version = form.version.as_ref();
    match clients::edit(app, &actor, id, version, |client| {
        form.apply(client, app.clock.now())
    })
    .await?
    {
        Ok(_) => Ok(Answer::see_other(&page_of(id))),
        Err(Refused::Unknown) => Err(Refusal::not_found().into()),
        Err(Refused::Conflict(now)) => Ok(form.conflict(&now).answer(app, &admin.0)?),
        Err(refused) => {
            let client = find(app, id).await?;
            let page = ApplicationPage::of(app, client)
                .await?
                .with_form(form, refused.to_string());
            Ok(page.answer(app, &admin.0)?)
        }
    }
}
