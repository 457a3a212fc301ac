#![no_main]

libfuzzer_sys::fuzz_target!(|file: &[u8]| {
    let path = std::env::temp_dir().join(format!("vestibule-fuzz-{}.toml", std::process::id()));
    vestibule::testing::fuzzing::settings(&path, file);
});
