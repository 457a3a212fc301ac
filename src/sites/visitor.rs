//! Who asks at a protected host: somebody in a browser, a program with a token, or nobody.

use std::sync::Arc;

use super::credential::{Credential, Found};
use super::original_request::OriginalRequest;
use super::rules::Site;
use super::terms::{Factors, Terms};
use crate::foundation::app::App;
use crate::people::app_tokens::Presented;
use crate::people::users::User;
use crate::sessions::{Methods, SiteVisit};

/// A user, and what was proven of that.
#[derive(Clone, Debug)]
pub struct Visitor {
    pub user: Arc<User>,
    pub methods: Methods,
    /// Whether two factors stand behind it. A trusted device is none.
    pub two_factors: bool,
}

impl Visitor {
    /// With what was proven at a sign-in.
    #[must_use]
    pub fn signed_in(user: Arc<User>, methods: Methods) -> Self {
        Self {
            user,
            methods,
            two_factors: methods.is_two_factor(),
        }
    }

    /// With so many factors, as an explanation supposes; without a number, with as many as the user has.
    #[must_use]
    pub fn supposed(user: User, factors: Option<Factors>) -> Self {
        let two_factors =
            factors.map_or(user.has_second_factor(), |factors| factors == Factors::Two);
        Self {
            user: Arc::new(user),
            methods: Methods::PASSWORD,
            two_factors,
        }
    }

    #[must_use]
    pub fn is_program(&self) -> bool {
        self.methods == Methods::TOKEN
    }
}

/// Who asks.
#[derive(Debug)]
pub(super) enum Who {
    Nobody,
    Somebody(Visitor),
    /// Somebody whose last proof is too old for the site, or who did not use it for too long: nobody, until proven anew.
    Stale,
    /// A program whose token does not count here.
    Refused,
    /// A session and a token of different users.
    TwoUsers,
}

/// What was found for what a request came with, not judged yet.
#[derive(Default)]
pub(super) struct Seen {
    pub visit: Option<SiteVisit>,
    /// By the cookie that hosts of a domain share.
    pub by_domain: bool,
    pub token: Option<Presented>,
}

/// Judges who asks at a site. What is no use by a person, as `in_background` says, puts off no end.
pub(super) fn judge(
    app: &App,
    site: &Site,
    original: &OriginalRequest,
    found: &Found,
    seen: &Seen,
    in_background: bool,
) -> Who {
    let session = of_session(app, &site.terms, seen);
    if site.terms.tokens && *found != Found::Nothing {
        let program = found
            .credential()
            .zip(seen.token.as_ref())
            .and_then(|(credential, token)| of_token(app, site, original, credential, token));
        return match (program, session) {
            (None, _) => Who::Refused,
            (Some(program), Who::Somebody(other)) if program.user.id != other.user.id => {
                Who::TwoUsers
            }
            (Some(program), _) => {
                seen.token
                    .iter()
                    .for_each(|token| token.note_use(app, original.address));
                Who::Somebody(program)
            }
        };
    }
    if let (Who::Somebody(_), Some(visit)) = (&session, &seen.visit)
        && (site.terms.background || !in_background)
    {
        note_use(app, &site.terms, visit);
    }
    session
}

fn of_session(app: &App, terms: &Terms, seen: &Seen) -> Who {
    let Some(visit) = &seen.visit else {
        return Who::Nobody;
    };
    let (user, session) = (visit.user(), visit.session());
    let lacks = session.lacks_second_factor(user, &app.settings.second_factor.required);
    if user.must_change_password || lacks || seen.by_domain && terms.are_strict() {
        return Who::Nobody;
    }
    if is_stale(app, terms, visit) {
        app.clock.mark_dirty();
        return Who::Stale;
    }
    Who::Somebody(Visitor {
        user: user.clone(),
        methods: session.methods,
        two_factors: session.methods.is_two_factor() && !seen.by_domain,
    })
}

fn is_stale(app: &App, terms: &Terms, visit: &SiteVisit) -> bool {
    let now = app.clock.now();
    let proven_at = visit.session().authenticated_at;
    terms
        .max_age
        .is_some_and(|limit| now >= proven_at.plus(limit))
        || terms
            .idle
            .is_some_and(|limit| now >= visit.used_at(app).plus(limit))
}

fn note_use(app: &App, terms: &Terms, visit: &SiteVisit) {
    visit.note_use(app);
    if let Some(limit) = terms.idle {
        visit.note_use_of_host(app, limit / 10);
    }
}

/// `None`: the token does not count, here, from there, now, or for who is named as its owner.
fn of_token(
    app: &App,
    site: &Site,
    original: &OriginalRequest,
    credential: &Credential,
    presented: &Presented,
) -> Option<Visitor> {
    let (token, owner) = (presented.token(), &presented.owner);
    if !token.is_live(app.clock.now()) {
        app.clock.mark_dirty();
        return None;
    }
    let may_go_on = owner.disabled_at.is_none() && !owner.must_change_password;
    let is_good = may_go_on
        && credential.names_owner_of(presented)
        && token.opens(site.id)
        && token.is_good_from(original.address);
    is_good.then(|| Visitor {
        user: owner.clone(),
        methods: Methods::TOKEN,
        two_factors: token.is_two_factor(owner),
    })
}
