#![no_main]

libfuzzer_sys::fuzz_target!(|address: &[u8]| vestibule::testing::fuzzing::return_address(address));
