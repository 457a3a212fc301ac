//! What is looked at, one after another.

use url::Url;

use super::client::{Client, Page};
use super::paths::{self, at};
use super::reply::{Reply, SignInRedirect};
use super::{Finding, Outcome, Target};
use crate::foundation::token::Token;
use crate::sites::original_request::{OTHER_SCHEME, SEVERAL_SCHEMES};

/// What a browser writes that would like to be somebody: a request's headers for each spelling that
/// some application takes for the same. Their values begin with `value` and differ.
pub fn identity_headers(value: &str) -> Vec<Vec<(String, String)>> {
    let spelt = |between| {
        ["User", "Groups", "Name", "Email", "Methods"]
            .map(|name| (format!("Remote{between}{name}"), format!("{value}{name}")))
            .to_vec()
    };
    ["-", "_", "."].map(spelt).to_vec()
}

const ENDPOINTS: [&str; 3] = [
    "/api/authz/forward-auth",
    "/api/authz/auth-request",
    "/api/authz/ext-authz/",
];

/// A finding without its step.
pub type Judgement = (Outcome, String, Option<String>);

pub fn right(found: impl Into<String>) -> Judgement {
    (Outcome::Right, found.into(), None)
}

pub fn wrong(found: impl Into<String>, cure: impl Into<String>) -> Judgement {
    (Outcome::Wrong, found.into(), Some(cure.into()))
}

pub fn unseen(found: impl Into<String>) -> Judgement {
    (Outcome::Unseen, found.into(), None)
}

pub fn not_yet() -> Judgement {
    unseen("Not to be seen before the above is right.")
}

/// What should be, by step.
const TITLES: [(&str, &str); 18] = [
    ("site", "The host is a configured site"),
    ("proxy", "The proxy is reached"),
    ("peer", "Vestibule trusts the proxy"),
    ("asked", "The proxy asks Vestibule about each request"),
    ("headers", "The proxy tells what was asked for"),
    (
        "paths",
        "No path that was tried is answered without asking Vestibule",
    ),
    ("cookie", "The browser is given its cookie for this host"),
    ("enter", "/.vestibule/ of the site leads to Vestibule"),
    (
        "identity",
        "Identity headers that a client makes up are removed",
    ),
    ("sign_in", "The sign-in page opens"),
    ("authz", "The proxies’ endpoints are closed to the public"),
    (
        "factors",
        "Second factors can be proven where they are asked for",
    ),
    ("clock", "The system’s clock is believed"),
    ("discovery", "Applications find the issuer"),
    ("issuer", "The issuer is what applications compare it with"),
    ("date", "The answer comes at the time that it is here"),
    ("keys", "Applications find the keys that sign"),
    ("told", "Applications hear of the end of sessions"),
];

pub fn finding(step: &'static str, (outcome, found, cure): Judgement) -> Finding {
    let title = TITLES.iter().find(|(of, _)| *of == step);
    Finding {
        step,
        title: title.map_or(step, |(_, title)| title),
        outcome,
        found,
        cure,
    }
}

pub fn all(target: &Target, client: &Client) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut note = |step, judged| findings.push(finding(step, judged));
    note("site", right(target.site.clone()));
    let page = target.guarded.as_ref().unwrap_or(&target.page);
    let entrance = at(page, "/.vestibule/enter");
    let entered = client.open(&entrance, &[("Accept", "application/json")]);
    let opened = client.open(page, &[]);
    note("proxy", proxy(&opened));
    if let Ok(opened) = &opened {
        let reply_of = |seen: &Result<Page, String>| match seen {
            Ok(seen) => Reply::of(seen, &target.public_url),
            Err(_) => Reply::Unknown,
        };
        let opened_reply = Reply::of(opened, &target.public_url);
        let entered_reply = reply_of(&entered);
        let peer = peer(&opened_reply, &entered_reply);
        // nginx says no more than 403 where its address is not trusted.
        let explained = peer.0 == Outcome::Wrong && opened_reply == Reply::Unknown;
        note("peer", peer);
        note(
            "asked",
            if explained {
                not_yet()
            } else {
                asked(target, opened, &opened_reply)
            },
        );
        let head_reply = reply_of(&client.open_head(page));
        note("headers", headers(page, &opened_reply, &head_reply));
        note(
            "paths",
            if explained || opened_reply == Reply::Unknown {
                not_yet()
            } else {
                paths::judge(target, client)
            },
        );
        note("cookie", cookie(target, opened, &opened_reply));
        note("enter", enter(&entered, &entered_reply));
        note("identity", identity(target, client, opened, page));
    }
    let sign_in = client.open(&at(&target.public_url, "/login"), &[]);
    note("sign_in", sign_in_page(&sign_in));
    note("authz", authz(target, client));
    findings
}

