use std::process::ExitCode;

/// Gives memory back that is not used for some seconds; the system's keeps it.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    vestibule::program::cli::run()
}
