use super::{Done, output};
use crate::foundation::app::App;
use crate::oidc::clients::{self, AuthMethod, Client};
use crate::oidc::issuer;

#[derive(serde::Serialize)]
struct Shown<'a> {
    client_id: &'a str,
    name: &'a str,
    issuer: String,
    public: bool,
    disabled: bool,
    redirect_uris: &'a [String],
    post_logout_uris: &'a [String],
    back_channel_uri: Option<&'a str>,
    launch_url: Option<&'a str>,
    groups: &'a [String],
    consent: &'static str,
    factor: &'static str,
    pkce: bool,
    offline_access: bool,
    auth: Option<&'static str>,
    alg: &'static str,
    claims_in: &'static str,
    claims: Vec<String>,
}

impl<'a> Shown<'a> {
    fn of(app: &App, client: &'a Client) -> Self {
        Self {
            client_id: &client.id,
            name: &client.name,
            issuer: issuer(app),
            public: client.is_public(),
            disabled: client.disabled_at.is_some(),
            redirect_uris: &client.redirect_uris,
            post_logout_uris: &client.sign_out_uris,
            back_channel_uri: client.back_channel_uri.as_deref(),
            launch_url: client.launch_url.as_deref(),
            groups: &client.groups,
            consent: client.consent.as_str(),
            factor: if client.two_factors { "two" } else { "one" },
            pkce: client.pkce,
            offline_access: client.offline_access,
            auth: client.auth_method.map(AuthMethod::as_str),
            alg: client.alg.as_str(),
            claims_in: if client.claims_in_id_token {
                "both"
            } else {
                "userinfo"
            },
            claims: client.claims.iter().map(ToString::to_string).collect(),
        }
    }
}

pub async fn list(app: &App, json: bool) -> Done {
    let all = clients::list(app).await?;
    if json {
        return output::json(
            &all.iter()
                .map(|client| Shown::of(app, client))
                .collect::<Vec<_>>(),
        );
    }
    let rows: Vec<[String; 3]> = all
        .iter()
        .map(|client| {
            [
                client.name.clone(),
                client.id.clone(),
                client.redirect_uris.join(" "),
            ]
        })
        .collect();
    output::table(
        ["NAME", "CLIENT_ID", "COMES BACK TO"],
        &rows,
        "There are no applications yet; `vestibule client add NAME --redirect-uri URI` adds one.",
    )
}

pub fn show(app: &App, client: &Client, json: bool) -> Done {
    let shown = Shown::of(app, client);
    if json {
        return output::json(&shown);
    }
    let yes_no = |is: bool| if is { "yes" } else { "no" }.to_owned();
    output::fields(&[
        ("name", client.name.clone()),
        ("client_id", client.id.clone()),
        ("issuer", shown.issuer.clone()),
        ("redirect URIs", client.redirect_uris.join(" ")),
        ("post-logout URIs", client.sign_out_uris.join(" ")),
        (
            "back-channel URI",
            client.back_channel_uri.clone().unwrap_or_default(),
        ),
        (
            "start address",
            client.launch_url.clone().unwrap_or_default(),
        ),
        ("groups", client.groups.join(" ")),
        ("consent", shown.consent.to_owned()),
        ("factor", shown.factor.to_owned()),
        ("public", yes_no(shown.public)),
        ("disabled", yes_no(shown.disabled)),
        ("PKCE", yes_no(shown.pkce)),
        ("offline access", yes_no(shown.offline_access)),
        ("auth", shown.auth.unwrap_or("basic or post").to_owned()),
        ("alg", shown.alg.to_owned()),
        ("claims in", shown.claims_in.to_owned()),
        ("claim rules", shown.claims.join(" ")),
    ])
}