fn proxy(opened: &Result<Page, String>) -> Judgement {
    match opened {
        Ok(seen) => right(format!("It answers with {}.", seen.status)),
        Err(why) => wrong(format!("No answer: {why}."), no_answer_cure(why)),
    }
}

pub fn no_answer_cure(why: &str) -> &'static str {
    if why.contains("CaUsedAsEndEntity") {
        "The proxy shows a CA’s certificate as its own, as a plain self-signed one is. Make one that is no CA’s (`openssl req -x509` with `-addext basicConstraints=critical,CA:FALSE`) or have a CA sign one, and name that certificate, or the CA’s, with `vestibule doctor --ca FILE`; `--insecure` looks past it."
    } else if why.to_ascii_lowercase().contains("certificate") {
        "Give the proxy a certificate for this name that browsers believe. If it is of a CA of your own, add the CA to this system’s, or run `vestibule doctor --ca FILE`."
    } else {
        "Look that the proxy runs, that the name leads to it from this machine, and that the port is right."
    }
}

fn asked(target: &Target, opened: &Page, reply: &Reply) -> Judgement {
    let cure = "Let the proxy ask Vestibule about every request to this host, as the files in deploy/ do; nothing may be served past it.";
    match (reply, opened.status) {
        (Reply::SignIn(_), _) => right("It sends a browser to sign in."),
        (Reply::Refused(code, _), _) if code == "unavailable" => wrong(
            "It asks, and Vestibule is too busy or has no database.",
            "Read Vestibule’s log.",
        ),
        (Reply::Refused(code, _), _) => right(format!("Vestibule answers: {code}.")),
        (Reply::Unknown, _) if target.guarded.is_none() && !target.public => wrong(
            "The rules close this page to everyone, so there is no way to sign in to look at.",
            "Give the address of a page that somebody may open, or change the site’s rules.",
        ),
        (Reply::Unknown, _) if target.guarded.is_none() => unseen(
            "The rules open this site to everyone; give the address of a page that asks for sign-in, if there is one.",
        ),
        (Reply::Unknown, 401) => wrong(
            "It answers 401 without a way to sign in.",
            "nginx: hand on Location and Set-Cookie of Vestibule’s answer, with error_page 401 and auth_request_set, as the file in deploy/nginx does.",
        ),
        (Reply::Unknown, 403) => wrong(
            "It answers 403 and does not say why.",
            "Read Vestibule’s log: it names the proxy’s address where that is missing from trusted_proxies, the header that it misses or cannot use (nginx: X-Original-URL, X-Original-Method), and cookies that are too long for nginx. If it names neither, a rule closes the page to this machine.",
        ),
        (Reply::Unknown, 500 | 502 | 503 | 504) => wrong(
            format!(
                "It answers {}: it asked, and had no answer that it could use.",
                opened.status
            ),
            "Look that Vestibule runs and that the proxy asks it at the right address and path; the proxy’s error log says more.",
        ),
        (Reply::Unknown, 300..=399) => wrong(
            format!(
                "It sends the browser to {}, which is not the sign-in page.",
                origin_of(opened.header("location"))
            ),
            format!(
                "{cure} The sign-in page is at {}; public_url must be what browsers call it.",
                target.public_url
            ),
        ),
        (Reply::Unknown, status) => wrong(
            format!("A page that asks for sign-in was answered with {status} without it."),
            cure,
        ),
    }
}

