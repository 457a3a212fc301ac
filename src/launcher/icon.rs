//! An icon that an admin gave: a small picture, known by its first bytes and measured by its own header.

/// Enough for 512 pixels each way of what an icon is.
pub const MOST_BYTES: usize = 64 * 1_024;
const MOST_PIXELS: u32 = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Png,
    Webp,
    Jpeg,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Icon {
    pub kind: Kind,
    pub image: Vec<u8>,
}

/// Why a file was not taken as an icon.
#[derive(Debug, PartialEq, Eq)]
pub enum NoIcon {
    Empty,
    TooLarge,
    Svg,
    Unknown,
    TooWide,
}

impl std::fmt::Display for NoIcon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Empty => "Choose a file: an icon is a PNG, WebP or JPEG.",
            Self::TooLarge => "An icon has 64 KiB at most.",
            Self::Svg => {
                "An SVG can hold scripts and is not taken as an icon: save it as PNG, WebP or JPEG."
            }
            Self::Unknown => "That is no PNG, WebP or JPEG.",
            Self::TooWide => "An icon is 512 pixels wide and high at most.",
        })
    }
}

impl Kind {
    #[must_use]
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Webp => "image/webp",
            Self::Jpeg => "image/jpeg",
        }
    }

    pub(super) fn of_content_type(text: &str) -> Option<Self> {
        [Self::Png, Self::Webp, Self::Jpeg]
            .into_iter()
            .find(|kind| kind.content_type() == text)
    }
}

impl Icon {
    /// Takes a file as an icon. What the picture holds besides is for browsers, which are told its kind and to guess none.
    ///
    /// # Errors
    /// It is none, or too large.
    pub fn read(image: Vec<u8>) -> Result<Self, NoIcon> {
        if image.is_empty() {
            return Err(NoIcon::Empty);
        }
        if image.len() > MOST_BYTES {
            return Err(NoIcon::TooLarge);
        }
        let (kind, size) = measured(&image).ok_or_else(|| match is_svg(&image) {
            true => NoIcon::Svg,
            false => NoIcon::Unknown,
        })?;
        let fits = |pixels: u32| (1..=MOST_PIXELS).contains(&pixels);
        if fits(size.0) && fits(size.1) {
            Ok(Self { kind, image })
        } else {
            Err(NoIcon::TooWide)
        }
    }
}

fn is_svg(image: &[u8]) -> bool {
    let text = String::from_utf8_lossy(image);
    text.contains("<svg") || text.contains(":svg") || text.trim_start().starts_with("<?xml")
}

type Size = (u32, u32);

fn measured(image: &[u8]) -> Option<(Kind, Size)> {
    if image.starts_with(b"\x89PNG\r\n\x1a\n") {
        return Some((Kind::Png, png(image)?));
    }
    if image.starts_with(b"RIFF") && image.get(8..12) == Some(b"WEBP") {
        return Some((Kind::Webp, webp(image)?));
    }
    if image.starts_with(b"\xff\xd8\xff") {
        return Some((Kind::Jpeg, jpeg(image)?));
    }
    None
}

/// Big-endian.
fn number(image: &[u8], at: usize, bytes: usize) -> Option<u32> {
    let part = image.get(at..at.checked_add(bytes)?)?;
    Some(
        part.iter()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)),
    )
}

/// Little-endian.
fn number_le(image: &[u8], at: usize, bytes: usize) -> Option<u32> {
    let part = image.get(at..at.checked_add(bytes)?)?;
    Some(
        part.iter()
            .rev()
            .fold(0, |number, byte| number << 8 | u32::from(*byte)),
    )
}

/// The first chunk is the header (PNG, 11.2.2).
fn png(image: &[u8]) -> Option<Size> {
    if image.get(12..16) != Some(b"IHDR") {
        return None;
    }
    Some((number(image, 16, 4)?, number(image, 20, 4)?))
}

