//! A WebSocket over HTTP/2: what a browser opens where the proxy offers it (RFC 8441).

use std::io::{Read, Write};
use std::process::{Child, Stdio};

use super::visitor::dial;
use super::{APP, Door, cases};

/// The little of HTTP/2 that one request needs; ended when dropped.
pub struct Socket(Child);

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
/// SETTINGS_ENABLE_CONNECT_PROTOCOL, 1.
const OFFERED: [u8; 6] = [0, 8, 0, 0, 0, 1];

impl Socket {
    /// `None` where the proxy does not offer it, so that browsers take HTTP/1.1.
    pub fn dial(door: &Door) -> Option<Self> {
        let mut openssl = dial(door.port, APP);
        openssl.args(["-alpn", "h2"]).stderr(Stdio::null());
        let mut socket = Self(openssl.spawn().expect("openssl"));
        socket.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
        socket.say(SETTINGS, 0, 0, &[]);
        let offered = socket
            .hear(SETTINGS)
            .is_some_and(|settings| settings.chunks(6).any(|setting| setting == OFFERED));
        offered.then_some(socket)
    }

    /// Asks for it; whether the answer is 200.
    pub fn opens(&mut self, path: &str, cookie: &str) -> bool {
        let mut block = Vec::new();
        for (name, value) in [
            (":method", "CONNECT"),
            (":protocol", "websocket"),
            (":scheme", "https"),
            (":path", path),
            (":authority", APP),
            ("sec-websocket-version", "13"),
            ("sec-fetch-mode", "websocket"),
            ("cookie", cookie),
        ] {
            block.push(0);
            for text in [name, value] {
                length(&mut block, text.len());
                block.extend(text.as_bytes());
            }
        }
        const END_HEADERS: u8 = 4;
        self.say(HEADERS, END_HEADERS, 1, &block);
        let answer = self.hear(HEADERS).unwrap_or_default();
        // 200 has a number of its own, maybe after the size of the table.
        answer.iter().find(|byte| **byte & 0xe0 != 0x20) == Some(&0x88)
    }

    pub fn echoes(&mut self, text: &[u8]) -> bool {
        self.say(DATA, 0, 1, text);
        self.hear(DATA).is_some_and(|heard| heard == text)
    }

    fn write(&mut self, bytes: &[u8]) {
        let pipe = self.0.stdin.as_mut().expect("a pipe");
        // One that is closed is heard of below.
        let _ = pipe.write_all(bytes).and_then(|()| pipe.flush());
    }

    fn say(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
        let length = u32::try_from(payload.len()).expect("a short frame");
        let mut frame = length.to_be_bytes()[1..].to_vec();
        frame.extend([kind, flags]);
        frame.extend(stream.to_be_bytes());
        frame.extend(payload);
        self.write(&frame);
    }

    /// The next frame of a kind that says something; others are passed over.
    fn hear(&mut self, wanted: u8) -> Option<Vec<u8>> {
        loop {
            let pipe = self.0.stdout.as_mut().expect("a pipe");
            let mut head = [0; 9];
            pipe.read_exact(&mut head).ok()?;
            let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
            let mut payload = vec![0; usize::try_from(length).expect("a length")];
            pipe.read_exact(&mut payload).ok()?;
            if head[3] == SETTINGS && head[4] == 0 {
                const ACK: u8 = 1;
                self.say(SETTINGS, ACK, 0, &[]);
            }
            if head[3] == wanted && !payload.is_empty() {
                return Some(payload);
            }
        }
    }
}

/// An integer with a prefix of seven bits (RFC 7541, section 5.1).
fn length(block: &mut Vec<u8>, length: usize) {
    let Some(mut rest) = length.checked_sub(127) else {
        block.push(u8::try_from(length).expect("seven bits"));
        return;
    };
    block.push(127);
    while rest >= 128 {
        block.push(u8::try_from(rest % 128 + 128).expect("a byte"));
        rest /= 128;
    }
    block.push(u8::try_from(rest).expect("a byte"));
}

impl Drop for Socket {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Opens for who is signed in, by a rule for GET as over HTTP/1.1, and for nobody else.
pub fn a_websocket_over_http_2_is_asked_about(door: &Door) {
    cases::add_rule(door, "--path /ws/* --method GET --who signed-in --allow");
    let alice = door.signed_in("alice");
    let cookie = alice.cookie_line(APP);
    let cookie = cookie.trim_start_matches("Cookie: ").trim_end();
    let mut socket = Socket::dial(door).expect("an offer");
    assert!(!socket.opens("/ws/socket", "a=1"));
    assert!(door.app.heard().is_empty(), "{:?}", door.app.heard());
    let mut socket = Socket::dial(door).expect("an offer");
    assert!(socket.opens("/ws/socket", cookie));
    assert!(socket.echoes(b"\x81\x85abcd\0\x01\x02\x03\x04."));
    let heard = door.app.heard().concat();
    assert!(heard.starts_with("GET /ws/socket HTTP/1.1\r\n"), "{heard}");
    assert!(
        heard.to_ascii_lowercase().contains("remote-user: alice"),
        "{heard}"
    );
}

/// Browsers take HTTP/1.1 then.
pub fn no_websocket_over_http_2_is_offered(door: &Door) {
    assert!(Socket::dial(door).is_none());
}
