//! From a key to the last offset it was seen at, in a fixed amount of memory.
//!
//! Keys themselves are not kept, only 128 bits of SipHash under a secret key, 24 bytes an entry with the offset. Two
//! keys with the same hash would make the cleaner drop one of them. With 2³² keys that has a chance of 2⁻⁶⁵, and nobody who
//! does not know the secret can do better by choosing keys.

use std::hash::Hasher;

use ottla_protocol::types::Offset;
use siphasher::sip128::{Hasher128, SipHasher24};

/// Size of an entry.
const ENTRY: usize = size_of::<Entry>();

/// All zeros: free. The offset is stored one higher, so that no entry in use is.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    hash: [u64; 2],
    offset_plus_one: u64,
}

/// Open addressing with linear probing; nothing is ever taken out of it but all at once.
#[derive(Debug)]
pub struct OffsetMap {
    hasher: SipHasher24,
    load_factor: f64,
    table: Vec<Entry>,
    /// The first so many entries of the table are in use, so that a small log does not touch all of its memory.
    slots: usize,
    entries: usize,
}

impl OffsetMap {
    /// A map of at most `bytes` (but two entries), filled to `load_factor` (`log.cleaner.io.buffer.load.factor`) and
    /// no further. `secret` is random, for this process alone.
    #[must_use]
    pub fn new(bytes: usize, load_factor: f64, secret: [u8; 16]) -> Self {
        let table = vec![Entry::default(); (bytes / ENTRY).max(2)];
        Self {
            hasher: SipHasher24::new_with_key(&secret),
            load_factor: load_factor.clamp(0.1, 1.0),
            slots: table.len(),
            table,
            entries: 0,
        }
    }

    /// Forgets everything, and makes room for so many keys, or as many as there can be.
    pub fn reset(&mut self, keys: u64) {
        self.table[..self.slots].fill(Entry::default());
        self.entries = 0;
        let wanted = (keys as f64 / self.load_factor) as usize;
        self.slots = wanted.saturating_add(2).min(self.table.len());
    }

    /// Keys it takes.
    #[must_use]
    pub fn capacity(&self) -> usize {
        // One slot stays free, else a search for what is not there would not end.
        let by_load = (self.slots as f64 * self.load_factor) as usize;
        by_load.clamp(1, self.slots - 1)
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.entries
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries == 0
    }

    /// How full it is, from 0 to 1, counted against all of its memory as the reference does.
    #[must_use]
    pub fn utilization(&self) -> f64 {
        self.entries as f64 / self.table.len() as f64
    }

    /// Notes an offset of a key, above those noted before. False: the map is full, and the key is not in it.
    #[must_use]
    pub fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        let hash = self.hash(key);
        let i = self.slot_of(hash);
        if self.table[i].offset_plus_one == 0 {
            if self.entries >= self.capacity() {
                return false;
            }
            self.entries += 1;
        }
        self.table[i] = Entry {
            hash,
            offset_plus_one: (offset.0 as u64).wrapping_add(1),
        };
        true
    }

    #[must_use]
    pub fn get(&self, key: &[u8]) -> Option<Offset> {
        let entry = self.table[self.slot_of(self.hash(key))];
        let offset = entry.offset_plus_one.checked_sub(1)?;
        Some(Offset(offset as i64))
    }

    fn hash(&self, key: &[u8]) -> [u64; 2] {
        let mut hasher = self.hasher;
        hasher.write(key);
        let hash = hasher.finish128();
        [hash.h1, hash.h2]
    }

    /// The key's slot, or the free one where it belongs.
    fn slot_of(&self, hash: [u64; 2]) -> usize {
        // Below `slots`, which is a usize.
        let mut i = ((u128::from(hash[0]) * self.slots as u128) >> 64) as usize;
        loop {
            let entry = &self.table[i];
            if entry.offset_plus_one == 0 || entry.hash == hash {
                return i;
            }
            i += 1;
            if i == self.slots {
                i = 0;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_the_offset_it_was_last_put_at() {
        let mut map = OffsetMap::new(64 << 10, 0.9, [7; 16]);
        for round in 0..3_i64 {
            for key in 0..500_i64 {
                assert!(map.put(&key.to_be_bytes(), Offset(round * 1000 + key)));
            }
        }
        assert_eq!(map.len(), 500);
        for key in 0..500_i64 {
            assert_eq!(map.get(&key.to_be_bytes()), Some(Offset(2000 + key)));
        }
        assert_eq!(map.get(b"never put"), None);
    }

    #[test]
    fn a_full_map_takes_no_new_key_but_new_offsets_of_old_ones() {
        for bytes in [0, 48, 240, 24_000] {
            let mut map = OffsetMap::new(bytes, 0.9, [1; 16]);
            let mut n = 0_i64;
            while map.put(&n.to_be_bytes(), Offset(n)) {
                n += 1;
            }
            assert_eq!(n as usize, map.capacity());
            assert!(n >= 1);
            assert!(map.put(&0_i64.to_be_bytes(), Offset(n + 5)));
            assert_eq!(map.get(&0_i64.to_be_bytes()), Some(Offset(n + 5)));
            assert_eq!(map.get(b"not there"), None);
        }
    }

    #[test]
    fn a_reset_map_is_empty_and_as_large_as_needed() {
        let mut map = OffsetMap::new(1 << 20, 0.9, [1; 16]);
        assert!(map.put(b"a", Offset(0)));
        map.reset(10);
        assert_eq!(map.get(b"a"), None);
        assert!(map.capacity() >= 10);
        for n in 0..10_i64 {
            assert!(map.put(&n.to_be_bytes(), Offset(n)));
        }
        map.reset(u64::MAX);
        assert_eq!(map.get(&1_i64.to_be_bytes()), None);
        assert_eq!(map.capacity(), ((1 << 20) / 24) * 9 / 10);
    }
}
