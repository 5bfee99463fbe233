//! Where Geartrain remembers background jobs.
