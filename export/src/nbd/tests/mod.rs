//! Stories about a server and its clients.
