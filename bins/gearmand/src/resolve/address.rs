//! Where to listen, as a person writes it.

use anyhow::{Context, Result, anyhow, bail};
use geartrain_server::Address;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};
use std::path::{Path, PathBuf};

const PORT_DEFAULT: u16 = 4730;

/// One place to listen at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum ListenAt {
    /// All addresses of the machine, IPv4 and IPv6.
    Everywhere { port: u16 },
    /// An address.
    Address(SocketAddr),
    /// All addresses of a host name.
    Host { host: String, port: u16 },
    /// A socket in the file system.
    Unix(PathBuf),
}

pub(super) fn listen(port: Option<&str>, given: &[String], socket: Option<&Path>) -> Result<Vec<ListenAt>> {
    let port = port.map_or(Ok(PORT_DEFAULT), |text| parse_port(text, text, "port"))?;
    let mut places = given.iter().map(|text| parse(text, port)).collect::<Result<Vec<_>>>()?;
    if places.is_empty() {
        places.push(ListenAt::Everywhere { port });
    }
    places.extend(socket.map(|path| ListenAt::Unix(path.to_owned())));
    Ok(places)
}

fn parse(text: &str, port: u16) -> Result<ListenAt> {
    if let Some(path) = text.strip_prefix("unix:") {
        return Ok(ListenAt::Unix(path.into()));
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(ListenAt::Address(SocketAddr::new(address, port)));
    }
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Ok(ListenAt::Address(address));
    }
    match text.split_once(':') {
        None if text.is_empty() => Ok(ListenAt::Everywhere { port }),
        None => Ok(ListenAt::Host { host: text.to_owned(), port }),
        Some((host, own)) if !host.is_empty() && !own.contains(':') => {
            Ok(ListenAt::Host { host: host.to_owned(), port: parse_port(own, text, "listen")? })
        }
        Some(_) => bail!("the argument ('{text}') for option '--listen' is invalid"),
    }
}

/// The port in `text`; `whole` is what was given for `option`, for errors.
fn parse_port(text: &str, whole: &str, option: &str) -> Result<u16> {
    // Kubernetes puts such an address in GEARMAND_PORT when a service has the name gearmand.
    let port = text.strip_prefix("tcp://").and_then(|address| address.rsplit(':').next()).unwrap_or(text);
    let invalid = |reason| anyhow!("the argument ('{whole}') for option '--{option}' is invalid{reason}");
    if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) {
        return port.parse().map_err(|_| invalid(" (range 0 to 65535)"));
    }
    service_port(port).ok_or_else(|| invalid(""))
}

/// The port of a service by name.
fn service_port(name: &str) -> Option<u16> {
    let services = std::fs::read_to_string("/etc/services").ok()?;
    services.lines().find_map(|line| {
        let mut words = line.split('#').next()?.split_whitespace();
        let (first, port) = (words.next()?, words.next()?.strip_suffix("/tcp")?);
        (first == name || words.any(|alias| alias == name)).then(|| port.parse().ok())?
    })
}

impl ListenAt {
    /// The addresses to bind; host names are looked up.
    pub(crate) fn addresses(&self) -> Result<Vec<Address>> {
        match self {
            ListenAt::Everywhere { port } => {
                let mut addresses = vec![Address::Tcp((Ipv4Addr::UNSPECIFIED, *port).into())];
                // A machine may be without IPv6.
                if UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 0)).is_ok() {
                    addresses.push(Address::Tcp((Ipv6Addr::UNSPECIFIED, *port).into()));
                }
                Ok(addresses)
            }
            ListenAt::Address(address) => Ok(vec![Address::Tcp(*address)]),
            ListenAt::Host { host, port } => {
                let found = (host.as_str(), *port)
                    .to_socket_addrs()
                    .with_context(|| format!("could not look up {host} for --listen"))?;
                let mut addresses: Vec<_> = found.map(Address::Tcp).collect();
                addresses.dedup();
                Ok(addresses)
            }
            ListenAt::Unix(path) => Ok(vec![Address::Unix(path.clone())]),
        }
    }
}
