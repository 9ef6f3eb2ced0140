//! A priority queue: `insert n`; `delete-min` answers a least element, or null where it is empty.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::container::{Element, Move, Moves};
use super::{Monitored, Object, Source};
use crate::monitors::intervals::Interval;
use crate::monitors::priority;
use crate::monitors::{Finding, Part};
use crate::search::history::Class;
use crate::search::register::Misfit;

/// Its elements are numbered by size: equal numbers are one element, a lesser one has the
/// lesser number.
#[derive(Clone)]
pub struct PriorityQueue(Moves);

impl PriorityQueue {
    /// Translates the classes of a history.
    pub fn compile(source: &Source) -> Result<PriorityQueue, Misfit> {
        let moves = Moves::compile(source, "priority queue", "insert", "delete-min")?;
        let mut sized: Vec<(Size, Element)> = Vec::new();
        for (class, step) in moves.of_class.iter().enumerate() {
            let (Move::Put(element) | Move::Take(element)) = *step else {
                continue;
            };
            let text = moves.text_of(element);
            let size = Size::of(text).ok_or_else(|| Misfit {
                class,
                message: format!("the elements of a priority queue are numbers, not {text}"),
            })?;
            sized.push((size, element));
        }
        sized.sort_unstable_by(|(a, x), (b, y)| a.cmp(b).then(x.cmp(y)));
        sized.dedup();
        let mut texts: Vec<String> = Vec::new();
        let mut numbers: HashMap<Element, Element> = HashMap::new();
        let mut last: Option<Size> = None;
        for (size, element) in sized {
            if last.is_none_or(|last| last.cmp(&size) != Ordering::Equal) {
                texts.push(moves.text_of(element).to_owned());
            }
            last = Some(size);
            numbers.insert(element, texts.len() as Element - 1);
        }
        let of_class = moves.of_class.iter().map(|step| match *step {
            Move::Put(element) => Move::Put(numbers[&element]),
            Move::Take(element) => Move::Take(numbers[&element]),
            other => other,
        });
        Ok(PriorityQueue(Moves {
            of_class: Arc::new(of_class.collect()),
            texts: Arc::new(texts),
        }))
    }
}

/// A number of a history, which orders exactly: a large integer is not rounded.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Size {
    Whole(i128),
    Broken(f64),
}

impl Size {
    fn of(text: &str) -> Option<Size> {
        if let Ok(whole) = text.parse() {
            return Some(Size::Whole(whole));
        }
        let starts_as_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        let broken = text.parse::<f64>().ok().filter(|_| starts_as_number)?;
        Some(Size::Broken(broken))
    }

    fn cmp(&self, other: &Size) -> Ordering {
        match (*self, *other) {
            (Size::Whole(a), Size::Whole(b)) => a.cmp(&b),
            (Size::Broken(a), Size::Broken(b)) => a.total_cmp(&b),
            (Size::Whole(a), Size::Broken(b)) => {
                let below = b.floor();
                let whole = a.cmp(&(below as i128));
                whole.then(below.total_cmp(&b))
            }
            (Size::Broken(_), Size::Whole(_)) => other.cmp(self).reverse(),
        }
    }
}

impl Object for PriorityQueue {
    /// How many there are of each element.
    type State = BTreeMap<Element, u32>;

    fn initial(&self) -> Self::State {
        BTreeMap::new()
    }

    fn apply(&self, state: &mut Self::State, class: Class) -> bool {
        let step = self.0.of(class);
        if let Move::Put(element) = step {
            *state.entry(element).or_insert(0) += 1;
            return true;
        }
        let Some(mut least) = state.first_entry() else {
            return matches!(step, Move::Empty | Move::Unseen);
        };
        match step {
            Move::Take(element) if element != *least.key() => return false,
            Move::Empty => return false,
            _ => {}
        }
        *least.get_mut() -= 1;
        if *least.get() == 0 {
            least.remove();
        }
        true
    }

    fn read_only(&self, class: Class) -> bool {
        self.0.of(class) == Move::Empty
    }

    fn text(&self, state: &Self::State) -> String {
        let copies = |(&element, &count): (&Element, &u32)| vec![element; count as usize];
        self.0.text(state.iter().flat_map(copies))
    }

    fn weight(&self, state: &Self::State) -> usize {
        4 * state.len() * size_of::<Element>()
    }
}

impl Monitored for PriorityQueue {
    const ALGORITHM: &'static str = "priority-queue";

    fn judge(&self, intervals: &[Interval]) -> Finding {
        priority::judge(intervals, &self.0.of_class)
    }

    fn part(&self, class: Class) -> Part {
        self.0.part(class)
    }
}

#[cfg(test)]
mod tests {
    use super::Size;

    #[test]
    fn numbers_order_exactly() {
        let sorted = [
            "-1e300",
            "-2",
            "-1.5",
            "-1",
            "0",
            "0.5",
            "1",
            "1.5",
            "2",
            "9007199254740992",
            "9007199254740993",
            "1e300",
        ];
        for (i, a) in sorted.iter().enumerate() {
            for (j, b) in sorted.iter().enumerate() {
                let order = Size::of(a).unwrap().cmp(&Size::of(b).unwrap());
                assert_eq!(order, i.cmp(&j), "{a} {b}");
            }
        }
        assert_eq!(
            [Size::of("\"1\""), Size::of("true"), Size::of("nan")],
            [None; 3]
        );
    }
}
