//! What queue, stack and priority queue have in common: elements are put in and taken out.

use std::sync::Arc;

use super::Source;
use crate::monitors::Part;
use crate::search::history::Class;
use crate::search::operations::ClassKey;
use crate::search::register::Misfit;

/// An element, as the code of its value in the history.
pub type Element = u32;

/// What an operation does to a container.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Move {
    Put(Element),
    Take(Element),
    /// Asked for an element, and was answered that there is nothing.
    Empty,
    /// Asked for an element and nobody saw the answer: it took what was next, if there was
    /// anything.
    Unseen,
}

/// The operations of a history as moves of elements.
#[derive(Clone)]
pub struct Moves {
    pub of_class: Arc<Vec<Move>>,
    /// The texts of the elements, by code.
    pub texts: Arc<Vec<String>>,
}

impl Moves {
    /// Translates the classes of a history of the model `name`; `put` and `take` are the
    /// names of its operations.
    pub fn compile(source: &Source, name: &str, put: &str, take: &str) -> Result<Moves, Misfit> {
        let of_class = source.translate(|class: &ClassKey| match source.name(class) {
            f if f == put => match Element::try_from(class.argument) {
                Ok(element) => Ok(Move::Put(element)),
                Err(_) => Err(format!(
                    "{put} of null: a {take} answers null where the {name} is empty"
                )),
            },
            f if f == take && !class.completed => Ok(Move::Unseen),
            f if f == take => Ok(Element::try_from(class.result).map_or(Move::Empty, Move::Take)),
            other => Err(format!(
                "a {name} has no operation '{other}', only {put} and {take}"
            )),
        })?;
        let texts = (0..source.values.len() as i32).map(|code| source.values.get(code).to_owned());
        Ok(Moves {
            of_class: Arc::new(of_class),
            texts: Arc::new(texts.collect()),
        })
    }

    #[inline]
    pub fn of(&self, class: Class) -> Move {
        self.of_class[class as usize]
    }

    /// What may be dropped from a legal sequence: an element with both of its moves, since
    /// what was next without it is next still; and a look at an empty container.  A move
    /// that nobody saw may have taken any element, so it stays; where it took one that was
    /// dropped, it did not happen.
    pub fn part(&self, class: Class) -> Part {
        match self.of(class) {
            Move::Put(element) | Move::Take(element) => Part::Whole(element),
            Move::Empty => Part::Free,
            Move::Unseen => Part::Kept,
        }
    }

    pub fn text_of(&self, element: Element) -> &str {
        &self.texts[element as usize]
    }

    /// Elements as a JSON array.
    pub fn text(&self, elements: impl Iterator<Item = Element>) -> String {
        let texts: Vec<&str> = elements.map(|e| self.text_of(e)).collect();
        format!("[{}]", texts.join(","))
    }
}
