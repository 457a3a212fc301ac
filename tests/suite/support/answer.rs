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

    /// The texts of the page between each `start` and the next `end`.
    pub fn elements(&self, start: &str, end: &str) -> Vec<String> {
        let parts = self.body.split(start).skip(1);
        parts
            .filter_map(|part| Some(part.split_once(end)?.0.to_owned()))
            .collect()
    }

    /// But for what no two pages have alike that ask for a passkey: the challenge, and the cookie of a browser that has
    /// none yet.
    pub fn but_for_challenges(&self) -> Self {
        let mut answer = self.clone();
        if let Some((before, rest)) = self.body.split_once("challenge&quot;:&quot;") {
            let (_, after) = rest.split_once("&quot;").expect("its end");
            answer.body = format!("{before}challenge{after}");
        }
        for (name, value) in &mut answer.headers {
            if name == "set-cookie" && value.starts_with("__Host-vestibule-visit=") {
                "__Host-vestibule-visit".clone_into(value);
            }
        }
        answer
    }

    /// The page with the slashes that templates escape as they are.
    pub fn unescaped(&self) -> String {
        self.body.replace("&#x2f;", "/").replace("&quot;", "\"")
    }

    /// The fields of the page's form whose tag begins so or has this in it, as a browser sends them
    /// unchanged.
    pub fn fields_of(&self, form: &str) -> Vec<(String, String)> {
        let body = self.unescaped();
        let (_, rest) = body.split_once(form).expect("the form");
        let (form, _) = rest.split_once("</form>").expect("its end");
        let inputs = form.split("<input ").skip(1);
        inputs
            .filter_map(|rest| input(rest.split('>').next()?))
            .collect()
    }

    /// One of them.
    pub fn field_of(&self, form: &str, name: &str) -> String {
        let fields = self.fields_of(form);
        let found = fields.into_iter().find(|(field, _)| field == name);
        found.expect("the field").1
    }

    /// The first field of this name.
    pub fn field(&self, name: &str) -> String {
        let body = self.unescaped();
        let inputs = body.split("<input ").skip(1);
        let mut fields = inputs.filter_map(|rest| input(rest.split('>').next()?));
        fields
            .find(|(field, _)| field == name)
            .expect("the field")
            .1
    }
}

/// Name and value of an `input`; none of an unchecked box.
fn input(tag: &str) -> Option<(String, String)> {
    let attribute = |name: &str| {
        let (_, rest) = tag.split_once(&format!("{name}=\""))?;
        Some(rest.split('"').next()?.to_owned())
    };
    if tag.contains("checkbox") && !tag.ends_with("checked") {
        return None;
    }
    Some((attribute("name")?, attribute("value").unwrap_or_default()))
}
