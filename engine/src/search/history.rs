//! One key's operations, laid out for the search.
//!
//! Completed operations are numbered by invocation and each holds a *slot* while it is
//! open.  The search walks the returns in their order; at the return number `p` the open
//! operations are those invoked before it and not yet returned.  Operations that never
//! returned stand apart: they may take effect at any time after their invocation, or never.

/// What an operation is to a model: distinct operations with equal `f`, argument and
/// result share a class, and the models speak only of classes.
pub type Class = u32;

/// An operation that never returned (or whose outcome is unknown).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crashed {
    pub class: Class,
    /// Index of the invocation in the history's events.
    pub event: u32,
    /// The first return at which it has been invoked.
    pub position: u32,
}

/// A completed operation, as the hot loop reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Completed {
    pub class: Class,
    /// The slot it holds while it is open.
    pub slot: u16,
}

/// A return, as the hot loop reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// The operation that returns.
    pub operation: u32,
    /// How many completed operations were invoked before.
    pub opened: u32,
}

/// Everything the search needs to know of one key.
#[derive(Clone, Debug, Default)]
pub struct KeyHistory {
    /// The completed operations, by invocation order.
    pub completed: Vec<Completed>,
    /// The index of each one's invocation in the history's events.
    pub event: Vec<u32>,
    /// The number of each one's return among the returns.
    pub deadline: Vec<u32>,
    /// The returns, in order.
    pub returns: Vec<Return>,
    /// Operations that never returned, by invocation order.
    pub crashed: Vec<Crashed>,
    /// The greatest number of operations open at once.
    pub width: usize,
}

impl KeyHistory {
    /// Gives each class the number that stands at its present one.
    pub fn renumber_classes(&mut self, numbers: &[u32]) {
        for operation in &mut self.completed {
            operation.class = numbers[operation.class as usize];
        }
        for operation in &mut self.crashed {
            operation.class = numbers[operation.class as usize];
        }
    }

    /// How many operations there are, completed and crashed.
    pub fn len(&self) -> usize {
        self.completed.len() + self.crashed.len()
    }
}

/// Lays the steps of one key out, in real-time order.
#[derive(Default)]
pub struct Layout {
    key: KeyHistory,
    free: Vec<u16>,
    open: usize,
}

/// More operations open at once than any search here can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TooWide;

impl Layout {
    /// With room for so many completed operations.
    pub fn with_capacity(operations: usize) -> Self {
        let mut layout = Layout::default();
        layout.key.completed.reserve_exact(operations);
        layout.key.event.reserve_exact(operations);
        layout.key.deadline.reserve_exact(operations);
        layout.key.returns.reserve_exact(operations);
        layout
    }

    /// A completed operation begins; answers its number, for `complete`.
    pub fn invoke(&mut self, class: Class, event: u32) -> Result<u32, TooWide> {
        let key = &mut self.key;
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None if key.width < usize::from(u16::MAX) => {
                key.width += 1;
                (key.width - 1) as u16
            }
            None => return Err(TooWide),
        };
        let operation = key.completed.len() as u32;
        key.completed.push(Completed { class, slot });
        key.event.push(event);
        key.deadline.push(u32::MAX);
        self.open += 1;
        Ok(operation)
    }

    /// The operation returns.
    pub fn complete(&mut self, operation: u32) {
        let key = &mut self.key;
        debug_assert_eq!(key.deadline[operation as usize], u32::MAX, "returns once");
        self.free.push(key.completed[operation as usize].slot);
        key.deadline[operation as usize] = key.returns.len() as u32;
        key.returns.push(Return {
            operation,
            opened: key.completed.len() as u32,
        });
        self.open -= 1;
    }

    /// An operation begins that never returns.
    pub fn crash(&mut self, class: Class, event: u32) {
        let position = self.key.returns.len() as u32;
        self.key.crashed.push(Crashed {
            class,
            event,
            position,
        });
    }

    pub fn finish(mut self) -> KeyHistory {
        assert_eq!(
            self.open, 0,
            "every operation that was invoked has returned"
        );
        self.key.completed.shrink_to_fit();
        self.key.event.shrink_to_fit();
        self.key.deadline.shrink_to_fit();
        self.key.returns.shrink_to_fit();
        self.key
    }
}

#[cfg(test)]
mod tests {
    use super::Layout;

    #[test]
    fn slots_are_reused_once_an_operation_returned() {
        let mut layout = Layout::default();
        let a = layout.invoke(0, 0).unwrap();
        let b = layout.invoke(1, 1).unwrap();
        layout.complete(a);
        layout.crash(2, 3);
        let c = layout.invoke(1, 4).unwrap();
        layout.complete(c);
        layout.complete(b);
        let key = layout.finish();
        assert_eq!(key.width, 2);
        let slots: Vec<u16> = key
            .completed
            .iter()
            .map(|operation| operation.slot)
            .collect();
        assert_eq!(slots, [0, 1, 0]);
        let returns: Vec<(u32, u32)> = key
            .returns
            .iter()
            .map(|r| (r.operation, r.opened))
            .collect();
        assert_eq!(returns, [(0, 2), (2, 3), (1, 3)]);
        assert_eq!(key.deadline, [0, 2, 1]);
        assert_eq!(key.crashed[0].position, 1);
    }
}
