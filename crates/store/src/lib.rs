//! Where Geartrain remembers background jobs.

mod store;

pub use store::{LoadReport, Opening, Store, StoreError};
