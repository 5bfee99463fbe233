//! Typed arguments and results: JSON and MessagePack through serde.

use super::handler::{BoxError, FromJob, JobResult};
use super::job::Job;
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A workload or a result in JSON.
///
/// As an argument of a handler it reads the workload; a job whose workload is not such JSON ends with an
/// exception that says where. As a result it is written as JSON.
///
/// ```
/// use geartrain_client::worker::{Handler, Json};
///
/// #[derive(serde::Deserialize)]
/// struct Sum {
///     numbers: Vec<i64>,
/// }
///
/// async fn sum(Json(sum): Json<Sum>) -> Json<i64> {
///     Json(sum.numbers.iter().sum())
/// }
/// # fn handler<A>(_: impl Handler<A>) {}
/// # handler(sum);
/// ```
#[cfg(feature = "json")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

#[cfg(feature = "json")]
impl<T: DeserializeOwned> FromJob for Json<T> {
    fn from_job(job: &Job) -> Result<Self, BoxError> {
        match serde_json::from_slice(job.workload()) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(format!("the workload is not the JSON expected: {error}").into()),
        }
    }
}

#[cfg(feature = "json")]
impl<T: Serialize> JobResult for Json<T> {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(format!("the result cannot be written as JSON: {error}").into()),
        }
    }
}

/// A workload or a result in MessagePack; structs are written as maps with the names of their fields.
///
/// An argument or a result of a handler, as `Json` is.
#[cfg(feature = "msgpack")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MsgPack<T>(pub T);

#[cfg(feature = "msgpack")]
impl<T: DeserializeOwned> FromJob for MsgPack<T> {
    fn from_job(job: &Job) -> Result<Self, BoxError> {
        match rmp_serde::from_slice(job.workload()) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(format!("the workload is not the MessagePack expected: {error}").into()),
        }
    }
}

#[cfg(feature = "msgpack")]
impl<T: Serialize> JobResult for MsgPack<T> {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        match rmp_serde::to_vec_named(&self.0) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(format!("the result cannot be written as MessagePack: {error}").into()),
        }
    }
}