/// Without the rest of the address, which may hold secrets of an application's.
fn origin_of(location: Option<&str>) -> String {
    match location.and_then(|location| Url::parse(location).ok()) {
        Some(url) => url.origin().ascii_serialization(),
        None => "another page of its own".to_owned(),
    }
}

fn peer(opened: &Reply, entered: &Reply) -> Judgement {
    let untrusted = |reply: &Reply| match reply {
        Reply::Refused(code, about) if code == "untrusted_proxy" => Some(about.clone()),
        _ => None,
    };
    match untrusted(opened).or_else(|| untrusted(entered)) {
        Some(about) => {
            // The address alone, or a sentence that begins with it.
            let about = about.unwrap_or_default();
            let peer = about.split(' ').next().unwrap_or_default();
            wrong(
                format!(
                    "Vestibule was asked by an address that is not in trusted_proxies: {peer}."
                ),
                format!(
                    "If that is your proxy, add it to trusted_proxies and restart Vestibule: trusted_proxies = [\"{peer}\"]"
                ),
            )
        }
        None if *opened == Reply::Unknown && *entered == Reply::Unknown => not_yet(),
        None => right("Its address is in trusted_proxies."),
    }
}

fn headers(page: &Url, opened: &Reply, head: &Reply) -> Judgement {
    let way = match opened {
        Reply::SignIn(way) => way,
        Reply::Refused(code, about) => return headers_refused(code, about.as_deref()),
        Reply::Unknown => return not_yet(),
    };
    if way.rd != page.as_str() {
        return wrong(
            format!("Vestibule was asked about {} instead of {page}.", way.rd),
            "Tell Vestibule the address as the browser wrote it: host and port, path and query, before any rewrite \
             (X-Forwarded-Host and X-Forwarded-Uri; nginx: X-Original-URL).",
        );
    }
    match head {
        Reply::SignIn(SignInRedirect { rm, .. }) if way.rm == "GET" && rm == "HEAD" => {
            right("Method, scheme, host, path and query arrive.")
        }
        Reply::SignIn(SignInRedirect { rm, .. }) => wrong(
            format!("A GET was told as {}, a HEAD as {rm}.", way.rm),
            "Tell Vestibule the client’s own method (X-Forwarded-Method; nginx: X-Original-Method $request_method).",
        ),
        _ => wrong(
            "A HEAD is not answered as a GET is.",
            "Let the proxy ask about a HEAD as it does about a GET.",
        ),
    }
}

fn headers_refused(code: &str, about: Option<&str>) -> Judgement {
    let about = about.unwrap_or("something");
    match code {
        "malformed" => wrong(
            format!("Vestibule cannot use what the proxy tells: {about}."),
            malformed_cure(about),
        ),
        "unknown_site" => wrong(
            format!("Vestibule was asked about {about}, which is no site."),
            "Tell Vestibule the host and port that the browser asked for (X-Forwarded-Host; nginx: X-Original-URL; Envoy: Host).",
        ),
        "unauthenticated" => wrong(
            "Vestibule took the opened page for a program’s request, or its way to sign in is not handed on.",
            "Pass Accept and Sec-Fetch-Mode on to Vestibule, and Location and Set-Cookie back (nginx: error_page 401 with Location; Envoy: allowed_headers, allowed_client_headers).",
        ),
        _ => not_yet(),
    }
}

fn malformed_cure(about: &str) -> &'static str {
    if about.ends_with(OTHER_SCHEME) || about.ends_with(SEVERAL_SCHEMES) {
        SCHEME_CURE
    } else {
        "Each header that the proxy’s page in docs/proxies names must come from the proxy, once."
    }
}

