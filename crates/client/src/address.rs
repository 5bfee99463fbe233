//! Where servers are: `host`, `host:port`, `[::1]:4730`, `unix:/path`, and lists of these.
//!
//! From: options and `GEARMAN_SERVERS`. To: [`crate::Connection::open`].
//! Never: resolves a host name; that is part of connecting.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use thiserror::Error;

/// The port of a Gearman server when none is said.
pub const DEFAULT_PORT: u16 = 4730;

/// The variable that names the servers when no option does: a list as [`ServerAddress::parse_list`] reads.
pub const SERVERS_VARIABLE: &str = "GEARMAN_SERVERS";

/// Where one server listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ServerAddress {
    /// A TCP port.
    Tcp {
        /// Host name or address, without brackets.
        host: String,
        /// Port, 1 to 65535.
        port: u16,
    },
    /// A Unix socket.
    Unix(PathBuf),
}

/// Why a text names no server.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum AddressError {
    /// The text, or the part before the port, is empty.
    #[error("server address {text:?} names no host")]
    NoHost {
        /// The whole text.
        text: String,
    },
    /// The port is neither a number from 1 to 65535 nor a service that `/etc/services` knows.
    #[error("port {port:?} is neither a number from 1 to 65535 nor a known service")]
    BadPort {
        /// The port as given.
        port: String,
    },
    /// A bracket is not closed, or something other than a port follows it.
    #[error("server address {text:?} is malformed (hint: an IPv6 address with a port is [ADDRESS]:PORT)")]
    Malformed {
        /// The whole text.
        text: String,
    },
    /// A list has no element.
    #[error("the list of servers is empty")]
    EmptyList,
}

impl ServerAddress {
    /// Reads one address; `default_port` stands where it names none.
    ///
    /// More than one colon outside brackets is an IPv6 address without a port.
    ///
    /// # Errors
    /// When the text names no host, or its port is none.
    pub fn parse(text: &str, default_port: u16) -> Result<Self, AddressError> {
        let text = text.trim();
        let malformed = || AddressError::Malformed { text: text.to_owned() };
        if let Some(path) = text.strip_prefix("unix:") {
            return match path {
                "" => Err(malformed()),
                path => Ok(Self::Unix(PathBuf::from(path))),
            };
        }
        let (host, port) = if let Some(rest) = text.strip_prefix('[') {
            let (host, rest) = rest.split_once(']').ok_or_else(malformed)?;
            match rest.strip_prefix(':') {
                Some(port) => (host, Some(port)),
                None if rest.is_empty() => (host, None),
                None => return Err(malformed()),
            }
        } else {
            match text.split_once(':') {
                Some((_, rest)) if rest.contains(':') => (text, None),
                Some((host, port)) => (host, Some(port)),
                None => (text, None),
            }
        };
        if host.is_empty() {
            return Err(AddressError::NoHost { text: text.to_owned() });
        }
        let port = port.map_or(Ok(default_port), parse_port)?;
        Ok(Self::Tcp { host: host.to_owned(), port })
    }

    /// Reads addresses separated by commas; empty elements are passed over.
    ///
    /// # Errors
    /// When an element is no address, or there is none.
    pub fn parse_list(text: &str, default_port: u16) -> Result<Vec<Self>, AddressError> {
        let elements = text.split(',').filter(|element| !element.trim().is_empty());
        let servers =
            elements.map(|element| Self::parse(element, default_port)).collect::<Result<Vec<_>, _>>()?;
        if servers.is_empty() {
            return Err(AddressError::EmptyList);
        }
        Ok(servers)
    }
}

/// As [`ServerAddress::parse`], with the port [`DEFAULT_PORT`] where none is named.
///
/// ```
/// use geartrain_client::ServerAddress;
///
/// let server: ServerAddress = "jobs.example".parse()?;
/// assert_eq!(server.to_string(), "jobs.example:4730");
/// # Ok::<(), geartrain_client::AddressError>(())
/// ```
impl FromStr for ServerAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text, DEFAULT_PORT)
    }
}

