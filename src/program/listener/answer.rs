//! What Rocket answered, as it is sent: whole, or piece by piece.

use std::io;

use http_body_util::channel::{Channel, Sender};
use http_body_util::{Either, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue};
use hyper::{Response, StatusCode};
use rocket::local::asynchronous::LocalResponse;
use rocket::tokio::io::AsyncReadExt;
use rocket::tokio::sync::oneshot;

use super::Service;
use crate::foundation::app::App;
use crate::web::headers;

pub(super) type Body = Either<Full<Bytes>, Channel<Bytes, io::Error>>;

/// An answer up to this size is sent as a whole, a longer one piece by piece.
const PIECE: usize = 64 * 1_024;

/// Headers of its own that an answer has, most times.
const MOST_OF_ITS_OWN: usize = 8;

pub(super) fn whole(body: Bytes) -> Body {
    Either::Left(Full::new(body))
}

/// False if that is no header. An answer without it is not sent: a proxy would take the client's own for one
/// that is missing.
#[must_use]
pub(super) fn set_header<B>(response: &mut Response<B>, name: &str, value: &str) -> bool {
    let name = HeaderName::from_bytes(name.as_bytes());
    // Bytes: names of people are UTF-8.
    let value = HeaderValue::from_bytes(value.as_bytes());
    let (Ok(name), Ok(value)) = (name, value) else {
        return false;
    };
    response.headers_mut().append(name, value);
    true
}

/// The headers of every answer.
pub(super) fn common_headers(app: &App) -> HeaderMap {
    let header = |(name, value): (&'static str, &'static str)| {
        let name = HeaderName::from_bytes(name.as_bytes()).expect("it is a constant");
        (name, HeaderValue::from_static(value))
    };
    headers::of_every_answer(app).map(header).collect()
}

/// Sets the headers of every answer; some give way to what the answer says.
pub(super) fn add_common_headers<B>(response: &mut Response<B>, common: &HeaderMap) {
    let own = response.headers_mut();
    for (name, value) in common {
        if !headers::gives_way(name.as_str()) || !own.contains_key(name) {
            own.insert(name, value.clone());
        }
    }
}

impl Service {
    fn response_head(&self, answer: &LocalResponse<'_>) -> Option<Response<()>> {
        let mut head = Response::new(());
        head.headers_mut()
            .reserve(self.common.len() + MOST_OF_ITS_OWN);
        *head.status_mut() = StatusCode::from_u16(answer.status().code).ok()?;
        for header in answer.headers().iter() {
            if !set_header(&mut head, header.name.as_str(), &header.value) {
                tracing::error!(header = %header.name, "an answer is not sent: this header cannot be");
                return None;
            }
        }
        add_common_headers(&mut head, &self.common);
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
    use super::*;

    #[test]
    fn a_name_in_utf_8_is_a_header_and_a_second_line_is_none() {
        let mut response = Response::new(());
        assert!(set_header(&mut response, "Remote-Name", "Zo\u{eb}"));
        assert_eq!(
            response.headers()["remote-name"].as_bytes(),
            "Zo\u{eb}".as_bytes()
        );
        assert!(!set_header(
            &mut response,
            "Remote-User",
            "a\r\nRemote-User: b"
        ));
        assert!(!set_header(&mut response, "Remote User", "a"));
        assert_eq!(response.headers().len(), 1);
    }
}