/// RFC 9649, 2: simple with loss (RFC 6386, 9.1) or without, or extended.
fn webp(image: &[u8]) -> Option<Size> {
    const LOW_14: u32 = (1 << 14) - 1;
    match image.get(12..16)? {
        b"VP8 " if image.get(23..26) == Some(&[0x9d, 0x01, 0x2a]) => Some((
            number_le(image, 26, 2)? & LOW_14,
            number_le(image, 28, 2)? & LOW_14,
        )),
        b"VP8L" if image.get(20) == Some(&0x2f) => {
            let bits = number_le(image, 21, 4)?;
            Some(((bits & LOW_14) + 1, (bits >> 14 & LOW_14) + 1))
        }
        b"VP8X" => Some((number_le(image, 24, 3)? + 1, number_le(image, 27, 3)? + 1)),
        _ => None,
    }
}

/// The size stands in the header of the frame, after others (ITU-T T.81, B.2.2).
fn jpeg(image: &[u8]) -> Option<Size> {
    let mut at = 2;
    loop {
        while image.get(at) == Some(&0xff) && image.get(at + 1) == Some(&0xff) {
            at += 1;
        }
        if image.get(at) != Some(&0xff) {
            return None;
        }
        match *image.get(at + 1)? {
            // Tables of codes and conditions have numbers in between.
            0xc4 | 0xc8 | 0xcc => {}
            0xc0..=0xcf => return Some((number(image, at + 7, 2)?, number(image, at + 5, 2)?)),
            // The picture itself, or its end, before any frame.
            0xd8..=0xda => return None,
            _ => {}
        }
        at += 2 + number(image, at + 2, 2)?.max(2) as usize;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn png_of(width: u32, height: u32) -> Vec<u8> {
        let header = [
            &b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..],
            &width.to_be_bytes(),
            &height.to_be_bytes(),
        ];
        [&header.concat()[..], b"\x08\x06\0\0\0"].concat()
    }

    fn webp_of(chunk: &[u8]) -> Vec<u8> {
        [&b"RIFF\x20\0\0\0WEBP"[..], chunk].concat()
    }

    #[test]
    fn each_kind_is_known_by_its_bytes_and_measured() {
        let lossy = webp_of(b"VP8 \x10\0\0\0\x30\x01\0\x9d\x01\x2a\x40\0\x20\0");
        let lossless = webp_of(b"VP8L\x10\0\0\0\x2f\x3f\xc0\x07\0");
        let extended = webp_of(b"VP8X\x0a\0\0\0\0\0\0\0\x3f\0\0\x1f\0\0");
        for image in [&lossy, &lossless, &extended] {
            assert_eq!(measured(image), Some((Kind::Webp, (64, 32))));
        }
        let jpeg = b"\xff\xd8\xff\xe0\0\x04ab\xff\xc4\0\x03x\xff\xff\xc2\0\x11\x08\0\x20\0\x40\x03";
        assert_eq!(measured(jpeg), Some((Kind::Jpeg, (64, 32))));
        assert_eq!(measured(&png_of(64, 32)), Some((Kind::Png, (64, 32))));
    }

    #[test]
    fn what_is_none_or_too_large_is_refused() {
        let long = [png_of(1, 1), vec![0; MOST_BYTES]].concat();
        for (image, why) in [
            (Vec::new(), NoIcon::Empty),
            (long, NoIcon::TooLarge),
            (png_of(513, 1), NoIcon::TooWide),
            (png_of(1, u32::MAX), NoIcon::TooWide),
            (png_of(0, 1), NoIcon::TooWide),
            (
                b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec(),
                NoIcon::Svg,
            ),
            (b"<?xml version='1.0'?><x:svg/>".to_vec(), NoIcon::Svg),
            (b"GIF89a\x01\0\x01\0".to_vec(), NoIcon::Unknown),
            (b"\x89PNG\r\n\x1a\n".to_vec(), NoIcon::Unknown),
            (b"\xff\xd8\xff\xda\0\x04".to_vec(), NoIcon::Unknown),
            (b"\xff\xd8\xff\xe0\xff".to_vec(), NoIcon::Unknown),
        ] {
            assert_eq!(Icon::read(image), Err(why));
        }
    }

    #[test]
    fn no_bytes_at_all_make_it_fail() {
        let starts = [
            &b"\xff\xd8\xff"[..],
            b"RIFF\0\0\0\0WEBPVP8X",
            b"\x89PNG\r\n\x1a\n",
        ];
        for start in starts {
            for fill in 0..=255 {
                for length in 0..40 {
                    let _ = measured(&[start, &vec![fill; length]].concat());
                }
            }
        }
    }
}
