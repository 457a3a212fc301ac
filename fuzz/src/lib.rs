//! The service that requests are sent to, one for a run.

use std::fs;
use std::path::Path;

use tokio::runtime::Runtime;
use vestibule::testing::fuzzing::Service;

/// A service whose folder has this name.
///
/// # Panics
/// The folder below target/ cannot be made anew.
pub fn service(name: &str) -> (Runtime, Service) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/fuzz-services")
        .join(name);
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let runtime = Runtime::new().expect("a runtime");
    let service = runtime.block_on(Service::open(&folder));
    (runtime, service)
}
