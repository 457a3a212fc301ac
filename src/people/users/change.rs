//! What a change does to a user's rows, within a transaction of the caller's.

use super::{Changes, InvalidName, Refused, User, group_name, name, store, text_of_person};
use crate::foundation::db::Tx;
use crate::foundation::error::Error;
use crate::foundation::version::Version;
use crate::people::links::{self, Purpose};

/// A user before and after a change.
#[derive(Debug)]
pub struct Changed {
    pub before: User,
    pub after: User,
}

impl Changed {
    /// Whether the user may do more than before.
    #[must_use]
    pub fn gained_rights(&self) -> bool {
        let Self { before, after } = self;
        let is_new = |group| !before.groups.contains(group);
        (after.admin && !before.admin) || after.groups.iter().any(is_new)
    }

    /// Whether it is more than a note of what is known of the user.
    #[must_use]
    pub fn concerns_its_user(&self) -> bool {
        let Self { before, after } = self;
        let noted = User {
            email_verified: after.email_verified,
            ..before.clone()
        };
        noted != *after
    }

    /// The address that is the user's no more.
    #[must_use]
    pub fn address_given_up(&self) -> Option<&str> {
        let Self { before, after } = self;
        let given_up = before.email.as_deref();
        given_up.filter(|_| before.email != after.email)
    }

    /// Old and new values, for the audit trail: rights first, for a long text is cut at its end.
    #[must_use]
    pub fn describe(&self) -> String {
        let Self { before, after } = self;
        let yes_or_no = |is: bool| if is { "yes" } else { "no" }.to_owned();
        let value = |text: &str| match text {
            "" => "none".to_owned(),
            text => shortened(text),
        };
        let email = |user: &User| value(user.email.as_deref().unwrap_or_default());
        let of_both = |what: &str, value: &dyn Fn(&User) -> String| {
            let (old, new) = (value(before), value(after));
            (old != new).then(|| format!("{what}: {old} → {new}"))
        };
        let changes = [
            of_both("admin", &|user| yes_or_no(user.admin)),
            only_in(after, before).map(|groups| format!("groups added: {groups}")),
            only_in(before, after).map(|groups| format!("groups removed: {groups}")),
            of_both("new password due", &|user| {
                yes_or_no(user.must_change_password)
            }),
            of_both("email", &email),
            of_both("email confirmed", &|user| yes_or_no(user.email_verified)),
            of_both("display name", &|user| value(&user.display_name)),
        ];
        let changes: Vec<String> = changes.into_iter().flatten().collect();
        if changes.is_empty() {
            "nothing changed".to_owned()
        } else {
            changes.join("; ")
        }
    }
}

/// The groups of one that the other has not.
fn only_in(one: &User, other: &User) -> Option<String> {
    let groups = one
        .groups
        .iter()
        .filter(|group| !other.groups.contains(group));
    let groups: Vec<&str> = groups.map(String::as_str).collect();
    (!groups.is_empty()).then(|| shortened(&groups.join(", ")))
}

/// As much of a value as leaves room for the others.
fn shortened(text: &str) -> String {
    const MOST: usize = 80;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    let begin: String = text.chars().take(MOST).collect();
    format!("{begin}…")
}

/// Changes a user's rows.
///
/// # Errors
/// The database failed.
pub(crate) async fn apply(
    tx: &mut Tx,
    username: &str,
    changes: Changes,
) -> Result<Result<Changed, Refused>, Error> {
    let changes = match checked_changes(changes) {
        Ok(changes) => changes,
        Err(invalid) => return Ok(Err(Refused::Invalid(invalid))),
    };
    let Some(before) = store::by_name(&mut **tx, username).await? else {
        return Ok(Err(Refused::Unknown));
    };
    let address = match &changes.email {
        Some(address) => Some(address.clone()),
        None => before.email.clone(),
    };
    let address = address.filter(|_| changes.email_verified == Some(true));
    if let Some(address) = address.filter(|address| !address.is_empty())
        && super::is_address_taken(tx, &address, before.id).await?
    {
        return Ok(Err(Refused::AddressTaken));
    }
    let is_stale = Version::is_stale(changes.made_from.as_ref(), &before.version());
    let after = write(tx, before.clone(), changes).await?;
    if after.email != before.email {
        // Whoever reads what comes to the old one has no more say.
        links::end(tx, before.id, Purpose::Reset).await?;
    }
    // A save that was sent twice, or that somebody else made too, is none.
    let is_changed =
        after.version() != before.version() || after.email_verified != before.email_verified;
    if is_stale && is_changed {
        return Ok(Err(Refused::Conflict(Box::new(before))));
    }
    // Whoever has too many from before can still be changed.
    if name::length_of_groups(&after.groups) > name::length_of_groups(&before.groups)
        && let Err(invalid) = name::fits_a_header(&after.groups)
    {
        return Ok(Err(Refused::Invalid(invalid)));
    }
    if !store::any_admin(&mut **tx).await? && before.admin {
        return Ok(Err(Refused::LastAdmin));
    }
    Ok(Ok(Changed { before, after }))
}

fn checked_changes(changes: Changes) -> Result<Changes, InvalidName> {
    Ok(Changes {
        display_name: changes
            .display_name
            .map(|name| text_of_person(&name))
            .transpose()?,
        email: changes
            .email
            .map(|email| name::email(&email).map(Option::unwrap_or_default))
            .transpose()?,
        groups: changes.groups.as_deref().map(group_names).transpose()?,
        add_groups: group_names(&changes.add_groups)?,
        ..changes
    })
}

fn group_names(groups: &[String]) -> Result<Vec<String>, InvalidName> {
    groups.iter().map(|group| group_name(group)).collect()
}

async fn write(tx: &mut Tx, before: User, changes: Changes) -> Result<User, Error> {
    let (join, leave) = match changes.groups {
        Some(groups) => {
            let gone = |group: &&String| !groups.contains(group);
            let leave = before.groups.iter().filter(gone).cloned().collect();
            (groups, leave)
        }
        None => (changes.add_groups, changes.remove_groups),
    };
    let is_other = changes
        .email
        .as_ref()
        .is_some_and(|email| Some(email.as_str()) != before.email.as_deref());
    let stays_verified = before.email_verified && !is_other;
    let user = User {
        email_verified: changes.email_verified.unwrap_or(stays_verified),
        display_name: changes.display_name.unwrap_or(before.display_name),
        // An empty address takes the address away.
        email: changes.email.map_or(before.email, |email| {
            Some(email).filter(|email| !email.is_empty())
        }),
        admin: changes.admin.unwrap_or(before.admin),
        must_change_password: changes
            .must_change_password
            .unwrap_or(before.must_change_password),
        ..before
    };
    store::update(tx, &user).await?;
    for group in &join {
        store::join(tx, user.id, group).await?;
    }
    for group in &leave {
        store::leave(tx, user.id, &name::canonical_name(group)).await?;
    }
    Ok(User {
        groups: store::groups_of(tx, user.id).await?,
        ..user
    })
}
