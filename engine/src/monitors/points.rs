//! From points in time to an order.
//!
//! Where each operation has been given a point inside its interval, at which the object's
//! state allows it, the order of the points is a linearization: what returned before another
//! was invoked has the lesser point.

use super::Operation;

/// Operations with their points, which are ranks; those at one point stay as they stand.
#[derive(Default)]
pub struct Points {
    placed: Vec<(u32, Operation)>,
}

impl Points {
    pub fn with_capacity(operations: usize) -> Points {
        Points {
            placed: Vec::with_capacity(operations),
        }
    }

    pub fn place(&mut self, point: u32, operation: Operation) {
        self.placed.push((point, operation));
    }

    /// The operations by point.  Points are ranks, hence small: they are counted, not compared.
    pub fn order(self) -> Vec<Operation> {
        let points = self.placed.iter().map(|(point, _)| *point as usize + 1);
        let mut starts = vec![0u32; points.max().unwrap_or(0) + 1];
        for (point, _) in &self.placed {
            starts[*point as usize + 1] += 1;
        }
        for point in 1..starts.len() {
            starts[point] += starts[point - 1];
        }
        let mut order = vec![0; self.placed.len()];
        for (point, operation) in self.placed {
            let next = &mut starts[point as usize];
            order[*next as usize] = operation;
            *next += 1;
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::Points;

    #[test]
    fn equal_points_keep_their_order() {
        let mut points = Points::default();
        for (point, operation) in [(5, 0), (2, 1), (5, 2), (9, 3), (2, 4)] {
            points.place(point, operation);
        }
        assert_eq!(points.order(), [1, 4, 0, 2, 3]);
        assert!(Points::default().order().is_empty());
    }
}
