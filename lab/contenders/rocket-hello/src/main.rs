//! A bare Rocket: an answer with two headers, and no database. The yardstick for a session check.

use rocket::config::{Config, LogLevel};
use rocket::response::Responder;
use rocket::{get, launch, routes};

#[derive(Responder)]
struct Hello {
    body: &'static str,
    user: rocket::http::Header<'static>,
    cache: rocket::http::Header<'static>,
}

#[get("/<_..>")]
fn hello() -> Hello {
    Hello {
        body: "",
        user: rocket::http::Header::new("Remote-User", "alice"),
        cache: rocket::http::Header::new("Cache-Control", "no-store"),
    }
}

#[launch]
fn rocket() -> _ {
    let config = Config {
        log_level: LogLevel::Off,
        ..Config::release_default()
    };
    // Address and port from ROCKET_ADDRESS and ROCKET_PORT.
    let figment = rocket::figment::Figment::from(config)
        .merge(rocket::figment::providers::Env::prefixed("ROCKET_"));
    rocket::custom(figment).mount("/", routes![hello])
}
