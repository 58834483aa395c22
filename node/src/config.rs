//! Where a node keeps its data and where it listens.
