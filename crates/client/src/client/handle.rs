//! A job and its server in one word, to be kept, sent, and asked for elsewhere.

use crate::address::{DEFAULT_PORT, ServerAddress};
use crate::session::client::OwnedHandle;
use geartrain_proto::Handle;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::str::FromStr;
use std::sync::Arc;
use thiserror::Error;

const SCHEME: &str = "geartrain://";
const UNIX: &str = "unix:";

/// A job: the server that has it, and the handle it has there.
///
/// A handle means nothing without its server, so the two stay together. As text, and with serde, it is
/// `geartrain://host:port/H:host:12`; characters that have a meaning there are escaped as in a URL.
///
/// ```
/// use geartrain_client::JobHandle;
///
/// let job: JobHandle = "geartrain://jobs.example:4730/H:jobs:12".parse()?;
/// assert_eq!(job.server().to_string(), "jobs.example:4730");
/// assert_eq!(job.handle().as_bytes(), b"H:jobs:12");
/// # Ok::<(), geartrain_client::HandleError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct JobHandle {
    server: Arc<ServerAddress>,
    handle: OwnedHandle,
}

/// A text is no [`JobHandle`].
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is no job handle: {why}{hint}")]
#[non_exhaustive]
pub struct HandleError {
    /// The whole text.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
    hint: &'static str,
}

impl JobHandle {
    /// The job that `server` knows as `handle`.
    ///
    /// # Errors
    /// When the handle is empty, has a NUL, or is longer than 63 bytes.
    pub fn new(server: ServerAddress, handle: &[u8]) -> Result<Self, HandleError> {
        let wrong = |why: &str| HandleError {
            text: handle.escape_ascii().to_string(),
            why: why.to_owned(),
            hint: "",
        };
        match handle {
            [] => Err(wrong("the handle is empty")),
            handle if handle.contains(&0) => Err(wrong("the handle has a NUL byte")),
            bytes => match OwnedHandle::try_from(Handle::new(bytes)) {
                Ok(handle) => Ok(Self { server: Arc::new(server), handle }),
                Err(_) => Err(wrong("the handle is longer than 63 bytes")),
            },
        }
    }

    pub(crate) fn of(server: &Arc<ServerAddress>, handle: &OwnedHandle) -> Self {
        Self { server: Arc::clone(server), handle: *handle }
    }

    /// The server that has the job.
    #[must_use]
    pub fn server(&self) -> &ServerAddress {
        &self.server
    }

    /// The handle, for example `H:host:12`.
    #[must_use]
    pub fn handle(&self) -> Handle<'_> {
        Handle::new(self.handle.as_bytes())
    }
}

impl fmt::Display for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SCHEME)?;
        match &*self.server {
            // A path need not be text.
            ServerAddress::Unix(path) => {
                f.write_str(UNIX)?;
                escape(path.as_os_str().as_bytes(), f)?;
            }
            ServerAddress::Tcp { .. } => escape(self.server.to_string().as_bytes(), f)?,
        }
        f.write_char('/')?;
        escape(self.handle.as_bytes(), f)
    }
}

impl fmt::Debug for JobHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JobHandle({self})")
    }
}

impl FromStr for JobHandle {
    type Err = HandleError;

    fn from_str(text: &str) -> Result<Self, HandleError> {
        let hint = " (hint: it is geartrain://HOST:PORT/HANDLE)";
        let wrong = |why: String| HandleError { text: text.to_owned(), why, hint };
        let rest =
            text.strip_prefix(SCHEME).ok_or_else(|| wrong(format!("it does not begin with {SCHEME}")))?;
        let (server, handle) =
            rest.split_once('/').ok_or_else(|| wrong("no handle follows the server".to_owned()))?;
        let unescaped = |part| unescape(part).ok_or_else(|| wrong("an escape is broken".to_owned()));
        let server = unescaped(server)?;
        let server = match server.strip_prefix(UNIX.as_bytes()) {
            Some(path) if !path.is_empty() => ServerAddress::Unix(OsStr::from_bytes(path).into()),
            _ => {
                let server = String::from_utf8(server).map_err(|error| wrong(error.to_string()))?;
                ServerAddress::parse(&server, DEFAULT_PORT).map_err(|error| wrong(error.to_string()))?
            }
        };
        Self::new(server, &unescaped(handle)?).map_err(|error| wrong(error.why))
    }
}

