/// An answer, read to its end.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Answer {
    pub fn read(response: http::Response<String>) -> Self {
        let header = |(name, value): (&http::HeaderName, &http::HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.into_owned())
        };
        Self {
            status: response.status().as_u16(),
            headers: response.headers().iter().map(header).collect(),
            body: response.into_body(),
        }
    }

    /// All values of a header, by its name in lower case.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.headers
            .iter()
            .filter(move |(header, _)| header == name)
            .map(|(_, value)| value.as_str())
    }

    /// The value of a header that is there once at most; empty if it is not there.
    pub fn header<'a>(&'a self, name: &'a str) -> &'a str {
        let mut values = self.all(name);
        let value = values.next().unwrap_or_default();
        assert_eq!(values.next(), None, "{name} is there once");
        value
    }

    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}
