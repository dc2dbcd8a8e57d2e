//! The broker's async shell: sockets, files, timers.
