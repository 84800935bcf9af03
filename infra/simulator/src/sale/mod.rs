//! The sale: a minute of it and its drain in virtual time, through the real handlers; beside it the same sale sent to
//! the provider at once, and through a queue and a function as they are usually set up.

mod admission;
mod direct;
mod mapping;
mod measure;
mod ours;
mod place;
mod provider;
mod queue;
mod recipe;
mod report;
mod settings;
mod shop;
pub mod target;
mod world;

pub use measure::{Told, Wait};
pub use provider::Trouble;
pub use report::{Course, MerchantWaits, QuotaUse, Samples, Way};
pub use settings::{Scale, Settings};
pub use shop::Size;

/// Plays the sale in one way.
pub fn play(settings: &Settings, way: Way) -> Course {
    match way {
        Way::Ours => {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_time()
                .start_paused(true)
                .build()
                .expect("a runtime without I/O starts");
            runtime.block_on(ours::play(settings))
        }
        Way::Direct => direct::play(settings),
        Way::Recipe { reserved } => recipe::play(settings, reserved),
    }
}
