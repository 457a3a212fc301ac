#![no_main]

libfuzzer_sys::fuzz_target!(|answer: &[u8]| vestibule::testing::fuzzing::passkey(answer));
