//! The system's tests: one binary, a module a subject.

#[cfg(test)]
mod proxy;
