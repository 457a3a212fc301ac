//! Claim rules: what an application is told beside the claims of the scopes, of members of a group or of everybody.

use std::fmt;
use std::str::FromStr;

use serde_json::{Map, Value};

use super::claims::CLAIMS;
use crate::people::users::group_name;

/// `claim=value@group`, the value in JSON; without a group for everybody.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimRule {
    pub claim: String,
    pub value: Value,
    pub group: Option<String>,
}

impl Eq for ClaimRule {}

/// What JWT, OpenID Connect and introspection give a meaning, beside [`CLAIMS`]; of a telephone nothing is known here.
const RESERVED: [&str; 18] = [
    "nbf",
    "jti",
    "azp",
    "c_hash",
    "s_hash",
    "events",
    "cnf",
    "act",
    "may_act",
    "sub_jwk",
    "scope",
    "client_id",
    "token_type",
    "active",
    "_claim_names",
    "_claim_sources",
    "phone_number",
    "phone_number_verified",
];

/// More than any application reads, and little enough for a token in a header.
const MOST_BYTES: usize = 1_000;

impl FromStr for ClaimRule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let (claim, rest) = text.split_once('=').ok_or_else(|| {
            format!("{text}: a claim rule is written CLAIM=JSON, or CLAIM=JSON@GROUP for a group")
        })?;
        let value = |text: &str| serde_json::from_str(text).ok();
        // No JSON ends in `@group`, so that only one reading is possible.
        let (value, group) = match (value(rest), rest.rsplit_once('@')) {
            (Some(value), _) => (Some(value), None),
            (None, Some((text, group))) => (value(text), Some(group.trim())),
            (None, None) => (None, None),
        };
        let value = value.ok_or_else(|| {
            format!(
                "{text}: the value of a claim is JSON, like true, 5, \"text\" or [\"one\",\"two\"]"
            )
        })?;
        let group = group
            .map(group_name)
            .transpose()
            .map_err(|invalid| format!("{text}: {invalid}"))?;
        Self {
            claim: claim.trim().to_owned(),
            value,
            group,
        }
        .checked()
    }
}

impl ClaimRule {
    fn checked(self) -> Result<Self, String> {
        let claim = self.claim.as_str();
        let is_name =
            (1..=100).contains(&claim.len()) && claim.bytes().all(|byte| byte.is_ascii_graphic());
        if !is_name {
            return Err(format!(
                "{claim}: the name of a claim has 1 to 100 visible ASCII characters"
            ));
        }
        if CLAIMS.contains(&claim) || RESERVED.contains(&claim) {
            return Err(format!(
                "{claim} is a claim that no rule can set: Vestibule or the protocol gives it its meaning"
            ));
        }
        if self.value.to_string().len() > MOST_BYTES {
            return Err(format!(
                "{claim}: the value of a claim has {MOST_BYTES} bytes at most"
            ));
        }
        Ok(self)
    }
}

impl fmt::Display for ClaimRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}={}", self.claim, self.value)?;
        match &self.group {
            Some(group) => write!(f, "@{group}"),
            None => Ok(()),
        }
    }
}

/// What the rules say of a member of these groups. For each claim the first rule that matches decides; if its value is a list,
/// the lists of later ones that match are joined to it.
pub fn claims_for(rules: &[ClaimRule], groups: &[String]) -> Map<String, Value> {
    let matches = |rule: &&ClaimRule| {
        rule.group
            .as_ref()
            .is_none_or(|group| groups.contains(group))
    };
    let mut claims = Map::new();
    for rule in rules.iter().filter(matches) {
        match (claims.get_mut(&rule.claim), &rule.value) {
            (None, value) => {
                claims.insert(rule.claim.clone(), value.clone());
            }
            (Some(Value::Array(all)), Value::Array(more)) => {
                let new: Vec<Value> = more
                    .iter()
                    .filter(|value| !all.contains(value))
                    .cloned()
                    .collect();
                all.extend(new);
            }
            (Some(_), _) => {}
        }
    }
    claims
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn rules(texts: &[&str]) -> Vec<ClaimRule> {
        texts
            .iter()
            .map(|text| text.parse().expect("a rule"))
            .collect()
    }

    fn told(texts: &[&str], groups: &[&str]) -> Value {
        let groups: Vec<String> = groups.iter().map(|&group| group.to_owned()).collect();
        Value::Object(claims_for(&rules(texts), &groups))
    }

    #[test]
    fn a_rule_is_written_as_it_is_read() {
        for text in [
            "roles=[\"admin\"]@staff",
            "quota=5",
            "tag=\"a@b=c\"",
            "tag=\"a@b\"@media",
        ] {
            assert_eq!(rules(&[text])[0].to_string(), text);
        }
        assert_eq!(
            rules(&[" roles = [ \"a\" ]@Staff "])[0].to_string(),
            "roles=[\"a\"]@staff"
        );
    }

    #[test]
    fn what_is_no_rule_or_would_change_the_protocol_is_refused() {
        let long = format!("a=\"{}\"", "x".repeat(MOST_BYTES));
        for bad in [
            "roles",
            "roles=admin",
            "=1",
            "a b=1",
            "a=1@",
            "a=1@b c",
            "a=[1",
            &long,
        ] {
            assert!(bad.parse::<ClaimRule>().is_err(), "{bad}");
        }
        for claim in CLAIMS.iter().chain(&RESERVED) {
            let refused = format!("{claim}=\"x\"")
                .parse::<ClaimRule>()
                .expect_err(claim);
            assert!(refused.contains("no rule can set"), "{refused}");
        }
    }

    #[test]
    fn lists_are_joined_and_otherwise_the_first_rule_wins() {
        let lists = ["r=[\"a\",\"b\"]@x", "r=[\"b\",\"c\"]@y", "r=[\"d\"]"];
        assert_eq!(
            told(&lists, &["x", "y"]),
            json!({ "r": ["a", "b", "c", "d"] })
        );
        assert_eq!(told(&lists, &[]), json!({ "r": ["d"] }));
        assert_eq!(told(&["q=1@x", "q=[2]", "q=3"], &["x"]), json!({ "q": 1 }));
        assert_eq!(told(&["q=[1]", "q=2"], &[]), json!({ "q": [1] }));
        assert_eq!(told(&["q=1@x"], &["y"]), json!({}));
    }
}
