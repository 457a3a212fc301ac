use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;
use serde_saphyr::Spanned;

use super::Read;
use super::authelia_client::Reading;
use super::yaml::{self, line_of};
use crate::oidc::imported::Entry;
use crate::people::users::Fault;

/// Of Authelia's configuration, what is of use here.
#[derive(Deserialize)]
struct File {
    identity_providers: Option<Providers>,
}

#[derive(Deserialize)]
struct Providers {
    oidc: Option<Oidc>,
}

#[derive(Deserialize)]
struct Oidc {
    authorization_policies: Option<BTreeMap<String, Value>>,
    clients: Option<Vec<Spanned<Value>>>,
}

pub fn read(text: &str) -> Read<Entry> {
    let providers = match yaml::read(text) {
        Ok(File { identity_providers }) => identity_providers,
        Err(faults) => return Read::faulty(faults),
    };
    let missing = |text: &str| {
        let text = text.to_owned();
        Read::faulty(vec![Fault { line: 1, text }])
    };
    let Some(providers) = providers else {
        return missing("there is no identity_providers in this file");
    };
    let Some(oidc) = providers.oidc else {
        return missing("there is no oidc below identity_providers");
    };
    let policies = oidc.authorization_policies.unwrap_or_default();
    let mut read = Read::default();
    for client in oidc.clients.unwrap_or_default() {
        let line = line_of(client.referenced);
        Reading::of(client.value, &policies).add_to(&mut read, line);
    }
    read
}
