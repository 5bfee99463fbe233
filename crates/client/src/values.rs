//! What goes into jobs and comes out of them: bytes, text, and any type that serde knows, as JSON or MessagePack.
//!
//! From: arguments of jobs and results of handlers. To: bytes, and back.
//! Never: says anything on the wire beside the bytes: worker and client agree on the form by the function.

use bytes::{Bytes, BytesMut};
use std::error::Error;

/// Any error, as values and handlers give it.
pub type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// Something that can be a workload or a result.
///
/// What is owned travels without a copy, and so does [`Bytes::from_static`]; what is borrowed is copied:
///
/// ```
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let client = geartrain_client::Client::new("localhost")?;
/// let text = format!("{} words", 3);
/// let jobs = [
///     client.job("count", &text),
///     client.job("count", text.as_str()),
///     client.job("count", text.as_bytes()),
///     client.job("count", text),
/// ];
/// # drop(jobs);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no workload or result",
    label = "neither bytes nor text",
    note = "bytes and text are sent as they are, owned or borrowed (`Bytes`, `Vec<u8>`, `&[u8]`, `String`, `&str`, ...), \
            `()` is no bytes, and other types go as `Json(value)` or `MsgPack(value)`, with the feature of that name"
)]
pub trait IntoBytes {
    /// Turns it into the bytes that travel.
    ///
    /// # Errors
    /// When it has no form in bytes; the text goes on behind "the workload" or "the result".
    fn into_bytes(self) -> Result<Bytes, BoxError>;
}

/// Something that can be had from a workload or a result.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be had from a workload or a result",
    label = "neither bytes nor text of its own",
    note = "it is had as `Bytes`, `Vec<u8>` or `String`, and other types as `Json<T>` or `MsgPack<T>`, with the feature \
            of that name"
)]
pub trait FromBytes: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// When the bytes are of another kind; the text goes on behind "the workload" or "the result".
    fn from_bytes(bytes: &Bytes) -> Result<Self, BoxError>;
}

/// Nothing: no bytes.
impl IntoBytes for () {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        Ok(Bytes::new())
    }
}

macro_rules! bytes_of {
    ($($kind:ty),*) => {$(
        impl IntoBytes for $kind {
            fn into_bytes(self) -> Result<Bytes, BoxError> {
                Ok(self.into())
            }
        }
    )*};
}

bytes_of!(Bytes, BytesMut, Vec<u8>, Box<[u8]>, String);

macro_rules! copied_bytes_of {
    ($($kind:ty),*) => {$(
        /// A copy.
        impl IntoBytes for $kind {
            fn into_bytes(self) -> Result<Bytes, BoxError> {
                let bytes: &[u8] = self.as_ref();
                Ok(Bytes::copy_from_slice(bytes))
            }
        }
    )*};
}

copied_bytes_of!(&str, &String, &[u8], &Vec<u8>);

/// A copy.
impl<const N: usize> IntoBytes for &[u8; N] {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        Ok(Bytes::copy_from_slice(self))
    }
}

/// The same bytes.
impl IntoBytes for &Bytes {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        Ok(self.clone())
    }
}

/// The bytes, without a copy.
impl FromBytes for Bytes {
    fn from_bytes(bytes: &Bytes) -> Result<Self, BoxError> {
        Ok(bytes.clone())
    }
}

impl FromBytes for Vec<u8> {
    fn from_bytes(bytes: &Bytes) -> Result<Self, BoxError> {
        Ok(bytes.to_vec())
    }
}

/// Text in UTF-8.
impl FromBytes for String {
    fn from_bytes(bytes: &Bytes) -> Result<Self, BoxError> {
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(error) => Err(format!("is no text in UTF-8: {error}").into()),
        }
    }
}

/// A value as JSON, in a workload or a result.
///
/// ```
/// use geartrain_client::worker::Handler;
/// use geartrain_client::{Client, Json};
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Sum {
///     numbers: Vec<i64>,
/// }
///
/// // In a worker. A job whose workload is not such JSON ends with an exception that says where.
/// async fn sum(Json(sum): Json<Sum>) -> Json<i64> {
///     Json(sum.numbers.iter().sum())
/// }
///
/// // In a client.
/// async fn ask(client: &Client) -> Result<i64, Box<dyn std::error::Error>> {
///     let Json(total) = client.job("sum", Json(Sum { numbers: vec![1, 2] })).run_as().await?;
///     Ok(total)
/// }
/// # fn handler<A>(_: impl Handler<A>) {}
/// # handler(sum);
/// ```
#[cfg(feature = "json")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Json<T>(pub T);

#[cfg(feature = "json")]
impl<T: serde::de::DeserializeOwned> FromBytes for Json<T> {
    fn from_bytes(bytes: &Bytes) -> Result<Self, BoxError> {
        match serde_json::from_slice(bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(format!("is not the JSON expected: {error}").into()),
        }
    }
}

#[cfg(feature = "json")]
impl<T: serde::Serialize> IntoBytes for Json<T> {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        match serde_json::to_vec(&self.0) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(format!("cannot be written as JSON: {error}").into()),
        }
    }
}

/// A value as MessagePack, in a workload or a result, as `Json` is; structs are written as maps with the names of
/// their fields.
#[cfg(feature = "msgpack")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct MsgPack<T>(pub T);

#[cfg(feature = "msgpack")]
impl<T: serde::de::DeserializeOwned> FromBytes for MsgPack<T> {
    fn from_bytes(bytes: &Bytes) -> Result<Self, BoxError> {
        match rmp_serde::from_slice(bytes) {
            Ok(value) => Ok(Self(value)),
            Err(error) => Err(format!("is not the MessagePack expected: {error}").into()),
        }
    }
}

#[cfg(feature = "msgpack")]
impl<T: serde::Serialize> IntoBytes for MsgPack<T> {
    fn into_bytes(self) -> Result<Bytes, BoxError> {
        match rmp_serde::to_vec_named(&self.0) {
            Ok(bytes) => Ok(bytes.into()),
            Err(error) => Err(format!("cannot be written as MessagePack: {error}").into()),
        }
    }
}
