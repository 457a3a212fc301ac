//! What is known of applications: what each needs of its client, and its own settings ready to paste.

mod table;

use url::Url;

use super::clients::{AuthMethod, Client};
use super::issuer;
use crate::foundation::app::App;

pub use table::TEMPLATES;

/// An application. All of them work with RS256 and with the claims in both id_token and userinfo, so that is not said here.
///
/// In texts, `{base}` is where the application is, `{issuer}`, `{client_id}` and `{secret}` what it is told.
pub struct Template {
    pub name: &'static str,
    /// What people call it.
    pub title: &'static str,
    pub redirect_uris: &'static [&'static str],
    pub sign_out_uris: &'static [&'static str],
    pub back_channel_uri: Option<&'static str>,
    pub pkce: bool,
    pub auth_method: Option<AuthMethod>,
    pub offline_access: bool,
    /// Where its settings are.
    pub place: &'static str,
    pub settings: &'static str,
    /// What people stumble over.
    pub note: &'static str,
}

/// By its name, as it is typed.
///
/// # Errors
/// There is no such template; the text names all.
pub fn find(name: &str) -> Result<&'static Template, String> {
    let found = TEMPLATES.iter().find(|template| template.name == name);
    found.ok_or_else(|| {
        let all: Vec<&str> = TEMPLATES.iter().map(|template| template.name).collect();
        format!("is one of: {}", all.join(", "))
    })
}

/// Where an application is, without a slash at the end.
///
/// # Errors
/// It is no address that paths can be added to.
pub fn base_of(address: &str) -> Result<String, String> {
    let is_base = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.query().is_none()
            && url.fragment().is_none()
    };
    match Url::parse(address).ok().filter(is_base) {
        Some(_) => Ok(address.trim_end_matches('/').to_owned()),
        None => Err(format!(
            "{address}: the address of an application is like https://app.example.com"
        )),
    }
}

impl Template {
    /// Gives a client what this application needs.
    pub fn apply(&self, client: &mut Client, base: &str) {
        let at = |text: &&str| text.replace("{base}", base);
        client.redirect_uris = self.redirect_uris.iter().map(at).collect();
        client.sign_out_uris = self.sign_out_uris.iter().map(at).collect();
        client.back_channel_uri = self.back_channel_uri.as_ref().map(at);
        client.launch_url = Some(base.to_owned());
        client.pkce = self.pkce;
        client.auth_method = self.auth_method;
        client.offline_access = self.offline_access;
    }

    /// The application's own settings, ready to paste.
    #[must_use]
    pub fn settings_for(&self, app: &App, base: &str, client_id: &str, secret: &str) -> String {
        self.filled(&[
            ("{base}", base),
            ("{issuer}", &issuer(app)),
            ("{client_id}", client_id),
            ("{secret}", secret),
        ])
    }

    /// The settings with a text for each place.
    #[must_use]
    pub fn filled(&self, places: &[(&str, &str)]) -> String {
        let fill = |text: String, (place, with): &(&str, &str)| text.replace(place, with);
        places.iter().fold(self.settings.to_owned(), fill)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_template_makes_a_client_without_a_fault() {
        for template in TEMPLATES {
            let mut client = Client::new(template.title, Vec::new());
            template.apply(&mut client, "https://app.example.com");
            assert_eq!(client.faults(false), [], "{}", template.name);
        }
    }

    #[test]
    fn each_template_tells_the_application_who_it_is_and_who_is_asked() {
        for template in TEMPLATES {
            for place in ["{issuer}", "{client_id}", "{secret}"] {
                let is_there = template.settings.contains(place);
                assert!(is_there, "{}: {place}", template.name);
            }
            let left =
                template.settings.matches('{').count() - template.settings.matches("{\"").count();
            let known = ["{issuer}", "{client_id}", "{secret}", "{base}"];
            let known: usize = known
                .iter()
                .map(|place| template.settings.matches(place).count())
                .sum();
            assert_eq!(left, known, "{}: an unknown place", template.name);
        }
    }

    #[test]
    fn a_base_is_an_address_that_paths_can_be_added_to() {
        assert_eq!(
            base_of("https://a.example.com/x/").as_deref(),
            Ok("https://a.example.com/x")
        );
        for bad in [
            "",
            "a.example.com",
            "ftp://a.example.com",
            "https://a.example.com?b",
            "https://a.example.com/#b",
        ] {
            assert!(base_of(bad).is_err(), "{bad}");
        }
    }
}