impl Serialize for JobHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for JobHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Cow::<str>::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

fn escape(bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    bytes.iter().try_for_each(|byte| match byte {
        b'-' | b'.' | b'_' | b'~' | b':' | b'[' | b']' => f.write_char(char::from(*byte)),
        byte if byte.is_ascii_alphanumeric() => f.write_char(char::from(*byte)),
        byte => write!(f, "%{byte:02X}"),
    })
}

fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                u8::try_from(digit()? * 16 + digit()?).ok()?
            }
            byte => byte,
        });
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_comes_back_as_it_went() {
        for (server, handle, text) in [
            ("jobs.example:4730", "H:jobs:12", "geartrain://jobs.example:4730/H:jobs:12"),
            ("[::1]:24730", "H:a/b c:1", "geartrain://[::1]:24730/H:a%2Fb%20c:1"),
            ("[fe80::1%eth0]:1", "H:x:1", "geartrain://[fe80::1%25eth0]:1/H:x:1"),
            ("unix:/run/jobs.sock", "H:x:1", "geartrain://unix:%2Frun%2Fjobs.sock/H:x:1"),
        ] {
            let server = ServerAddress::parse(server, 1).unwrap();
            let job = JobHandle::new(server, handle.as_bytes()).unwrap();
            assert_eq!(job.to_string(), text);
            assert_eq!(text.parse::<JobHandle>().unwrap(), job);
            let json = serde_json::to_string(&job).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(serde_json::from_str::<JobHandle>(&json).unwrap(), job);
        }
        let path = ServerAddress::Unix(OsStr::from_bytes(b"/run/\xff.sock").into());
        let unix = JobHandle::new(path, b"H:x:1").unwrap();
        assert_eq!(unix.to_string(), "geartrain://unix:%2Frun%2F%FF.sock/H:x:1");
        assert_eq!(unix.to_string().parse::<JobHandle>().unwrap(), unix);
        let bytes = JobHandle::new(ServerAddress::parse("h", 1).unwrap(), b"\xff\x01").unwrap();
        assert_eq!(bytes.to_string().parse::<JobHandle>().unwrap(), bytes);
    }

    #[test]
    fn what_is_no_handle_says_why() {
        for (text, why) in [
            ("H:host:12", "it does not begin with geartrain://"),
            ("geartrain://host:4730", "no handle follows the server"),
            ("geartrain://host:4730/", "the handle is empty"),
            ("geartrain:///H:1", "server address \"\" names no host"),
            ("geartrain://h:x/H:1", "port \"x\" is neither a number from 1 to 65535 nor a known service"),
            ("geartrain://h/H%2", "an escape is broken"),
            ("geartrain://h/H%zz", "an escape is broken"),
            ("geartrain://h/H%00", "the handle has a NUL byte"),
        ] {
            let error = text.parse::<JobHandle>().unwrap_err();
            assert_eq!(error.why, why, "{text}");
            assert!(error.to_string().starts_with(&format!("{text:?} is no job handle: ")));
        }
        let bare = JobHandle::new(ServerAddress::parse("h", 1).unwrap(), b"").unwrap_err();
        assert_eq!(bare.to_string(), "\"\" is no job handle: the handle is empty");
        let long = format!("geartrain://h/{}", "x".repeat(64));
        assert_eq!(long.parse::<JobHandle>().unwrap_err().why, "the handle is longer than 63 bytes");
    }
}
