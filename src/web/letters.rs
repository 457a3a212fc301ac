//! Mails as people read them: plain text from a template, and the same as small HTML.

use serde::Serialize;

use super::pages::{Template, Templates};
use crate::foundation::app::App;
use crate::foundation::error::Error;
use crate::foundation::mail::Message;

/// A mail's data, and the template that tells it.
pub trait Letter: Serialize {
    const TEMPLATE: Template;
    /// Without anything that people have chosen.
    const SUBJECT: &'static str;
}

/// Writes a letter to an address.
///
/// # Errors
/// The template is at fault.
pub fn write<L: Letter>(app: &App, to: &str, letter: &L) -> Result<Message, Error> {
    let text = app
        .state::<Templates>()
        .render_text(L::TEMPLATE.name, letter)?;
    let host = app.settings.url().host_str().unwrap_or_default();
    Ok(Message {
        to: to.to_owned(),
        subject: format!("{} ({host})", L::SUBJECT),
        html: html_of(&text),
        text,
    })
}

/// Paragraphs of the text, with links where a line is an address. Nothing is loaded from anywhere.
fn html_of(text: &str) -> String {
    let paragraphs: String = text
        .split("\n\n")
        .map(|paragraph| format!("<p>{}</p>\n", lines_of(paragraph)))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"color-scheme\" content=\"light dark\"></head>\n\
         <body style=\"font: 16px/1.5 sans-serif; max-width: 36em\">\n{paragraphs}</body></html>\n"
    )
}

fn lines_of(paragraph: &str) -> String {
    let lines = paragraph.lines().map(|line| {
        let line = escaped(line.trim());
        if line.starts_with("https://") || line.starts_with("http://") {
            format!("<a href=\"{line}\">{line}</a>")
        } else {
            line
        }
    });
    lines.collect::<Vec<_>>().join("<br>\n")
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_have_chosen_becomes_no_part_of_the_html() {
        let html = html_of("Hello <b>&\"you\",\n\nhttps://auth.example.com/reset/abc\n");
        assert!(
            html.contains("<p>Hello &lt;b&gt;&amp;&quot;you&quot;,</p>"),
            "{html}"
        );
        assert!(
            html.contains("<a href=\"https://auth.example.com/reset/abc\">"),
            "{html}"
        );
    }
}
