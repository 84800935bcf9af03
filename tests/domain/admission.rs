//! What a merchant is told about its wait.
