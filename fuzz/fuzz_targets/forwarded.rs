#![no_main]

use std::sync::LazyLock;

use tokio::runtime::Runtime;
use vestibule::testing::fuzzing::Service;

static SERVICE: LazyLock<(Runtime, Service)> =
    LazyLock::new(|| vestibule_fuzz::service("forwarded"));

libfuzzer_sys::fuzz_target!(|request: &[u8]| {
    let (runtime, service) = &*SERVICE;
    runtime.block_on(service.forwarded(request));
});
