//! Nothing to see here: the tests are in `main.rs`, the package's one test binary.
