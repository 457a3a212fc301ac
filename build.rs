//! The migrations are compiled in: a changed or new one must be seen.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
