#![no_main]

libfuzzer_sys::fuzz_target!(|place: &[u8]| vestibule::fuzzing::cursor(place));
