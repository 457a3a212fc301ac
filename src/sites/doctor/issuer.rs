//! Asks the issuer of OpenID Connect as an application would, and compares with what this Vestibule tells.

use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;
use url::Url;

use super::Finding;
use super::client::{Client, Page};
use super::steps::{Judgement, finding, no_answer_cure, not_yet, right, unseen, wrong};
use crate::foundation::clock::Timestamp;

/// What applications should be told.
#[derive(Debug)]
pub struct Issuer {
    /// As applications compare it, letter by letter.
    pub name: String,
    /// What `/.well-known/openid-configuration` should be.
    pub metadata: Value,
    /// The ids of the keys that sign, now or soon.
    pub keys: Vec<String>,
    /// Applications that do not hear of the end of sessions, though they should.
    pub untold: Vec<String>,
    /// The time here.
    pub now: Timestamp,
}

/// Applications allow a minute or less between their clock and the issuer's.
const MOST_SECONDS_OFF: i64 = 30;
const LEADS_HERE: &str = "Pass the host of public_url on to Vestibule, and every path of it, without asking for a sign-in first.";

pub(super) fn all(issuer: &Issuer, client: &Client) -> Vec<Finding> {
    let at = format!("{}/.well-known/openid-configuration", issuer.name);
    let seen = ask(client, &at);
    let metadata = seen.as_ref().ok().and_then(|(_, json)| json.as_ref());
    vec![
        finding("discovery", discovery(&seen)),
        finding(
            "issuer",
            metadata.map_or_else(not_yet, |metadata| name(issuer, metadata)),
        ),
        finding(
            "date",
            seen.as_ref()
                .map_or_else(|_| not_yet(), |(page, _)| date(issuer, page.header("date"))),
        ),
        finding(
            "keys",
            metadata.map_or_else(not_yet, |_| keys(issuer, client)),
        ),
        finding("told", told(issuer)),
    ]
}

type Seen = Result<(Page, Option<Value>), String>;

fn ask(client: &Client, url: &str) -> Seen {
    let url = Url::parse(url).map_err(|error| error.to_string())?;
    let page = client.open(&url, &[("Accept", "application/json")])?;
    let json = match page.status {
        200 => serde_json::from_str(&page.body).ok(),
        _ => None,
    };
    Ok((page, json))
}

fn discovery(seen: &Seen) -> Judgement {
    match seen {
        Ok((_, Some(_))) => right("It answers with what applications read first."),
        Ok((page, None)) if (300..400).contains(&page.status) => wrong(
            "It leads elsewhere, and applications do not follow.",
            LEADS_HERE,
        ),
        Ok((page, None)) => wrong(
            format!(
                "It answers with {}, and not as Vestibule does.",
                page.status
            ),
            LEADS_HERE,
        ),
        Err(why) => wrong(format!("No answer: {why}."), no_answer_cure(why)),
    }
}

fn name(issuer: &Issuer, seen: &Value) -> Judgement {
    let said = seen["issuer"].as_str().unwrap_or_default();
    if said != issuer.name {
        return wrong(
            format!(
                "It says {said:?}, and applications compare that with {:?} letter by letter.",
                issuer.name
            ),
            "public_url has to be what browsers and applications call this host, with its port. If it is, another Vestibule answers here, or the proxy changes what it passes on; restart Vestibule after a change of public_url.",
        );
    }
    let told = issuer.metadata.as_object().into_iter().flatten();
    let other: Vec<&str> = told
        .filter(|(name, value)| seen[name.as_str()] != **value)
        .map(|(name, _)| name.as_str())
        .collect();
    if other.is_empty() {
        right(format!(
            "It is {said}, and all that is told is as it should be."
        ))
    } else {
        wrong(
            format!(
                "It is {said}, but other things are not as they should be: {}.",
                other.join(", ")
            ),
            "Another version of Vestibule answers here, or the proxy changes what it passes on: restart Vestibule after an update, and let the proxy leave bodies as they are.",
        )
    }
}

fn date(issuer: &Issuer, header: Option<&str>) -> Judgement {
    let said = header.and_then(|text| OffsetDateTime::parse(text, &Rfc2822).ok());
    let Some(said) = said else {
        return unseen("The answer does not say what time it is.");
    };
    let here = issuer.now.unix_micros().div_euclid(1_000_000);
    let off = said.unix_timestamp() - here;
    if off.abs() <= MOST_SECONDS_OFF {
        return right("The answer’s Date is the time that it is here.");
    }
    let how = if off > 0 { "ahead of" } else { "behind" };
    wrong(
        format!(
            "The answer’s Date is {} seconds {how} the time here.",
            off.abs()
        ),
        "Applications refuse tokens from the future, and old ones. Set the clocks of this machine and of the proxy’s, and keep them right: timedatectl set-ntp true",
    )
}

