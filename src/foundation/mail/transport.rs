//! One dialogue with the mail server: blocking, each step with a time limit.

use std::time::Duration;

use lettre::Message as Email;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::client::{Certificate, SmtpConnection, TlsParameters};
use lettre::transport::smtp::extension::ClientId;
use uuid::Uuid;

use super::{Failure, Message};
use crate::foundation::settings::{Mail as MailSettings, MailTls, Secret, Settings};

const TIMEOUT: Duration = Duration::from_secs(20);

/// What was done on the way, in words.
pub type Step = String;

/// Sends one message; `told` hears of each step that worked.
///
/// # Errors
/// The server cannot be reached or trusted, or does not take the message.
pub fn deliver(
    settings: &Settings,
    id: Uuid,
    message: &Message,
    told: &mut dyn FnMut(Step),
) -> Result<(), Failure> {
    let mail = &settings.mail;
    let email = write(settings, id, message)?;
    let mut connection = connect(settings, told)?;
    if let Some((username, password)) = credentials(mail)? {
        let mechanisms = [Mechanism::Plain, Mechanism::Login];
        let credentials = Credentials::new(username, password);
        connection
            .auth(&mechanisms, &credentials)
            .map_err(|error| {
                failed(
                    "sign in",
                    "see mail.username and mail.password_file",
                    &error,
                )
            })?;
        told("signed in".to_owned());
    }
    let cure = "see what the server says of the sender (mail.from) or the recipient";
    let sent = connection.send(email.envelope(), &email.formatted());
    let answer = sent.map_err(|error| failed("hand over the message", cure, &error))?;
    let answer: Vec<&str> = answer.message().collect();
    told(format!("the server took the message: {}", answer.join(" ")));
    // It has the message: whatever follows changes nothing.
    let _ = connection.quit();
    Ok(())
}

fn connect(settings: &Settings, told: &mut dyn FnMut(Step)) -> Result<SmtpConnection, Failure> {
    let mail = &settings.mail;
    let host = mail.host.as_deref().unwrap_or_default();
    let port = mail.port();
    let own_host = settings.url().host_str().unwrap_or("localhost");
    let hello = ClientId::Domain(mail.hello.clone().unwrap_or_else(|| own_host.to_owned()));
    let tls = mail.tls();
    let parameters = match tls {
        MailTls::None => None,
        MailTls::Implicit | MailTls::Starttls => Some(trust(mail, host)?),
    };
    let at_once = parameters.as_ref().filter(|_| tls == MailTls::Implicit);
    let connected = SmtpConnection::connect((host, port), Some(TIMEOUT), &hello, at_once, None);
    let cure = match tls {
        MailTls::Implicit => {
            "see mail.host and mail.port; a server that speaks STARTTLS (port 587) needs mail.tls = \"starttls\", and one of a private authority mail.ca_file"
        }
        _ => {
            "see mail.host and mail.port; a server that speaks TLS at once (port 465) needs mail.tls = \"implicit\""
        }
    };
    let what = format!("reach {host}:{port}");
    let mut connection = connected.map_err(|error| failed(&what, cure, &error))?;
    told(format!("reached {host}:{port}"));
    if let (MailTls::Starttls, Some(parameters)) = (tls, &parameters) {
        if !connection.can_starttls() {
            return Err(Failure {
                text: format!(
                    "{host}:{port} offers no STARTTLS, and nothing is sent without; see mail.tls and mail.port"
                ),
                is_permanent: false,
            });
        }
        connection
            .starttls(parameters, &hello)
            .map_err(|error| failed("begin TLS", "the server's certificate must be for mail.host; name a private authority in mail.ca_file", &error))?;
    }
    if connection.is_encrypted() {
        told("TLS, and the certificate is right".to_owned());
    }
    Ok(connection)
}

/// The authorities that are believed: the system's, and the one of `mail.ca_file`.
fn trust(mail: &MailSettings, host: &str) -> Result<TlsParameters, Failure> {
    let fault = |text: String| Failure {
        text,
        is_permanent: false,
    };
    let mut builder = TlsParameters::builder(host.to_owned());
    if let Some(path) = &mail.ca_file {
        let told = |why: String| fault(format!("mail.ca_file: {}: {why}", path.display()));
        let pem = std::fs::read(path).map_err(|error| told(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| told(error.to_string()))?;
        builder = builder.add_root_certificate(certificate);
    }
    builder
        .build_rustls()
        .map_err(|error| fault(format!("TLS: {error}")))
}

fn credentials(mail: &MailSettings) -> Result<Option<(String, String)>, Failure> {
    let Some(username) = &mail.username else {
        return Ok(None);
    };
    let password = match (&mail.password, &mail.password_file) {
        (Some(password), _) => password.reveal().to_owned(),
        (None, Some(path)) => {
            let read = Secret::read(path).map_err(|why| Failure {
                text: format!("mail.password_file: {why}"),
                is_permanent: false,
            });
            crate::foundation::settings::without_line_end(read?.reveal()).to_owned()
        }
        (None, None) => String::new(),
    };
    Ok(Some((username.clone(), password)))
}

fn failed(what: &str, cure: &str, error: &SmtpError) -> Failure {
    let mut why = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(inner) = source {
        let text = inner.to_string();
        if !why.contains(&text) {
            why = format!("{why}: {text}");
        }
        source = inner.source();
    }
    Failure {
        text: format!("could not {what}: {why}; {cure}"),
        is_permanent: error.is_permanent(),
    }
}

/// The message as it goes over the wire. What people have chosen is in no header but the recipient's.
fn write(settings: &Settings, id: Uuid, message: &Message) -> Result<Email, Failure> {
    let mail = &settings.mail;
    let refused = |what: &str, why: &dyn std::fmt::Display| Failure {
        text: format!("{what}: {why}"),
        is_permanent: true,
    };
    let from: Mailbox = mail
        .from(settings)
        .parse()
        .map_err(|error| refused("mail.from", &error))?;
    let to = message
        .to
        .parse()
        .map_err(|error| refused("the address", &error))?;
    let host = settings.url().host_str().unwrap_or("localhost");
    let header = |name: &'static str, value: &str| {
        HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
    };
    let part =
        |kind: ContentType, text: &str| SinglePart::builder().header(kind).body(text.to_owned());
    Email::builder()
        .from(from)
        .to(Mailbox::new(None, to))
        .subject(&message.subject)
        .message_id(Some(format!("<{id}@{host}>")))
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Auto-Response-Suppress", "All"))
        .multipart(
            MultiPart::alternative()
                .singlepart(part(ContentType::TEXT_PLAIN, &message.text))
                .singlepart(part(ContentType::TEXT_HTML, &message.html)),
        )
        .map_err(|error| refused("the message", &error))
}