/// Where the scheme comes from, by proxy.
const SCHEME_CURE: &str = "In the proxy that asks Vestibule, where another in front of it ends TLS: nginx: https in place of $scheme in \
    X-Original-URL and X-Forwarded-Proto; Caddy: servers { trusted_proxies … } with the address of the one in front; \
    Traefik: forwardedHeaders.trustedIPs of the entry point, and trustForwardHeader: true; HAProxy: \
    x-forwarded-proto in vestibule.lua; Envoy: x-forwarded-proto of the one in front, with xff_num_trusted_hops.";

fn cookie(target: &Target, opened: &Page, reply: &Reply) -> Judgement {
    let Reply::SignIn(way) = reply else {
        return not_yet();
    };
    let name = target.flow_cookie;
    let set: Vec<&str> = opened
        .all("set-cookie")
        .filter(|cookie| cookie.split('=').next() == Some(name))
        .collect();
    let [cookie] = set.as_slice() else {
        return wrong(
            format!("{name} is set {} times instead of once.", set.len()),
            "Hand Set-Cookie of Vestibule’s answer on to the browser (nginx: auth_request_set and add_header Set-Cookie; Envoy: allowed_client_headers).",
        );
    };
    let mut parts = cookie.split(';').map(str::trim);
    let value = parts.next().and_then(|pair| pair.split_once('='));
    let attributes: Vec<String> = parts.map(str::to_ascii_lowercase).collect();
    let has = |attribute: &str| attributes.iter().any(|own| own == attribute);
    let bound = attributes.iter().any(|own| own.starts_with("domain"));
    let kept =
        has("path=/") && has("httponly") && has("samesite=lax") && has("secure") == target.secure;
    if bound || !kept {
        return wrong(
            format!(
                "The attributes of {name} were changed on the way: {}.",
                attributes.join("; ")
            ),
            "Take away what rewrites cookies of this host in the proxy (nginx: proxy_cookie_domain, proxy_cookie_path, proxy_cookie_flags).",
        );
    }
    let hash = value
        .and_then(|(_, value)| Token::parse(value))
        .map(|token| token.hash().to_text());
    if hash.as_ref() != Some(&way.flow) {
        return wrong(
            format!("{name} does not belong to the way to sign in that came with it."),
            "Let the proxy keep no copy of such answers: they are no-store.",
        );
    }
    right(format!("{name}, for this host alone."))
}

fn enter(entered: &Result<Page, String>, reply: &Reply) -> Judgement {
    match (entered, reply) {
        (_, Reply::SignIn(_)) => right("A browser that comes back from sign-in arrives."),
        (_, Reply::Refused(code, _)) if code == "untrusted_proxy" => not_yet(),
        (Ok(seen), _) => wrong(
            format!(
                "/.vestibule/enter is answered with {}, and not as Vestibule does.",
                seen.status
            ),
            "Pass /.vestibule/ of the site on to Vestibule, with the site’s own host in Host or X-Forwarded-Host.",
        ),
        (Err(why), _) => wrong(format!("No answer: {why}."), no_answer_cure(why)),
    }
}

