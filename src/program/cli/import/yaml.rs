//! YAML, read so that what is wrong is told by its line, and without a word of a value: that may be a hash.

use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, MapAccess, Visitor};
use serde_json::{Map, Value};
use serde_saphyr::{Error, Location, Spanned};

use crate::people::users::Fault;

/// # Errors
/// It is no YAML, or not of this form.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Vec<Fault>> {
    serde_saphyr::from_str(text).map_err(|error| faults(text, error.without_snippet()))
}

pub fn line_of(place: Location) -> usize {
    usize::try_from(place.line()).unwrap_or(usize::MAX)
}

fn faults(text: &str, error: &Error) -> Vec<Fault> {
    let found = error.location().map_or(1, line_of);
    let rest = || (1..).zip(text.lines()).skip(found.saturating_sub(1));
    // Whoever has one of these has more.
    let templates = rest().filter(|(_, text)| is_template(text));
    let templates = templates.map(|(line, _)| Fault {
        line,
        text: "a template stands here ({{ … }}); write what it stands for".to_owned(),
    });
    let templates: Vec<Fault> = templates.collect();
    if templates.first().is_some_and(|first| first.line == found) {
        return templates;
    }
    let text = match error {
        Error::ExternalMessage { msg, .. } if msg.contains("tab") => {
            let indented = rest().find(|(_, text)| indentation(text).contains('\t'));
            return vec![Fault {
                line: indented.map_or(found, |(line, _)| line),
                text: "is no YAML: a tab stands where spaces belong".to_owned(),
            }];
        }
        // The parser's own words quote a single letter at most.
        Error::ExternalMessage { msg, .. } => format!("is no YAML: {msg}"),
        Error::Unexpected {
            expected: "mapping start",
            ..
        } => "names belong here, each with what it has after a colon".to_owned(),
        Error::Unexpected {
            expected: "sequence start",
            ..
        } => "a list belongs here, each of it after a -".to_owned(),
        Error::DuplicateMappingKey { .. } => "this name is there twice".to_owned(),
        Error::MultipleDocuments { .. } => "a second document begins here; one is read".to_owned(),
        Error::UnknownAnchor { .. } => "* refers to what no & has named".to_owned(),
        _ => "cannot be read".to_owned(),
    };
    vec![Fault { line: found, text }]
}

/// Whether it begins with one, or has one for a value; those in quotes are texts to YAML.
fn is_template(line: &str) -> bool {
    let line = line.trim_start();
    let is_value = line.contains(": {{") || line.contains("- {{");
    line.starts_with("{{") || is_value && !line.starts_with('#')
}

fn indentation(line: &str) -> &str {
    &line[..line.len() - line.trim_start().len()]
}

/// Names, each with its place and with what stands below it.
pub struct Below<T>(pub Vec<(Spanned<String>, T)>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Below<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Names<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Names<T> {
            type Value = Below<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("names")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    all.push(entry);
                }
                Ok(Below(all))
            }
        }

        deserializer.deserialize_map(Names(PhantomData))
    }
}

/// What a user or a client has, by name; a value of another kind than is asked for is a fault.
pub struct Fields {
    values: Map<String, Value>,
    pub faults: Vec<String>,
}

impl Fields {
    pub fn of(value: Value) -> Self {
        let (values, fault) = match value {
            Value::Object(values) => (values, None),
            Value::Null => (Map::new(), None),
            _ => (Map::new(), Some("has no names with values below it")),
        };
        Self {
            values,
            faults: fault.map(str::to_owned).into_iter().collect(),
        }
    }

    /// Notes values that another program's templates stand in.
    pub fn refuse_templates(&mut self) {
        let templates = self.values.iter().filter(|(_, value)| has_template(value));
        let told = templates.map(|(name, _)| {
            format!("{name} has a template in it ({{{{ … }}}}); write what it stands for")
        });
        self.faults.extend(told);
    }

    /// `None` for an empty one, too.
    pub fn text(&mut self, name: &str) -> Option<String> {
        match self.values.remove(name)? {
            Value::String(text) => (!text.is_empty()).then_some(text),
            Value::Null => None,
            _ => {
                self.faults
                    .push(format!("{name} is a text; write it in quotes"));
                None
            }
        }
    }

    /// One text is a list, too, with commas in it, as Authelia reads it.
    pub fn list(&mut self, name: &str) -> Vec<String> {
        let list = match self.values.remove(name) {
            None | Some(Value::Null) => Some(Vec::new()),
            Some(Value::String(text)) => {
                let texts = text.split(',').map(str::trim);
                Some(texts.map(str::to_owned).collect())
            }
            Some(list) => serde_json::from_value(list).ok(),
        };
        list.unwrap_or_else(|| {
            self.faults.push(format!("{name} is a list of texts"));
            Vec::new()
        })
    }

    pub fn is(&mut self, name: &str) -> bool {
        match self.values.remove(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(is)) => is,
            Some(_) => {
                self.faults.push(format!("{name} is true or false"));
                false
            }
        }
    }

    /// Whether there is a value of any kind.
    pub fn has(&mut self, name: &str) -> bool {
        self.values.remove(name).is_some()
    }

    /// The names that nobody asked for, and that say something.
    pub fn rest(&mut self) -> Vec<String> {
        let rest = std::mem::take(&mut self.values).into_iter();
        let rest = rest.filter(|(_, value)| is_set(value));
        rest.map(|(name, _)| name).collect()
    }
}

fn has_template(value: &Value) -> bool {
    // In JSON, braces stand side by side in texts alone.
    value.to_string().contains("{{")
}

fn is_set(value: &Value) -> bool {
    let nothing = [
        Value::Null,
        Value::from(""),
        Value::from(false),
        Value::from("none"),
    ];
    !nothing.contains(value)
}
