//! What Rocket answered, as it is sent: whole, or piece by piece.

use std::borrow::Cow;
use std::io;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, Entry, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use rocket::http::Header;
use rocket::local::asynchronous::LocalResponse;
use rocket::tokio::io::AsyncReadExt;
use rocket::tokio::sync::oneshot;

use super::Service;
use crate::foundation::app::App;
use crate::web::{OwnHeader, headers};

pub(super) type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// An answer up to this size is sent as a whole, a longer one piece by piece.
const PIECE: usize = 64 * 1_024;

/// Room for headers of its own that an answer has, most times.
const MOST_OF_ITS_OWN: usize = 8;

pub(super) fn whole(body: Bytes) -> Body {
    Either::Left(Full::new(body))
}

/// The headers of every answer, with room for an answer's own.
pub(super) fn common_headers(app: &App) -> HeaderMap {
    let mut common = HeaderMap::with_capacity(2 * MOST_OF_ITS_OWN);
    for (name, value) in headers::of_every_answer(app) {
        common.insert(name, HeaderValue::from_static(value));
    }
    common
}

/// The headers of an answer: those of every answer, some of which give way, and its own. `None`: one of these
/// cannot be sent, and the log says so. An answer without it is not sent: a proxy would take the client's own for
/// one that is missing.
pub(super) fn with_common_headers(
    common: &HeaderMap,
    own: impl IntoIterator<Item = OwnHeader>,
) -> Option<HeaderMap> {
    let mut all = common.clone();
    for (name, value) in own {
        let Some(value) = header_value(value) else {
            return refuse_header(name.as_str());
        };
        match all.entry(name) {
            Entry::Vacant(place) => {
                place.insert(value);
            }
            Entry::Occupied(mut place) if !common.contains_key(place.key()) => place.append(value),
            Entry::Occupied(mut place) if headers::gives_way(place.key()) => {
                place.insert(value);
            }
            Entry::Occupied(_) => {}
        }
    }
    Some(all)
}

fn refuse_header<T>(name: &str) -> Option<T> {
    tracing::error!(header = %name, "an answer is not sent: this header cannot be");
    None
}

/// A header of Rocket's.
fn own_header(header: Header<'_>) -> Option<OwnHeader> {
    let name = header.name.as_str();
    match HeaderName::from_bytes(name.as_bytes()) {
        Ok(name) => Some((name, header.value.into_owned().into())),
        Err(_) => refuse_header(name),
    }
}

/// Its bytes, for names of people are UTF-8.
fn header_value(text: Cow<'static, str>) -> Option<HeaderValue> {
    let bytes = match text {
        Cow::Borrowed(text) => Bytes::from_static(text.as_bytes()),
        Cow::Owned(text) => Bytes::from(text),
    };
    HeaderValue::from_maybe_shared(bytes).ok()
}

impl Service {
    fn response_head(&self, answer: &LocalResponse<'_>) -> Option<Response<()>> {
        let mut head = Response::new(());
        *head.status_mut() = StatusCode::from_u16(answer.status().code).ok()?;
        let own = answer.headers().iter().map(own_header);
        let own: Vec<_> = own.collect::<Option<_>>()?;
        *head.headers_mut() = with_common_headers(&self.common, own)?;
        // What GET would answer with, where the body itself is not sent.
        if let Some(length) = answer.body().preset_size() {
            head.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        Some(head)
    }

    /// `None`: it cannot be sent, and the log says why.
    pub(super) async fn whole_response(
        &self,
        answer: &mut LocalResponse<'_>,
    ) -> Option<Response<Body>> {
        let head = self.response_head(answer)?;
        let mut body = Vec::with_capacity(answer.body().preset_size().unwrap_or(0));
        if let Err(error) = answer.read_to_end(&mut body).await {
            tracing::error!("an answer could not be read: {error}");
            return None;
        }
        Some(head.map(|()| whole(body.into())))
    }

    /// Hands the answer on, and stays while a long one is sent: its body belongs to the request.
    pub(super) async fn send(
        &self,
        mut answer: LocalResponse<'_>,
        tell: oneshot::Sender<Response<Body>>,
    ) {
        let size = answer.body().preset_size();
        if size.is_some_and(|size| size <= PIECE) {
            if let Some(answer) = self.whole_response(&mut answer).await {
                let _ = tell.send(answer);
            }
            return;
        }
        let Some(head) = self.response_head(&answer) else {
            return;
        };
        let (pieces, body) = Channel::new(1);
        if tell.send(head.map(|()| Either::Right(body))).is_ok() {
            stream_body(answer, pieces).await;
        }
    }
}

async fn stream_body(mut answer: LocalResponse<'_>, mut pieces: Sender<Bytes, io::Error>) {
    loop {
        let mut piece = Vec::with_capacity(PIECE);
        match answer.read_buf(&mut piece).await {
            Ok(0) => return,
            // The client is gone.
            Ok(_) if pieces.send_data(piece.into()).await.is_err() => return,
            Ok(_) => {}
            Err(error) => {
                tracing::error!("an answer broke off: {error}");
                return pieces.abort(error);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use hyper::header::{CACHE_CONTROL, SET_COOKIE, VARY};

    use super::*;

    const NAME: HeaderName = HeaderName::from_static("remote-name");

    fn headers(own: Vec<OwnHeader>) -> Option<HeaderMap> {
        let common = [
            (CACHE_CONTROL, HeaderValue::from_static("no-store")),
            (VARY, HeaderValue::from_static("Cookie")),
        ];
        with_common_headers(&HeaderMap::from_iter(common), own)
    }

    #[test]
    fn a_name_in_utf_8_is_a_header_and_a_second_line_is_none() {
        let zoe = headers(vec![(NAME, "Zo\u{eb}".to_owned().into())]).expect("headers");
        assert_eq!(zoe[NAME].as_bytes(), "Zo\u{eb}".as_bytes());
        let two_lines = "a\r\nRemote-User: b";
        assert_eq!(headers(vec![(NAME, two_lines.into())]), None);
    }

    #[test]
    fn what_every_answer_says_stands_but_for_what_gives_way() {
        let own = [
            (CACHE_CONTROL, "public"),
            (VARY, "Origin"),
            (SET_COOKIE, "a=1"),
            (SET_COOKIE, "b=2"),
        ];
        let all = headers(own.map(|(name, value)| (name, value.into())).into()).expect("headers");
        let values = |name| all.get_all(name).iter().collect::<Vec<_>>();
        assert_eq!(values(CACHE_CONTROL), ["public"]);
        assert_eq!(values(VARY), ["Cookie"]);
        assert_eq!(values(SET_COOKIE), ["a=1", "b=2"]);
    }
}
