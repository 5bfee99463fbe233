//! Where Geartrain remembers background jobs, what became of them, and documents: a blocking [`Store`] that makes one
//! [`Batch`] of changes durable at a time, and gives the jobs back at the next start. [`SqliteStore`] keeps them in one
//! file, [`MemoryStore`] as long as the process lives.
//!
//! ```
//! use geartrain_core::{Op, Record, Stored, Ticket, UnixTime};
//! use geartrain_proto::Priority;
//! use geartrain_store::{Batch, MemoryStore, Store};
//!
//! let mut store = MemoryStore::new();
//! let mut batch = Batch::new();
//! let record = Record {
//!     number: store.opening().next_number,
//!     place: store.opening().next_number,
//!     function: b"resize",
//!     unique: b"",
//!     priority: Priority::Normal,
//!     workload: b"photo-7",
//!     reducer: None,
//!     not_before: 0,
//!     attempts: 0,
//!     lost: 0,
//!     submitted: UnixTime::from_seconds(1_700_000_000),
//! };
//! batch.push(Ticket::new(1), Op::Put(record));
//! store.commit(&batch)?;
//!
//! let mut restarted = store.clone();
//! let mut workloads = Vec::new();
//! let report = restarted.load(&mut |stored| {
//!     if let Stored::Job(record) = stored {
//!         workloads.push(record.workload.to_vec());
//!     }
//! })?;
//! assert_eq!(workloads, [b"photo-7"]);
//! assert_eq!((report.loaded, restarted.opening().next_number), (1, 2));
//! # Ok::<(), geartrain_store::StoreError>(())
//! ```
//!
//! The way of a job: its record is copied into the open [`Batch`] by the thread that holds `core`
//! (`batch.rs`). The store thread takes the batch, and what is left of it once a job's changes are
//! folded (`batch/effect.rs`) becomes one transaction and one sync (`sqlite/commit.rs`). Then its client is
//! answered. At the next start it is streamed back in the order of the places (`sqlite/load.rs`). A job that
//! leaves the queue for a shelf keeps its contents and its attempts there; those, and the workloads of waiting
//! jobs that left memory, are read by a [`Reader`] on a thread of its own (`sqlite/reader.rs`). What
//! can go wrong is one enum, [`StoreError`]; after a failed commit the driver calls [`Store::reopen`]
//! until it succeeds, and commits [`Batch::failed_followup`] first.

mod batch;
#[cfg(test)]
mod contract;
mod error;
mod memory;
mod sqlite;
mod store;

pub use batch::{Batch, KEPT_BYTES_MAX, KEPT_OPS_MAX, Net};
pub use error::StoreError;
pub use memory::MemoryStore;
pub use sqlite::{Locking, Parents, SqliteOptions, SqliteStore};
pub use store::{JOBS_COUNTED_MAX, LoadReport, Opening, Reader, Store};
