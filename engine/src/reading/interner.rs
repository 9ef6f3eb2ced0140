//! Equal texts get equal numbers, in order of first appearance.
//!
//! All texts lie end to end in one buffer, so ten million distinct values cost two
//! allocations, and the table leaves for Python as two flat buffers.

use hashbrown::hash_table::{Entry, HashTable};
use hashbrown::DefaultHashBuilder;
use std::hash::{BuildHasher, Hasher};

#[derive(Default)]
pub struct Interner {
    data: Vec<u8>,
    ends: Vec<u64>,
    /// Hash and code: growing the table must not touch the texts again.
    table: HashTable<(u64, u32)>,
    hasher: DefaultHashBuilder,
}

fn span(ends: &[u64], code: u32) -> std::ops::Range<usize> {
    let code = code as usize;
    let start = if code == 0 {
        0
    } else {
        ends[code - 1] as usize
    };
    start..ends[code] as usize
}

pub fn hash(hasher: &DefaultHashBuilder, text: &[u8]) -> u64 {
    let mut state = hasher.build_hasher();
    state.write(text);
    state.finish()
}

impl Interner {
    /// The number of `text`; the next free one if it is new.
    pub fn code(&mut self, text: &[u8]) -> u32 {
        let Interner {
            data,
            ends,
            table,
            hasher,
        } = self;
        let hash = hash(hasher, text);
        let entry = table.entry(
            hash,
            |&(known, code)| known == hash && &data[span(ends, code)] == text,
            |&(known, _)| known,
        );
        match entry {
            Entry::Occupied(found) => found.get().1,
            Entry::Vacant(vacant) => {
                let code = ends.len() as u32;
                vacant.insert((hash, code));
                data.extend_from_slice(text);
                ends.push(data.len() as u64);
                code
            }
        }
    }

    pub fn text(&self, code: u32) -> &[u8] {
        &self.data[span(&self.ends, code)]
    }

    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Where each text begins, and where the last ends: `len() + 1` offsets.
    pub fn offsets(&self) -> Vec<u8> {
        std::iter::once(0u64)
            .chain(self.ends.iter().copied())
            .flat_map(u64::to_ne_bytes)
            .collect()
    }

    pub fn data(&self) -> &[u8] {
        &self.data
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_share_a_code_in_order_of_first_appearance() {
        let mut table = Interner::default();
        let codes: Vec<u32> = ["b", "a", "", "b", ""]
            .iter()
            .map(|t| table.code(t.as_bytes()))
            .collect();
        assert_eq!(codes, [0, 1, 2, 0, 2]);
        assert_eq!(
            (table.text(0), table.text(2), table.len()),
            (&b"b"[..], &b""[..], 3)
        );
    }
}
