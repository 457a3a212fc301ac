use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use url::Url;

use crate::foundation::clock::Timestamp;
use crate::oidc::claim_rules::ClaimRule;
use crate::oidc::clients::{Alg, AuthMethod, Client, Consent};
use crate::oidc::templates::{self, Template};
use crate::program::cli::Fault;

/// What an application that is known needs.
#[derive(Args)]
pub struct Known {
    /// Fills in what this application needs, and prints its own settings, ready to paste
    #[arg(long, value_name = "NAME", value_parser = names_of_templates())]
    template: Option<&'static Template>,
    /// Where the application is; the host of the first redirect URI if not given
    #[arg(long, value_name = "URL", requires = "template", value_parser = templates::base_of)]
    url: Option<String>,
}

impl Known {
    /// The template, and where the application is.
    pub fn placed(
        &self,
        redirect_uris: &[String],
    ) -> Result<Option<(&'static Template, String)>, Fault> {
        let Some(template) = self.template else {
            return Ok(None);
        };
        let origin = |uri: &String| Some(Url::parse(uri).ok()?.origin().ascii_serialization());
        let base = self
            .url
            .clone()
            .or_else(|| redirect_uris.first().and_then(origin));
        let base = base.ok_or(
            "a template needs to know where the application is: --url https://app.example.com",
        )?;
        Ok(Some((template, base)))
    }
}

fn names_of_templates() -> impl TypedValueParser<Value = &'static Template> {
    let names = templates::TEMPLATES.iter().map(|template| template.name);
    PossibleValuesParser::new(names).try_map(|name| templates::find(&name))
}

/// What can be said of a client.
#[derive(Args)]
pub struct Wanted {
    /// Where people come back to, exactly as the application sends it; may be given several times, and comes beside those of a
    /// template
    #[arg(long, value_name = "URI")]
    pub redirect_uri: Vec<String>,
    /// Where people may go on to after they signed out
    #[arg(long, value_name = "URI")]
    post_logout_uri: Vec<String>,
    /// Where the application is told of the end of a session
    #[arg(long, value_name = "URI")]
    back_channel_uri: Option<String>,
    /// Where people start who open it from their start page
    #[arg(long, value_name = "URL")]
    launch_url: Option<String>,
    /// A PNG, WebP or JPEG for the start page: at most 64 KiB and 512 pixels each way; '' takes it away
    #[arg(long, value_name = "FILE")]
    pub icon: Option<String>,
    /// It may go on when the session has ended
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    offline_access: Option<bool>,
    /// It does not send a challenge (PKCE)
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    no_pkce: Option<bool>,
    /// When people are asked
    #[arg(long, value_name = "WHEN", value_parser = PossibleValuesParser::new(["always", "once", "never"]).try_map(|word| word.parse::<Consent>()))]
    consent: Option<Consent>,
    /// one or two
    #[arg(long, value_name = "FACTORS", value_parser = ["one", "two"])]
    factor: Option<String>,
    /// Takes its secret in this way alone: basic or post; any is either
    #[arg(long, value_name = "METHOD", value_parser = ["basic", "post", "any"])]
    auth: Option<String>,
    /// What id_tokens are signed with
    #[arg(long, value_name = "ALG", value_parser = PossibleValuesParser::new(["RS256", "ES256"]).try_map(|word| word.parse::<Alg>()))]
    alg: Option<Alg>,
    /// Where the claims of a user are: userinfo, or both there and in the id_token
    #[arg(long, value_name = "WHERE", value_parser = ["userinfo", "both"])]
    claims_in: Option<String>,
    /// Nobody signs in to it, and it is told nothing
    #[arg(long, value_name = "true|false", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    disabled: Option<bool>,
    /// Lets only members of this group in; may be given several times
    #[arg(long, value_name = "GROUP")]
    group: Vec<String>,
    /// Tells it this claim of members of the group, or of everybody without one, as roles=["admin"]@staff; may be given several times
    #[arg(long, value_name = "CLAIM=JSON[@GROUP]", value_parser = claim_rule)]
    claim: Vec<Option<ClaimRule>>,
}

/// `None`: the empty text that takes all away.
fn claim_rule(text: &str) -> Result<Option<ClaimRule>, String> {
    (!text.is_empty()).then(|| text.parse()).transpose()
}

impl Wanted {
    /// With a template, whose addresses are there already, those that are given come beside them.
    pub fn apply(&self, client: &mut Client, is_of_template: bool, now: Timestamp) {
        let of_template = match is_of_template {
            true => std::mem::take(&mut client.redirect_uris),
            false => Vec::new(),
        };
        let replace = |list: &mut Vec<String>, given: &Vec<String>| {
            if !given.is_empty() {
                list.clone_from(given);
                list.retain(|text| !text.is_empty());
            }
        };
        replace(&mut client.redirect_uris, &self.redirect_uri);
        client.redirect_uris.extend(of_template);
        client.redirect_uris.dedup();
        replace(&mut client.sign_out_uris, &self.post_logout_uri);
        replace(&mut client.groups, &self.group);
        if !self.claim.is_empty() {
            client.claims = self.claim.iter().flatten().cloned().collect();
        }
        if let Some(uri) = &self.back_channel_uri {
            client.back_channel_uri = Some(uri.clone()).filter(|uri| !uri.is_empty());
        }
        if let Some(url) = &self.launch_url {
            client.launch_url = Some(url.clone()).filter(|url| !url.is_empty());
        }
        client.offline_access = self.offline_access.unwrap_or(client.offline_access);
        client.pkce = self.no_pkce.map_or(client.pkce, |no| !no);
        client.consent = self.consent.unwrap_or(client.consent);
        client.alg = self.alg.unwrap_or(client.alg);
        if let Some(factor) = &self.factor {
            client.two_factors = factor == "two";
        }
        if let Some(is_disabled) = self.disabled {
            client.set_disabled(is_disabled, now);
        }
        if let Some(auth) = &self.auth {
            client.auth_method = AuthMethod::parse(auth);
        }
        if let Some(claims_in) = &self.claims_in {
            client.claims_in_id_token = claims_in == "both";
        }
    }
}