fn keys(issuer: &Issuer, client: &Client) -> Judgement {
    if issuer.keys.is_empty() {
        return unseen("There are no keys yet: the first application that is added has them made.");
    }
    let at = format!("{}/oauth/keys", issuer.name);
    let seen = match ask(client, &at) {
        Ok((_, Some(seen))) => seen,
        Ok((page, None)) => {
            let found = format!(
                "{at} answers with {}, and not as Vestibule does.",
                page.status
            );
            return wrong(found, LEADS_HERE);
        }
        Err(why) => return wrong(format!("No answer: {why}."), no_answer_cure(&why)),
    };
    let published = seen["keys"].as_array().into_iter().flatten();
    let published: Vec<&str> = published.filter_map(|key| key["kid"].as_str()).collect();
    let missing = issuer
        .keys
        .iter()
        .filter(|kid| !published.contains(&kid.as_str()));
    match missing.count() {
        0 => right(format!(
            "All {} keys that sign are published.",
            issuer.keys.len()
        )),
        count => wrong(
            format!(
                "Keys that sign and are not published: {count} of {}.",
                issuer.keys.len()
            ),
            "Something between keeps an old list, or another Vestibule answers: let no cache keep /oauth/keys.",
        ),
    }
}

fn told(issuer: &Issuer) -> Judgement {
    if issuer.untold.is_empty() {
        return right("None that should be told is waiting.");
    }
    wrong(
        format!(
            "Told more than once, and did not take it: {}.",
            issuer.untold.join(", ")
        ),
        "Vestibule tells them itself, so their --back-channel-uri has to be reached from here, with a certificate that is believed; Vestibule’s log says what they answer. It tries for a day.",
    )
}

/// Whether somebody asks about the host that people sign in at.
pub(super) fn is_meant(issuer: &Issuer, text: &str) -> bool {
    let own = Url::parse(&issuer.name);
    let asked = Url::parse(text);
    own.is_ok_and(|own| asked.is_ok_and(|asked| own.origin() == asked.origin()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::sites::doctor::Outcome;

    fn issuer() -> Issuer {
        Issuer {
            name: "https://auth.example.com".to_owned(),
            metadata: json!({ "issuer": "https://auth.example.com", "jwks_uri": "x" }),
            keys: Vec::new(),
            untold: Vec::new(),
            now: Timestamp::from_micros(784_111_777_000_000),
        }
    }

    #[test]
    fn a_name_is_compared_letter_by_letter_and_the_rest_as_well() {
        let of = |name_: &str, keys: &str| {
            name(
                &issuer(),
                &json!({ "issuer": name_, "jwks_uri": keys, "more": 1 }),
            )
            .0
        };
        assert_eq!(of("https://auth.example.com", "x"), Outcome::Right);
        for wrong in [
            "https://auth.example.com/",
            "http://auth.example.com",
            "",
            "https://AUTH.example.com",
        ] {
            assert_eq!(of(wrong, "x"), Outcome::Wrong, "{wrong}");
        }
        assert_eq!(of("https://auth.example.com", "y"), Outcome::Wrong);
    }

    #[test]
    fn a_clock_may_be_off_by_half_a_minute() {
        for (header, outcome) in [
            (Some("Sun, 06 Nov 1994 08:49:37 GMT"), Outcome::Right),
            (Some("Sun, 06 Nov 1994 08:49:07 GMT"), Outcome::Right),
            (Some("Sun, 06 Nov 1994 08:50:08 GMT"), Outcome::Wrong),
            (Some("Sun, 06 Nov 1994 08:49:06 GMT"), Outcome::Wrong),
            (Some("yesterday"), Outcome::Unseen),
            (None, Outcome::Unseen),
        ] {
            assert_eq!(date(&issuer(), header).0, outcome, "{header:?}");
        }
    }

    #[test]
    fn the_sign_in_host_is_meant_whatever_the_path() {
        for (text, meant) in [
            ("https://auth.example.com", true),
            ("https://auth.example.com:443/login", true),
            ("http://auth.example.com/", false),
            ("https://app.example.com/", false),
            ("auth.example.com", false),
        ] {
            assert_eq!(is_meant(&issuer(), text), meant, "{text}");
        }
    }
}
