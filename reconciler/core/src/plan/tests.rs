//! Planning, on small examples.
