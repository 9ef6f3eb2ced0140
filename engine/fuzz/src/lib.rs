//! What the fuzz targets share: bytes as choices, small histories drawn from them, and a
//! brute force that knows nothing of the engine's searches.

pub mod brute;
pub mod choices;
pub mod drawn;
pub mod limits;
pub mod objects;
pub mod reading;
pub mod register;
