use serde::Deserialize;
use serde_json::Value;

/// Whose members may enter, and whether by two factors.
pub struct Policy {
    pub groups: Vec<String>,
    pub two_factors: bool,
}

/// A policy of an admin's own.
#[derive(Deserialize)]
struct Written {
    default_policy: Option<String>,
    #[serde(default)]
    rules: Vec<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    policy: Option<String>,
    #[serde(default)]
    subject: Value,
    #[serde(default)]
    networks: Value,
}

impl Policy {
    /// `None`: it says something that a client cannot say here.
    pub fn of(written: &Value) -> Option<Self> {
        let written = Written::deserialize(written).ok()?;
        if written.default_policy.as_deref() != Some("deny") {
            return None;
        }
        let mut groups = Vec::new();
        let mut two_factors = None;
        for rule in &written.rules {
            let two = match rule.policy.as_deref() {
                Some("one_factor") => false,
                None | Some("two_factor") => true,
                Some(_) => return None,
            };
            if !rule.networks.is_null() || *two_factors.get_or_insert(two) != two {
                return None;
            }
            groups.extend(any_of(&rule.subject)?);
        }
        two_factors.map(|two_factors| Self {
            groups,
            two_factors,
        })
    }
}

/// One subject, or a list of which any will do; a list in that is of those that must all hold, so it has one.
fn any_of(subject: &Value) -> Option<Vec<String>> {
    let group = |subject: &Value| {
        let name = subject.as_str()?.strip_prefix("group:")?;
        Some(name.to_owned())
    };
    match subject {
        Value::Array(any) => any
            .iter()
            .map(|one| match one.as_array().map(Vec::as_slice) {
                Some([one]) => group(one),
                Some(_) => None,
                None => group(one),
            })
            .collect(),
        one => Some(vec![group(one)?]),
    }
}