fn identity(target: &Target, client: &Client, opened: &Page, page: &Url) -> Judgement {
    let made_up = identity_headers(&format!("doctor{}", Token::generate().hash().to_text()));
    let ask = |url: &Url, headers: &[(String, String)]| {
        let headers: Vec<_> = headers
            .iter()
            .map(|(name, value)| (&**name, &**value))
            .collect();
        client.open(url, &headers)
    };
    if target.guarded.is_some() {
        if (200..300).contains(&opened.status) {
            return not_yet();
        }
        let opens =
            |seen: Result<Page, String>| seen.is_ok_and(|seen| (200..300).contains(&seen.status));
        if made_up.iter().any(|headers| opens(ask(page, headers))) {
            return wrong(
                "A made-up Remote-User opens a page that asks for sign-in.",
                "Delete Remote-User, Remote-Name, Remote-Email, Remote-Groups and Remote-Methods of a client’s before anything else looks at them.",
            );
        }
    }
    if !target.public {
        return unseen(
            "A made-up Remote-User opens nothing; whether the application is sent it cannot be seen from here. Give the address of a public page that shows the headers it was sent.",
        );
    }
    let mut repeated: Vec<&str> = Vec::new();
    let mut is_shown = true;
    for headers in &made_up {
        let Ok(seen) = ask(&target.page, headers) else {
            return not_yet();
        };
        let of_these = headers
            .iter()
            .filter(|(_, value)| seen.body.contains(value));
        repeated.extend(of_these.map(|(name, _)| &**name));
        // Only a page that shows headers at all tells that these are not there; or none is sent any.
        is_shown &= seen.body.contains(BROWSER_MARK) || seen.status == 400;
    }
    if !repeated.is_empty() {
        return wrong(
            format!(
                "The application is sent a client’s own {}.",
                repeated.join(", ")
            ),
            "Delete or refuse these headers in the proxy, in every spelling, as the files in deploy/ do.",
        );
    }
    if is_shown {
        right("What is made up is refused, or not among the headers that the page shows.")
    } else {
        unseen("The page does not show the headers it was sent: it cannot be seen from here.")
    }
}

/// In the user agent that [`Client`] sends.
const BROWSER_MARK: &str = "vestibule-doctor/";

fn sign_in_page(seen: &Result<Page, String>) -> Judgement {
    match seen {
        Ok(seen) if seen.status == 200 && seen.body.contains("name=\"password\"") => {
            match referrer_policy(seen) {
                Some("no-referrer") => wrong(
                    "It comes with Referrer-Policy: no-referrer. Browsers then hide where the form comes from, and those without Sec-Fetch headers cannot sign in.",
                    "Take Referrer-Policy out of what the proxy adds to answers of the sign-in host; Vestibule sends its own, same-origin.",
                ),
                _ => right("It is where public_url says."),
            }
        }
        Ok(seen) => wrong(
            format!(
                "It is answered with {}, and not as Vestibule does.",
                seen.status
            ),
            "Pass the host of public_url on to Vestibule, with Host as the browser wrote it, port included.",
        ),
        Err(why) => wrong(format!("No answer: {why}."), no_answer_cure(why)),
    }
}

/// The one that browsers go by: of several the last.
fn referrer_policy(seen: &Page) -> Option<&str> {
    let values = seen.all("referrer-policy").last()?;
    values.split(',').next_back().map(str::trim)
}

fn authz(target: &Target, client: &Client) -> Judgement {
    // Where Vestibule hears this, it says that the proxy's headers are missing.
    for endpoint in ENDPOINTS {
        let Ok(seen) = client.open(&at(&target.public_url, endpoint), &[]) else {
            return not_yet();
        };
        let answered = match Reply::of(&seen, &target.public_url) {
            Reply::Refused(code, _) => code != "untrusted_proxy",
            Reply::SignIn(_) => true,
            Reply::Unknown => (200..300).contains(&seen.status),
        };
        if answered {
            return wrong(
                format!("Anybody can ask at {endpoint} of the sign-in host."),
                "Deny /api/authz/ at the sign-in host in the proxy; proxies ask Vestibule at its own address.",
            );
        }
    }
    right("Vestibule does not answer there.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scheme_that_is_not_that_of_browsers_is_told_with_each_proxy_s_line() {
        let page = Url::parse("https://app.example.com/").expect("an address");
        for fault in [OTHER_SCHEME, SEVERAL_SCHEMES] {
            let about = format!("X-Forwarded-Proto {fault}");
            let reply = Reply::Refused("malformed".to_owned(), Some(about.clone()));
            let (outcome, found, cure) = headers(&page, &reply, &Reply::Unknown);
            assert_eq!(outcome, Outcome::Wrong);
            assert!(found.contains(&about), "{found}");
            let cure = cure.expect("a cure");
            for proxy in ["nginx", "Caddy", "Traefik", "HAProxy", "Envoy"] {
                assert!(cure.contains(proxy), "{cure}");
            }
        }
    }
}
