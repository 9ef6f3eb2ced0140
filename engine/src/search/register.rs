//! The register models: which state each operation of a history needs and makes.

use super::model::{Register, RegisterOp, State};
use super::operations::ClassKey;
use super::values::{pair, States, Texts};

/// An operation that the model does not know, or whose value makes no sense to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The class of the operation.
    pub class: usize,
    /// What is wrong and what would be right.
    pub message: String,
}

/// Translates the classes of a history; answers the model and the initial state.
///
/// A read answers the value, a write sets it, `cas` of `[from, to]` sets `to` where the
/// register holds `from`.  A completed `cas` with the value `false` is an observation:
/// the system said that the register did not hold `from`.
pub fn compile<'a>(
    classes: &[ClassKey],
    names: &[String],
    values: &Texts<'a>,
    states: &mut States<'a>,
    initial: &'a str,
    with_cas: bool,
) -> Result<(Register, State), Misfit> {
    let initial = states.of_text(initial);
    let mut operations = Vec::with_capacity(classes.len());
    for (index, class) in classes.iter().enumerate() {
        let operation = match names[class.f as usize].as_str() {
            "read" | "get" | "r" if class.completed => {
                RegisterOp::Read(states.of_code(class.result))
            }
            "read" | "get" | "r" => RegisterOp::Nothing,
            "write" | "put" | "w" => RegisterOp::Write(states.of_code(class.argument)),
            "cas" if with_cas => {
                let argument = values.get(class.argument);
                let Some((from, to)) = pair(argument) else {
                    let message =
                        format!("the value of a cas is [from, to], but here it is {argument}");
                    return Err(Misfit {
                        class: index,
                        message,
                    });
                };
                let (from, to) = (states.of_text(from), states.of_text(to));
                if class.completed && values.get(class.result) == "false" {
                    RegisterOp::CasMismatch(from)
                } else {
                    RegisterOp::Cas(from, to)
                }
            }
            "cas" => {
                let message = "the model register has no operation 'cas'; use cas-register";
                return Err(Misfit {
                    class: index,
                    message: message.into(),
                });
            }
            name => {
                let known = if with_cas {
                    "read, write and cas"
                } else {
                    "read and write"
                };
                let message = format!("a register has no operation '{name}', only {known}");
                return Err(Misfit {
                    class: index,
                    message,
                });
            }
        };
        operations.push(operation);
    }
    Ok((Register::new(operations), initial))
}
