"""The Rust search core, as one extension module (`engine._native`)."""
