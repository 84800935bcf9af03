//! The ports: all that the handlers need of the world, and the procedures over them that several handlers share. Two
//! families implement them, AWS's and the simulator's, and one contract suite runs against both.

pub mod admission;
mod clock;
mod event_name;
pub mod gate;
mod ledger;
mod merged;
mod operate;
mod port_error;
mod provider;
mod queue;
mod store;

pub use admission::Admission;
pub use clock::{Clock, Entropy};
pub use event_name::EventName;
pub use gate::GateStore;
pub use ledger::{Ledger, Outcome, Wired, claim, decide, moment, put};
pub use merged::Merged;
pub use operate::{OperateError, operate};
pub use port_error::{Failure, PortError};
pub use provider::{ConnectError, Connection, Provider, Trace};
pub use queue::{Depths, Queue, Source};
pub use store::{EndedPage, EndedPayments, Merchants, OpenPayments, PageEnd, Store, StoreError};
