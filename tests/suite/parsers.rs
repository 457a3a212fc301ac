//! The parsers that read what strangers send, held to their promises by generated and by kept input.
//!
//! What must hold is in `vestibule::testing::fuzzing`, which the fuzz targets call too.

use std::fs;
use std::path::Path;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use vestibule::testing::fuzzing;

const OF_COOKIES: &[&str] = &[
    "__Host-vestibule=A",
    "__Host-vestibule=A; ",
    " __Host-vestibule=B;",
    "__Host-vestibule",
    "__Host-vestibule",
    "vestibule",
    "__host-vestibule",
    "%5F%5FHost-vestibule",
    "__Host%2Dvestibule",
    "__Host-vestibule-site",
    "=",
    "=",
    "=",
    ";",
    ";",
    "; ",
    " ",
    "\t",
    ",",
    "\"",
    "\\",
    "\0",
    "\u{a0}",
    "\u{2000}",
    "\u{85}",
    "\u{3000}",
    "\u{2028}",
    "\u{b}",
    "\r\n",
    "%3B",
    "%3D",
    "a",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
];

const OF_ADDRESSES: &[&str] = &[
    "https://auth.example.com",
    "https://auth.example.com",
    "HTTPS://AUTH.EXAMPLE.COM",
    "http://auth.example.com",
    "https:",
    "http:",
    "javascript:",
    "data:",
    "//",
    "/",
    "/",
    "/",
    "\\",
    "@",
    ":",
    ":443",
    ":444",
    "?",
    "#",
    ".",
    "..",
    "/.",
    "/..",
    "%2e",
    "%2f",
    "%2F",
    "%5c",
    "%0d%0a",
    "%00",
    "\r",
    "\n",
    "\t",
    "\0",
    " ",
    "evil.example",
    "auth.example.com",
    ".evil.example",
    "account",
    "[::1]",
    "0x7f.1",
    "。",
    "．",
    "／",
    "＠",
    "\u{ff0e}",
    "ı",
    "xn--",
    "\u{202e}",
    "\u{ad}",
    "é",
    "%",
];

/// Mostly the parts that matter, in any order, and sometimes any characters at all.
fn made_of(parts: &'static [&'static str]) -> impl Strategy<Value = String> {
    let part = prop_oneof![9 => select(parts).prop_map(str::to_owned), 1 => any::<char>().prop_map(String::from)];
    vec(part, 0..12).prop_map(|parts| parts.concat())
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 4_000,
        // A case that failed goes into fuzz/corpus, where it has a name.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_cookie_is_found_by_its_exact_name_only(header in made_of(OF_COOKIES)) {
        fuzzing::cookies(header.as_bytes());
    }

    #[test]
    fn an_accepted_return_address_leads_to_this_service(rd in made_of(OF_ADDRESSES)) {
        fuzzing::return_address(rd.as_bytes());
    }

    #[test]
    fn no_bytes_break_a_parser(bytes in vec(any::<u8>(), 0..64)) {
        fuzzing::cookies(&bytes);
        fuzzing::return_address(&bytes);
    }
}

fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&folder).expect("a corpus");
    let inputs: Vec<_> = entries
        .map(|entry| {
            let path = entry.expect("an entry").path();
            println!("{}", path.display());
            fs::read(&path).expect("a file")
        })
        .collect();
    assert!(inputs.len() >= 30, "{target} has {} inputs", inputs.len());
    inputs
}

#[test]
fn what_the_fuzzers_kept_of_cookies_still_holds() {
    kept("cookies")
        .iter()
        .for_each(|input| fuzzing::cookies(input));
}

#[test]
fn what_the_fuzzers_kept_of_return_addresses_still_holds() {
    kept("return_address")
        .iter()
        .for_each(|input| fuzzing::return_address(input));
}

#[test]
fn what_the_fuzzers_kept_of_places_in_the_listing_still_holds() {
    kept("cursor")
        .iter()
        .for_each(|input| fuzzing::cursor(input));
}

#[test]
fn mfa_07_what_the_fuzzers_kept_of_passkeys_still_holds() {
    kept("passkey")
        .iter()
        .for_each(|input| fuzzing::passkey(input));
}

#[test]
fn what_the_fuzzers_kept_of_settings_still_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("Rocket.toml");
    for input in kept("settings") {
        fuzzing::settings(&file, &input);
    }
}

#[rocket::async_test]
async fn what_the_fuzzers_kept_of_requests_still_holds() {
    let folder = tempfile::tempdir().expect("a folder");
    let service = fuzzing::Service::open(folder.path()).await;
    for input in kept("requests") {
        service.request(&input).await;
    }
    for input in kept("forwarded") {
        service.forwarded(&input).await;
    }
}
