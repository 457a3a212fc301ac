//! How addresses, durations and networks are written in settings.

use rocket::serde::de::{Error, IntoDeserializer};
use rocket::serde::{Deserialize, Deserializer, Serializer};
use url::Url;

/// `https://auth.example.com`. What is no URL is not repeated: it may hold a password.
pub fn url<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Url>, D::Error> {
    let text = Option::<String>::deserialize(from)?;
    let parsed = text.map(|text| Url::parse(&text)).transpose();
    parsed.map_err(|e| D::Error::custom(format!("{e}; write it like https://auth.example.com")))
}

/// An address, without a password that is in it.
pub fn without_password<S: Serializer>(address: &str, to: S) -> Result<S::Ok, S::Error> {
    match Url::parse(address) {
        Ok(mut url) if url.password().is_some() => {
            let _ = url.set_password(None);
            to.serialize_str(url.as_str())
        }
        _ => to.serialize_str(address),
    }
}

/// One of an enum's names, in capitals too: `INFO`.
pub fn name<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<T, D::Error> {
    let name = String::deserialize(from)?.to_ascii_lowercase();
    T::deserialize(name.into_deserializer())
}

/// `30m`, `12h`, `7d`.
pub mod duration {
    use std::time::Duration;

    use rocket::serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&in_one_unit(*duration))
    }

    /// As a person would have written it: humantime's own form of 90d is "2months 29days 2h 52m 48s".
    fn in_one_unit(duration: Duration) -> String {
        let seconds = duration.as_secs();
        let units = [(86_400, "d"), (3_600, "h"), (60, "m"), (1, "s")];
        match units.iter().find(|(unit, _)| seconds.is_multiple_of(*unit)) {
            Some((unit, name)) if seconds > 0 && duration.subsec_nanos() == 0 => {
                format!("{}{name}", seconds / unit)
            }
            _ => humantime::format_duration(duration).to_string(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Duration, D::Error> {
        let wanted = "a duration is written like \"30m\", \"12h\" or \"7d\"";
        let text = String::deserialize(from).map_err(|_| D::Error::custom(wanted))?;
        humantime::parse_duration(&text)
            .map_err(|e| D::Error::custom(format!("{text:?}: {e}; {wanted}")))
    }
}

/// `["127.0.0.1", "10.0.0.0/8"]`: an address alone is the network of that one address.
pub mod networks {
    use std::net::IpAddr;

    use ipnet::IpNet;
    use rocket::serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub fn serialize<S: Serializer>(networks: &[IpNet], to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(networks.iter().map(ToString::to_string))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<IpNet>, D::Error> {
        Vec::<String>::deserialize(from)?
            .iter()
            .map(|text| {
                parse(text).ok_or_else(|| {
                    D::Error::custom(format!(
                        "{text:?} is no address and no network like 10.0.0.0/8"
                    ))
                })
            })
            .collect()
    }

    fn parse(text: &str) -> Option<IpNet> {
        let address = text.parse::<IpAddr>().ok().map(IpNet::from);
        address.or_else(|| text.parse().ok())
    }
}
