//! What the program takes from itself before it works, and where it does not work at all.

use std::fs;
use std::os::unix::fs::MetadataExt;

use rustix::fs::Mode;
use rustix::process::{
    DumpableBehavior, Resource, Rlimit, geteuid, getrlimit, set_dumpable_behavior, setrlimit, umask,
};

use super::Fault;
use crate::foundation::db::Location;
use crate::foundation::settings::Settings;

/// Nobody else reads what the program has in memory or writes to files, and a flood of connections
/// does not run out of descriptors sooner than it must.
///
/// What the system refuses is done without: the program is not weaker than it would be then.
pub fn harden() {
    let no_cores = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let _ = setrlimit(Resource::Core, no_cores);
    // A dump can be piped past that limit, and a debugger of the same user needs none.
    let _ = set_dumpable_behavior(DumpableBehavior::NotDumpable);
    umask(Mode::RWXG | Mode::RWXO);
    let files = getrlimit(Resource::Nofile);
    let _ = setrlimit(
        Resource::Nofile,
        Rlimit {
            current: files.maximum,
            ..files
        },
    );
}

/// The database that the settings name.
///
/// # Errors
/// It is named wrongly; or root would work on another user's database, and leave files beside it
/// that its owner cannot open.
pub fn own_database(settings: &Settings) -> Result<Location, Fault> {
    let location = settings.location()?;
    let Some(path) = location.path() else {
        return Ok(location);
    };
    let owner = fs::metadata(path).map(|file| file.uid());
    match owner {
        Ok(owner) if geteuid().is_root() && owner != 0 => Err(format!(
            "{}: belongs to the user with the id {owner}, whose server could not open what root leaves beside it; \
             run this as that user: sudo -u '#{owner}' vestibule …, or, in a container, with docker exec --user {owner}, \
             docker run --user {owner}, or runAsUser: {owner} in the pod's securityContext",
            path.display()
        )
        .into()),
        _ => Ok(location),
    }
}
