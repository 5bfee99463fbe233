//! Which connections the processes of a group have.
//!
//! From: `/proc`, when a job server lists somebody new. To: [`super::rows`].
//! Never: takes what it may not look at for nothing.

use super::proc::{self, TcpSocket};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr, UdpSocket};

/// Whether this is an address of this machine.
pub(crate) fn is_local(address: IpAddr) -> bool {
    // Nobody may bind another machine's.
    UdpSocket::bind(SocketAddr::new(address, 0)).is_ok()
}

/// The established TCP connections of process groups.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    of_groups: BTreeMap<i32, Vec<TcpSocket>>,
    /// Groups with a process whose descriptors we may not see.
    hidden: BTreeSet<i32>,
    by_local: BTreeMap<SocketAddr, Vec<(i32, SocketAddr)>>,
}

impl Sockets {
    /// Looks at these groups.
    pub(crate) fn look(groups: &BTreeSet<i32>) -> Self {
        let connections = proc::connections();
        let mut sockets = Self::default();
        for (number, group) in proc::groups(groups) {
            for pid in group.pids {
                match proc::sockets(pid) {
                    Some(inodes) => inodes
                        .iter()
                        .filter_map(|inode| connections.get(inode))
                        .for_each(|socket| sockets.add(number, *socket)),
                    None => {
                        sockets.hidden.insert(number);
                    }
                }
            }
        }
        sockets
    }

    /// A connection of a group. One that several of its processes share counts once.
    pub(crate) fn add(&mut self, group: i32, socket: TcpSocket) {
        let of_group = self.of_groups.entry(group).or_default();
        if !of_group.contains(&socket) {
            of_group.push(socket);
            self.by_local.entry(socket.local).or_default().push((group, socket.remote));
        }
    }

    /// The group that a connection from this address and port belongs to.
    ///
    /// The kernel gives a port to several connections with different ends: that to the server's own port counts
    /// before others, which are those through a forwarded port.
    pub(crate) fn group_at(&self, local: SocketAddr, server_port: Option<u16>) -> Option<i32> {
        let there = self.by_local.get(&local)?;
        let to_server = there.iter().find(|(_, remote)| Some(remote.port()) == server_port);
        to_server.or(there.first()).map(|(group, _)| *group)
    }

    /// How many connections a group has to this port of any machine, from this address where one is given.
    pub(crate) fn count(&self, group: i32, port: u16, from: Option<IpAddr>) -> usize {
        let of_group = self.of_groups.get(&group).map_or(&[][..], Vec::as_slice);
        let is_it =
            |it: &&TcpSocket| it.remote.port() == port && from.is_none_or(|from| from == it.local.ip());
        of_group.iter().filter(is_it).count()
    }

    pub(crate) fn is_hidden(&self, group: i32) -> bool {
        self.hidden.contains(&group)
    }
}
