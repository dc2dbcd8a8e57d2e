//! Replies on their way out: collected while requests are at hand, written in one go, file ranges by sendfile.
//!
//! Always: bytes leave in the order they were pushed. What is held back is bounded by `PENDING_BYTES_MAX` plus one
//! reply; whoever pushes waits while the client does not read.

use std::fs::File;
use std::io;

use ottla_log::FileSlice;
use ottla_log::disk::read_full;
use ottla_protocol::wire::Chunk;
use tokio::io::Interest;
use tokio::net::TcpStream;

/// A file range up to this size is read into the outgoing bytes: cheaper than a system call of its own.
const COPIED_FILE_BYTES_MAX: usize = 24 * 1024;

/// Collected replies are written once they exceed this.
const PENDING_BYTES_MAX: usize = 64 * 1024;

/// What a connection may keep between replies.
const KEPT_BYTES_MAX: usize = 2 * PENDING_BYTES_MAX;

/// What an idle connection may keep.
const IDLE_BYTES_MAX: usize = 4 * 1024;

/// One encoded reply, its length in front: bytes, and gaps that the file ranges fill in order.
#[derive(Debug, Default)]
pub(crate) struct Encoded {
    pub(crate) chunks: Vec<Chunk>,
    pub(crate) files: Vec<FileSlice>,
}

/// Whether more bytes of the same reply follow at once: the kernel then fills its packets.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Follow {
    More,
    Nothing,
}

#[derive(Default)]
pub(crate) struct Outbox {
    pending: Pending,
}

/// Bytes that wait to be written. The memory behind them keeps what it held: what is read from a file goes there without
/// zeros being written first.
#[derive(Default)]
struct Pending {
    buffer: Vec<u8>,
    len: usize,
}

impl Pending {
    fn bytes(&self) -> &[u8] {
        &self.buffer[..self.len]
    }

    /// Room for so many more, to be filled.
    fn grow(&mut self, by: usize) -> &mut [u8] {
        let start = self.len;
        self.len += by;
        if self.buffer.len() < self.len {
            self.buffer.resize(self.len, 0);
        }
        &mut self.buffer[start..self.len]
    }

    /// Writes all of it, and keeps the memory unless it is more than `kept`.
    async fn send(&mut self, stream: &TcpStream, follow: Follow, kept: usize) -> io::Result<()> {
        let sent = send(stream, self.bytes(), follow).await;
        self.len = 0;
        self.shrink(kept);
        sent
    }

    fn shrink(&mut self, kept: usize) {
        if self.len == 0 && self.buffer.capacity() > kept {
            self.buffer = Vec::new();
        }
    }
}

impl Outbox {
    /// Takes a reply. Writes at once what is too large to be held.
    pub(crate) async fn push(&mut self, stream: &TcpStream, reply: Encoded) -> io::Result<()> {
        let mut files = reply.files.into_iter();
        for chunk in reply.chunks {
            match chunk {
                Chunk::Bytes(bytes) => self.pending.grow(bytes.len()).copy_from_slice(&bytes),
                Chunk::External { len, .. } => {
                    let file = files.next().filter(|file| file.len == len);
                    let file =
                        file.ok_or_else(|| io::Error::other("reply and file ranges do not match"))?;
                    self.push_file(stream, &file).await?;
                }
            }
        }
        if self.pending.len > PENDING_BYTES_MAX {
            self.flush(stream).await?;
        }
        Ok(())
    }

    async fn push_file(&mut self, stream: &TcpStream, file: &FileSlice) -> io::Result<()> {
        if file.len <= COPIED_FILE_BYTES_MAX && self.pending.len <= PENDING_BYTES_MAX {
            return read_exact(file, self.pending.grow(file.len));
        }
        let pending = &mut self.pending;
        pending.send(stream, Follow::More, KEPT_BYTES_MAX).await?;
        send_file(stream, file).await
    }

    /// Writes what has been collected.
    pub(crate) async fn flush(&mut self, stream: &TcpStream) -> io::Result<()> {
        let pending = &mut self.pending;
        pending.send(stream, Follow::Nothing, KEPT_BYTES_MAX).await
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.pending.len == 0
    }

    /// Lets go of memory that an idle connection has no use for.
    pub(crate) fn shrink(&mut self) {
        self.pending.shrink(IDLE_BYTES_MAX);
    }
}

fn read_exact(file: &FileSlice, into: &mut [u8]) -> io::Result<()> {
    let read = read_full(&*file.file, into, file.position)?;
    if read < into.len() {
        Err(too_short())
    } else {
        Ok(())
    }
}

fn too_short() -> io::Error {
    io::Error::new(
        io::ErrorKind::UnexpectedEof,
        "a segment is shorter than its log says",
    )
}

async fn send(stream: &TcpStream, bytes: &[u8], follow: Follow) -> io::Result<()> {
    let mut sent = 0;
    while sent < bytes.len() {
        match stream.try_io(Interest::WRITABLE, || {
            send_some(stream, &bytes[sent..], follow)
        }) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn send_some(stream: &TcpStream, bytes: &[u8], follow: Follow) -> io::Result<usize> {
    use rustix::net::SendFlags;

    let more = if follow == Follow::More {
        SendFlags::MORE
    } else {
        SendFlags::empty()
    };
    Ok(rustix::net::send(
        stream,
        bytes,
        SendFlags::NOSIGNAL | more,
    )?)
}

#[cfg(not(target_os = "linux"))]
fn send_some(stream: &TcpStream, bytes: &[u8], _follow: Follow) -> io::Result<usize> {
    Ok(rustix::net::send(
        stream,
        bytes,
        rustix::net::SendFlags::empty(),
    )?)
}

/// Sends a range of a file, straight from the page cache where the system can.
async fn send_file(stream: &TcpStream, slice: &FileSlice) -> io::Result<()> {
    match slice.file.os_file() {
        Some(file) if cfg!(target_os = "linux") => send_os_file(stream, file, slice).await,
        _ => send_copied(stream, slice).await,
    }
}

#[cfg(target_os = "linux")]
async fn send_os_file(stream: &TcpStream, file: &File, slice: &FileSlice) -> io::Result<()> {
    let mut position = slice.position;
    let end = slice.position + slice.len as u64;
    while position < end {
        let left = usize::try_from(end - position).unwrap_or(usize::MAX);
        let send = || {
            Ok(rustix::fs::sendfile(
                stream,
                file,
                Some(&mut position),
                left,
            )?)
        };
        match stream.try_io(Interest::WRITABLE, send) {
            Ok(0) => return Err(too_short()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => stream.writable().await?,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
async fn send_os_file(stream: &TcpStream, _file: &File, slice: &FileSlice) -> io::Result<()> {
    send_copied(stream, slice).await
}

/// Sends a range of a file through a small buffer.
async fn send_copied(stream: &TcpStream, slice: &FileSlice) -> io::Result<()> {
    let mut buffer = vec![0; slice.len.min(PENDING_BYTES_MAX)];
    let mut done = 0;
    while done < slice.len {
        let mut part = slice.clone();
        part.position += done as u64;
        part.len = (slice.len - done).min(buffer.len());
        let bytes = &mut buffer[..part.len];
        read_exact(&part, bytes)?;
        done += part.len;
        send(stream, bytes, Follow::More).await?;
    }
    Ok(())
}
