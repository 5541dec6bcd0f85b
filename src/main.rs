//! The program: parse the command line, call `cli`.

use std::process::ExitCode;

/// The store and the HTTP server allocate from many threads at once; the system's allocator keeps
/// what they free apart, and memory grows. Measured in `make bench`.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    mlango::cli::main()
}
