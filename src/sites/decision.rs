//! The decision: a pure function of what is asked, who asks, and what the site's rules say.

use std::net::IpAddr;

use super::path;
use super::rules::{Effect, Fallback, Rule, Site, Who};
use super::terms::Factors;
use super::visitor::Visitor;

/// What is asked of a protected site.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    pub method: &'a str,
    /// Percent-encoded as it came, without the query.
    pub path: &'a str,
    /// `None` where it is not known.
    pub address: Option<IpAddr>,
}

/// From the most lenient to the strictest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Decision {
    Allow,
    /// Not allowed to nobody; it might be to a user.
    SignIn,
    /// Not allowed with one factor; it is, or might be, with two.
    SecondFactor,
    Forbid,
}

impl Decision {
    /// Whether a user is let in, if need be with a second factor.
    #[must_use]
    pub fn may_open(self) -> bool {
        matches!(self, Self::Allow | Self::SecondFactor)
    }
}

/// The readings of a path that a site's rules may tell apart. Where no rule does, nobody needs to know
/// what a path means.
///
/// # Errors
/// Some rule does, and the path cannot be read; or it is no path at all.
pub fn readings(site: &Site, raw: &str) -> Result<Vec<String>, path::Unreadable> {
    path::readings(raw).or_else(|unreadable| {
        let all_alike = site.rules.iter().all(|rule| rule.path.is_for_all());
        if all_alike && path::is_path(raw) {
            Ok(vec![raw.to_owned()])
        } else {
            Err(unreadable)
        }
    })
}

/// Decides for every reading of the path; the strictest decision holds.
#[must_use]
pub fn decide(site: &Site, asked: &Asked<'_>, visitor: Option<&Visitor>) -> Decision {
    match readings(site, asked.path) {
        Ok(readings) => readings
            .iter()
            .map(|path| judge(site, asked, path, visitor).0)
            .max()
            .unwrap_or(Decision::Forbid),
        Err(path::Unreadable) => Decision::Forbid,
    }
}

/// What settled a decision.
#[derive(Debug, PartialEq, Eq)]
pub enum Reason<'a> {
    Rule(&'a Rule),
    /// This allow rule holds for others, and no later one for this user.
    OnlyFor(&'a Rule),
    Fallback,
}

/// Decides for one reading of the path.
#[must_use]
pub fn judge<'a>(
    site: &'a Site,
    asked: &Asked<'_>,
    path: &str,
    visitor: Option<&Visitor>,
) -> (Decision, Reason<'a>) {
    let user = visitor.map(|visitor| &*visitor.user);
    let has_two = visitor.is_some_and(|visitor| visitor.two_factors);
    let allowed = |factors| match factors {
        Factors::Two if !has_two => Decision::SecondFactor,
        _ => Decision::Allow,
    };
    let refused = |factors| match (visitor, factors) {
        (Some(_), _) => Decision::Forbid,
        (None, Factors::One) => Decision::SignIn,
        (None, Factors::Two) => Decision::SecondFactor,
    };
    let mut only_for: Option<&Rule> = None;
    for rule in &site.rules {
        if mismatch(rule, asked, path).is_some() {
            continue;
        }
        if rule.who.includes(user) {
            let decision = match rule.effect {
                Effect::Allow => allowed(factors_of(rule, site)),
                // Whom an earlier rule would have let in may still sign in.
                Effect::Deny => only_for.map_or(Decision::Forbid, |earlier| {
                    refused(factors_of(earlier, site))
                }),
            };
            return (decision, Reason::Rule(rule));
        }
        // Of several, the one that asks for the least: nobody is led to more than might be enough.
        let asks_less = |earlier| factors_of(rule, site) < factors_of(earlier, site);
        if rule.effect == Effect::Allow && only_for.is_none_or(asks_less) {
            only_for = Some(rule);
        }
    }
    if let Some(rule) = only_for {
        let decision = refused(factors_of(rule, site));
        return (decision, Reason::OnlyFor(rule));
    }
    let factors = site.terms.factors;
    let decision = match (&site.terms.fallback, user) {
        (Fallback::Public, _) => Decision::Allow,
        (Fallback::SignedIn, Some(_)) => allowed(factors),
        (Fallback::Group(name), Some(user)) if user.groups.contains(name) => allowed(factors),
        (Fallback::SignedIn | Fallback::Group(_), _) => refused(factors),
        (Fallback::Deny, _) => Decision::Forbid,
    };
    (decision, Reason::Fallback)
}

/// How many factors whom a rule allows has to have proven. The site's own demand is of those who must be signed in.
fn factors_of(rule: &Rule, site: &Site) -> Factors {
    match rule.who {
        Who::Anyone => rule.factors,
        _ => rule.factors.max(site.terms.factors),
    }
}

/// Why a rule says nothing of a request, apart from who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mismatch {
    Path,
    Method,
    Address,
}

#[must_use]
pub fn mismatch(rule: &Rule, asked: &Asked<'_>, path: &str) -> Option<Mismatch> {
    if !rule.path.matches(path) {
        Some(Mismatch::Path)
    } else if !rule.covers_method(asked.method) {
        Some(Mismatch::Method)
    } else if !rule.covers_address(asked.address) {
        Some(Mismatch::Address)
    } else {
        None
    }
}
