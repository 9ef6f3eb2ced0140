//! Words by number, of which a copy shares all but what is changed in it.
//!
//! The states of a set or a log may be as large as the history, and neighbouring ones hardly
//! differ.  So the words stand in a tree, and a change copies the path to one leaf; the hash
//! is kept up to date rather than computed.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// Children of a node, and words of a leaf.
const FAN: usize = 16;
const FAN_BITS: u32 = 4;

/// About what a change costs for each level.
const NODE_BYTES: usize = FAN * 8 + 32;

#[derive(Clone, Debug)]
enum Node {
    Leaf([u64; FAN]),
    Branch([Option<Arc<Node>>; FAN]),
}

/// An array of words, all zero at first.
#[derive(Clone, Debug)]
pub struct Sparse {
    root: Option<Arc<Node>>,
    /// Levels of branches above the leaves.  States that are to be equal have as many.
    levels: u32,
    hash: u64,
}

impl Sparse {
    /// With room for so many words.
    pub fn with_room(words: usize) -> Sparse {
        let mut sparse = Sparse {
            root: None,
            levels: 0,
            hash: 0,
        };
        sparse.grow(words.saturating_sub(1));
        sparse
    }

    /// Makes room for this number, if there is none.
    pub fn grow(&mut self, number: usize) {
        while !self.has_room(number) {
            self.levels += 1;
            if let Some(root) = self.root.take() {
                let mut children: [Option<Arc<Node>>; FAN] = Default::default();
                children[0] = Some(root);
                self.root = Some(Arc::new(Node::Branch(children)));
            }
        }
    }

    fn has_room(&self, number: usize) -> bool {
        number
            .checked_shr(FAN_BITS * (self.levels + 1))
            .unwrap_or(0)
            == 0
    }

    /// Zero beyond the room.
    pub fn get(&self, number: usize) -> u64 {
        if number
            .checked_shr(FAN_BITS * (self.levels + 1))
            .unwrap_or(0)
            > 0
        {
            return 0;
        }
        let mut node = &self.root;
        let mut level = self.levels;
        loop {
            match node.as_deref() {
                None => return 0,
                Some(Node::Leaf(words)) => return words[number % FAN],
                Some(Node::Branch(children)) => {
                    node = &children[(number >> (FAN_BITS * level)) % FAN];
                    level -= 1;
                }
            }
        }
    }

    /// Panics beyond the room.
    pub fn set(&mut self, number: usize, word: u64) {
        assert!(self.has_room(number), "no room for this number");
        let before = set(&mut self.root, self.levels, number, word);
        self.hash ^= mixed(number, before) ^ mixed(number, word);
    }

    /// The words that are not zero, by number.
    pub fn words(&self) -> Vec<(usize, u64)> {
        let mut found = Vec::new();
        if let Some(root) = &self.root {
            collect(root, 0, &mut found);
        }
        found
    }

    /// About how many bytes a state holds that differs from another in one word.
    pub fn weight(&self) -> usize {
        NODE_BYTES * (self.levels as usize + 1)
    }
}

/// Answers the word that was there before.
fn set(node: &mut Option<Arc<Node>>, level: u32, number: usize, word: u64) -> u64 {
    let empty = || match level {
        0 => Node::Leaf([0; FAN]),
        _ => Node::Branch(Default::default()),
    };
    let node = Arc::make_mut(node.get_or_insert_with(|| Arc::new(empty())));
    match node {
        Node::Leaf(words) => std::mem::replace(&mut words[number % FAN], word),
        Node::Branch(children) => {
            let child = &mut children[(number >> (FAN_BITS * level)) % FAN];
            set(child, level - 1, number, word)
        }
    }
}

fn collect(node: &Node, first: usize, found: &mut Vec<(usize, u64)>) {
    match node {
        Node::Leaf(words) => {
            let numbered = words.iter().enumerate().filter(|(_, word)| **word != 0);
            found.extend(numbered.map(|(at, word)| (first * FAN + at, *word)));
        }
        Node::Branch(children) => {
            for (at, child) in children.iter().enumerate() {
                if let Some(child) = child {
                    collect(child, first * FAN + at, found);
                }
            }
        }
    }
}

/// Scatters a word and its number; a zero is nothing (Murmur's finalizer).
fn mixed(number: usize, word: u64) -> u64 {
    if word == 0 {
        return 0;
    }
    let mut x = word ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    x = (x ^ (x >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    x ^ (x >> 33)
}

impl Hash for Sparse {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl PartialEq for Sparse {
    /// Whole: a hash alone could call two different states equal.
    fn eq(&self, other: &Sparse) -> bool {
        self.hash == other.hash && equal(&self.root, &other.root)
    }
}

impl Eq for Sparse {}

/// Where nothing was put, zeros were.
fn equal(a: &Option<Arc<Node>>, b: &Option<Arc<Node>>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(node), None) | (None, Some(node)) => is_zero(node),
        (Some(a), Some(b)) => {
            Arc::ptr_eq(a, b)
                || match (&**a, &**b) {
                    (Node::Leaf(a), Node::Leaf(b)) => a == b,
                    (Node::Branch(a), Node::Branch(b)) => a.iter().zip(b).all(|(a, b)| equal(a, b)),
                    _ => false,
                }
        }
    }
}

fn is_zero(node: &Node) -> bool {
    match node {
        Node::Leaf(words) => words.iter().all(|word| *word == 0),
        Node::Branch(children) => children.iter().flatten().all(|child| is_zero(child)),
    }
}

#[cfg(test)]
mod tests {
    use super::Sparse;

    #[test]
    fn a_copy_keeps_what_was_there() {
        let mut words = Sparse::with_room(1_000);
        words.set(7, 1);
        let before = words.clone();
        words.set(999, 5);
        words.set(7, 2);
        assert_eq!((before.get(7), before.get(999)), (1, 0));
        assert_eq!((words.get(7), words.get(999)), (2, 5));
        assert_eq!(words.words(), [(7, 2), (999, 5)]);
        assert_eq!(words.get(1_000_000), 0);
    }

    #[test]
    fn equality_is_that_of_the_words_however_they_came_there() {
        let (mut a, mut b) = (Sparse::with_room(300), Sparse::with_room(300));
        a.set(3, 1);
        a.set(290, 2);
        b.set(290, 2);
        assert_ne!(a, b);
        b.set(3, 1);
        b.set(100, 9);
        b.set(100, 0);
        assert_eq!(a, b);
    }

    #[test]
    fn what_grows_keeps_its_words() {
        let mut words = Sparse::with_room(1);
        words.set(3, 7);
        words.grow(5_000);
        words.set(5_000, 8);
        assert_eq!(words.words(), [(3, 7), (5_000, 8)]);
        let mut others = Sparse::with_room(5_001);
        others.set(5_000, 8);
        others.set(3, 7);
        assert_eq!(words, others);
    }

    #[test]
    fn there_is_room_for_one_word() {
        let mut words = Sparse::with_room(1);
        words.set(0, 3);
        assert_eq!(words.get(0), 3);
    }
}
