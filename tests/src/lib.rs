//! What the whole-program tests stand on: the emulator, the fault proxy before
//! it, repositories to watch, and an independent eye on the outcome.

pub mod bench;
pub mod demo;
pub mod drift;
pub mod dying;
pub mod emulator;
pub mod live;
pub mod proxy;
pub mod scenario;
