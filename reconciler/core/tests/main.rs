//! Tests of the public face of core: one binary, a module per subject.

#[cfg(test)]
mod manifest;
