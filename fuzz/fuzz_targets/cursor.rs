#![no_main]

libfuzzer_sys::fuzz_target!(|place: &[u8]| vestibule::testing::fuzzing::cursor(place));
