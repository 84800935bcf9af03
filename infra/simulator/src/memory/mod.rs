//! The ports in memory, with DynamoDB's, SQS's and a provider's documented misbehaviour.

pub mod admission;
pub mod gate;
pub mod provider;
pub mod queue;
pub mod store;

pub use admission::{Buckets, MemoryAdmission};
pub use gate::{Allowed, Gates, MemoryGate};
pub use provider::{Ledger, MemoryProvider};
pub use queue::{MemoryQueue, Queues};
pub use store::{MemoryStore, Table};
