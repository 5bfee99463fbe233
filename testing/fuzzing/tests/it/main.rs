//! The fuzz targets over their seeds and some thousand random inputs.

#[cfg(test)]
mod targets;
