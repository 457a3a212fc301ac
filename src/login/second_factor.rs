//! The one path on which a second factor is checked: throttled in buckets of its own, each code once, and a failure is
//! written before it is answered.

use std::time::Duration;

use super::metrics::{SignIn, count_second_step};
use crate::foundation::app::App;
use crate::foundation::audit::{self, Actor, Event, Record};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::throttle::{Reservation, Reserved};
use crate::people::notices::{self, Kind};
use crate::people::recovery_codes::{self, RecoveryCode};
use crate::people::totp::{self, Code, Step};
use crate::people::users::{self, User};
use crate::sessions::{Device, Methods};

/// What a person gives as a second factor.
pub(crate) enum Proof {
    Code(Code),
    RecoveryCode(RecoveryCode),
}

impl Proof {
    /// Reads one field in which a person types either. `None`: it is neither, and costs no try.
    pub fn parse(text: String) -> Option<Self> {
        match Code::parse(text.clone()) {
            Some(code) => Some(Self::Code(code)),
            None => RecoveryCode::parse(text).map(Self::RecoveryCode),
        }
    }

    fn method(&self) -> &'static str {
        match self {
            Self::Code(_) => "totp",
            Self::RecoveryCode(_) => "recovery_code",
        }
    }

    /// Tries of codes and of recovery codes are counted apart, and apart from those of passwords, so that who knows the
    /// password shuts nobody out of what replaces a lost factor.
    fn bucket(&self, user: &User) -> String {
        let kind = match self {
            Self::Code(_) => "code of",
            Self::RecoveryCode(_) => "recovery code of",
        };
        // No name has a blank in it.
        format!("{kind} {}", user.username)
    }
}

/// A proof that is being checked, with its try.
pub(crate) struct Attempt<'a> {
    user: &'a User,
    device: &'a Device,
    event: Event,
    method: &'static str,
    reservation: Reservation,
    found: Found,
}

enum Found {
    Step(Step),
    RecoveryCode(RecoveryCode),
    WrongCode,
}

/// A factor that was taken, with what is to be recorded beside.
pub(crate) struct Spent {
    pub method: Methods,
    pub records: Vec<Record>,
}

impl<'a> Attempt<'a> {
    /// Takes a try, for the sake of `event`. `Err` says how long until one is free.
    pub async fn begin(
        app: &App,
        event: Event,
        user: &'a User,
        proof: Proof,
        device: &'a Device,
    ) -> Result<Result<Self, Duration>, Error> {
        let now = app.clock.now();
        let known_here = users::is_known_at(app, &user.username, device.address).await?;
        let bucket = proof.bucket(user);
        let reserved =
            app.throttle
                .reserve(&app.db, now, Some(&bucket), known_here, device.address);
        let method = proof.method();
        let reservation = match reserved.await? {
            Reserved::Granted(reservation) => reservation,
            Reserved::Throttled { retry_after } => {
                count_second_step(app, method, SignIn::Throttled);
                return Ok(Err(retry_after));
            }
        };
        let found = match proof {
            Proof::RecoveryCode(code) => Found::RecoveryCode(code),
            Proof::Code(code) => match totp::check(app, user.id, &code).await {
                Ok(found) => found.map_or(Found::WrongCode, Found::Step),
                Err(error) => {
                    app.attempt(reservation.release(&app.db)).await;
                    return Err(error);
                }
            },
        };
        Ok(Ok(Self {
            user,
            device,
            event,
            method,
            reservation,
            found,
        }))
    }

    /// Takes the factor within the transaction that acts on it. `None`: it is wrong or was used, and what the transaction
    /// has done is to be given up for [`Self::failed`].
    pub async fn spend(&self, app: &App, tx: &mut Tx) -> Result<Option<Spent>, Error> {
        let user = self.user;
        let spent = match &self.found {
            Found::WrongCode => None,
            Found::Step(step) => totp::spend(tx, user.id, *step).await?.then(|| Spent {
                method: Methods::TOTP,
                records: Vec::new(),
            }),
            Found::RecoveryCode(code) => {
                let left = recovery_codes::spend(app, tx, user.id, code).await?;
                match left.filter(|_| user.has_second_factor()) {
                    None => None,
                    Some(left) => {
                        let left = format!("{left} left");
                        let kind = Kind::RecoveryCodeUsed;
                        notices::tell(app, tx, user.id, kind, Some(&left)).await?;
                        Some(Spent {
                            method: Methods::RECOVERY_CODE,
                            records: vec![Record::of(Event::RecoveryCodeUse, user).detail(left)],
                        })
                    }
                }
            }
        };
        if spent.is_some() {
            count_second_step(app, self.method, SignIn::Ok);
            self.reservation.succeeded(tx).await?;
        }
        Ok(spent)
    }

    /// Writes that it failed. The owner is told of the first one after a right password.
    pub async fn failed(self, app: &App) -> Result<(), Error> {
        let now = app.clock.now();
        count_second_step(app, self.method, SignIn::Refused);
        let mut tx = app.db.begin_for(&self.user.username).await?;
        let mut records = vec![Record::of(self.event, self.user).refused()];
        if let Found::WrongCode | Found::Step(_) = self.found {
            let failures = totp::failed(&mut tx, self.user.id).await?;
            if failures == Some(1) && self.event == Event::SecondFactor {
                let address = self.device.address.to_canonical().to_string();
                notices::tell(app, &mut tx, self.user.id, Kind::WrongCode, Some(&address)).await?;
            }
        }
        if self.reservation.failed(&mut tx, now).await? {
            records.push(Record::of(Event::Throttle, self.user));
        }
        audit::commit(tx, now, &Actor::visitor(self.device.address), &records).await
    }

    /// Gives the try back, for nothing came of it.
    pub async fn release(self, app: &App) -> Result<(), Error> {
        self.reservation.release(&app.db).await
    }
}
