//! Arguments and results of any type: JSON and MessagePack.
//!
//! From: values that serde knows. To: workloads, and back from results.
//! Never: says anything on the wire beside the bytes: worker and client agree on the form by the function.

use super::Client;
use super::error::JobError;
use super::job::JobBuilder;
use serde::Serialize;
use serde::de::DeserializeOwned;

#[cfg(feature = "json")]
impl Client {
    /// A job whose workload is a value as JSON.
    ///
    /// ```no_run
    /// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
    /// #[derive(serde::Serialize)]
    /// struct Resize { photo: u64, width: u32 }
    /// #[derive(serde::Deserialize)]
    /// struct Resized { height: u32 }
    ///
    /// let client = geartrain_client::Client::new("localhost")?;
    /// let job = client.job_json("resize", &Resize { photo: 7, width: 100 })?;
    /// let resized: Resized = job.run_json().await?;
    /// println!("{} pixels high", resized.height);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`JobError::Codec`] when the value has no form in JSON.
    pub fn job_json<A: Serialize + ?Sized>(
        &self,
        function: impl AsRef<[u8]>,
        arguments: &A,
    ) -> Result<JobBuilder, JobError> {
        let workload = serde_json::to_vec(arguments).map_err(|cause| wrong("writing JSON", &cause))?;
        Ok(self.job(function, workload))
    }
}

#[cfg(feature = "msgpack")]
impl Client {
    /// A job whose workload is a value as MessagePack, with the names of its fields.
    ///
    /// # Errors
    /// [`JobError::Codec`] when the value has no form in MessagePack.
    pub fn job_msgpack<A: Serialize + ?Sized>(
        &self,
        function: impl AsRef<[u8]>,
        arguments: &A,
    ) -> Result<JobBuilder, JobError> {
        let workload =
            rmp_serde::to_vec_named(arguments).map_err(|cause| wrong("writing MessagePack", &cause))?;
        Ok(self.job(function, workload))
    }
}

impl JobBuilder {
    /// As [`JobBuilder::run`], and reads the result as JSON.
    ///
    /// # Errors
    /// As there, and [`JobError::Codec`] when the result is no such value.
    #[cfg(feature = "json")]
    pub async fn run_json<R: DeserializeOwned>(self) -> Result<R, JobError> {
        let result = self.run().await?;
        serde_json::from_slice(&result).map_err(|cause| wrong("reading the result as JSON", &cause))
    }

    /// As [`JobBuilder::run`], and reads the result as MessagePack.
    ///
    /// # Errors
    /// As there, and [`JobError::Codec`] when the result is no such value.
    #[cfg(feature = "msgpack")]
    pub async fn run_msgpack<R: DeserializeOwned>(self) -> Result<R, JobError> {
        let result = self.run().await?;
        rmp_serde::from_slice(&result).map_err(|cause| wrong("reading the result as MessagePack", &cause))
    }
}

fn wrong(doing: &'static str, cause: &dyn std::error::Error) -> JobError {
    JobError::Codec { doing, cause: cause.to_string() }
}
