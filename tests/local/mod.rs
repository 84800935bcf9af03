//! The whole system on one machine, over the embedded AWS and the sandbox provider: its bad days, and the commands of
//! whoever looks after it. In real time, so few and short.

mod bad_days;
mod explain;
mod load;
mod place;
mod rates;
mod replay;
mod restore;
