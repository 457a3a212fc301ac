use std::process::ExitCode;

fn main() -> ExitCode {
    vestibule::program::cli::run()
}