/// The servers that a builder is told, and why it cannot use them.
#[cfg(feature = "async")]
#[derive(Debug, Clone, Default)]
pub(crate) struct ServerList {
    servers: Vec<ServerAddress>,
    fault: Option<AddressError>,
}

#[cfg(feature = "async")]
impl ServerList {
    pub(crate) fn add_list(&mut self, list: &str) {
        match ServerAddress::parse_list(list, DEFAULT_PORT) {
            Ok(servers) => self.servers.extend(servers),
            Err(error) => self.fault = self.fault.take().or(Some(error)),
        }
    }

    pub(crate) fn add(&mut self, server: ServerAddress) {
        self.servers.push(server);
    }

    /// The servers, each once; without any, those of the environment, else the one on this machine.
    pub(crate) fn finish(mut self) -> Result<Vec<ServerAddress>, AddressError> {
        if self.servers.is_empty() && self.fault.is_none() {
            let named = std::env::var(SERVERS_VARIABLE).ok().filter(|list| !list.trim().is_empty());
            self.add_list(named.as_deref().unwrap_or("localhost"));
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut seen = std::collections::HashSet::new();
        self.servers.retain(|server| seen.insert(server.clone()));
        Ok(self.servers)
    }
}

impl fmt::Display for ServerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "unix:{}", path.display()),
        }
    }
}

/// Reads a port: a number from 1 to 65535, or the name of a TCP service in `/etc/services`.
///
/// # Errors
/// [`AddressError::BadPort`].
pub fn parse_port(text: &str) -> Result<u16, AddressError> {
    let bad = || AddressError::BadPort { port: text.to_owned() };
    match text.parse::<u16>() {
        Ok(0) => Err(bad()),
        Ok(port) => Ok(port),
        Err(_) => {
            let services = std::fs::read_to_string("/etc/services").unwrap_or_default();
            service_port(&services, text).ok_or_else(bad)
        }
    }
}

/// Finds a TCP service by its name or an alias in the text of a services file.
fn service_port(services: &str, name: &str) -> Option<u16> {
    services.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (service, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        let named = service == name || words.any(|alias| alias == name);
        if named { port.parse().ok() } else { None }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        match ServerAddress::parse(text, DEFAULT_PORT) {
            Ok(server) => server.to_string(),
            Err(error) => format!("error: {error}"),
        }
    }

    #[test]
    fn addresses_are_read_in_all_their_forms() {
        assert_eq!(shown("localhost"), "localhost:4730");
        assert_eq!(shown(" 10.0.0.1:24730 "), "10.0.0.1:24730");
        assert_eq!(shown("::1"), "[::1]:4730");
        assert_eq!(shown("[::1]"), "[::1]:4730");
        assert_eq!(shown("[fe80::1%eth0]:80"), "[fe80::1%eth0]:80");
        assert_eq!(shown("unix:/run/gearmand.sock"), "unix:/run/gearmand.sock");
    }

    #[test]
    fn what_is_no_address_is_refused_with_its_text() {
        for text in
            ["", ":4730", "[]:1", "[::1", "[::1]x", "unix:", "h:0", "h:65536", "h:nosuchservice", "h:-1"]
        {
            let shown = shown(text);
            assert!(shown.starts_with("error: "), "{text:?} was taken as {shown}");
        }
        assert_eq!(
            shown("h:99999"),
            "error: port \"99999\" is neither a number from 1 to 65535 nor a known service"
        );
    }

    #[test]
    fn lists_skip_empty_elements_and_are_never_empty() {
        let list = ServerAddress::parse_list("a,,[::1]:1, b:2", 4000).unwrap();
        let shown: Vec<String> = list.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:4000", "[::1]:1", "b:2"]);
        assert_eq!(ServerAddress::parse_list(" , ", 1), Err(AddressError::EmptyList));
    }

    #[test]
    fn services_are_found_by_name_and_alias() {
        let file = "# services\nhttp 80/tcp www # web\ngearman\t4730/udp\ngearman\t4730/tcp\n";
        assert_eq!(service_port(file, "www"), Some(80));
        assert_eq!(service_port(file, "gearman"), Some(4730));
        assert_eq!(service_port(file, "web"), None);
    }
}
