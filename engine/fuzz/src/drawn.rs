//! A history drawn from choices: who begins, who returns, who never does.

use crate::choices::Choices;
use _native::fuzzing::{Class, KeyHistory, Layout};

/// One operation; its number stands for its invocation event, too.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    pub class: Class,
    pub invoked: u32,
    /// None for one that crashed.
    pub returned: Option<u32>,
}

#[derive(Debug)]
pub struct Drawn {
    pub key: KeyHistory,
    pub rows: Vec<Row>,
}

/// Draws at most `most` operations, at most `width` of them open at once.  `class` draws
/// what an operation does; it is told whether it will complete.
pub fn draw(
    choices: &mut Choices,
    most: usize,
    width: usize,
    mut class: impl FnMut(&mut Choices, bool) -> Class,
) -> Drawn {
    let mut layout = Layout::default();
    let mut rows: Vec<Row> = Vec::new();
    let mut open: Vec<(usize, u32)> = Vec::new();
    let mut now = 0;
    while !choices.is_empty() && rows.len() < most {
        let what = choices.byte();
        now += 1;
        match what % 16 {
            15 => {
                let class = class(choices, false);
                layout.crash(class, rows.len() as u32);
                rows.push(Row {
                    class,
                    invoked: now,
                    returned: None,
                });
            }
            0..=7 if open.len() < width => {
                let class = class(choices, true);
                let number = layout
                    .invoke(class, rows.len() as u32)
                    .expect("few are open");
                open.push((rows.len(), number));
                rows.push(Row {
                    class,
                    invoked: now,
                    returned: Some(u32::MAX),
                });
            }
            _ if open.is_empty() => {}
            _ => {
                let (row, number) = open.swap_remove(usize::from(what / 16) % open.len());
                rows[row].returned = Some(now);
                layout.complete(number);
            }
        }
    }
    for (row, number) in open {
        now += 1;
        rows[row].returned = Some(now);
        layout.complete(number);
    }
    Drawn {
        key: layout.finish(),
        rows,
    }
}
