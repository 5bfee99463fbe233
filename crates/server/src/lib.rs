//! Sockets, configuration and process life around the job queue.
