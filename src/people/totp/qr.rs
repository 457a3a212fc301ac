//! A QR code as a picture of our own: squares in an SVG that stands in the page.

use std::fmt::Write as _;

use qrcodegen::QrCodeEcc;
use serde::Serialize;

/// What a page draws: black squares on white, whatever the page's colours, with the quiet zone that readers need.
#[derive(Clone, Debug, Serialize)]
pub struct QrCode {
    /// Squares a side, with the margin.
    size: i32,
    /// The black squares, as the path of an SVG.
    path: String,
}

const MARGIN: i32 = 4;

impl QrCode {
    /// `None`: the text is too long for any QR code.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let code = qrcodegen::QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
        let mut path = String::new();
        for y in 0..code.size() {
            for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
                let _ = write!(path, "M{},{}h1v1h-1z", x + MARGIN, y + MARGIN);
            }
        }
        Some(Self {
            size: code.size() + 2 * MARGIN,
            path,
        })
    }

    /// For the test that renders every page.
    pub(crate) fn sample() -> Self {
        Self {
            size: 9,
            path: "M4,4h1v1h-1z".to_owned(),
        }
    }
}
