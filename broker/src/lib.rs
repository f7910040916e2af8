//! The broker as a library, so that the simulation runs the same code as the binary.
