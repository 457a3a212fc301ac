#![no_main]

libfuzzer_sys::fuzz_target!(|header: &[u8]| vestibule::testing::fuzzing::cookies(header));
