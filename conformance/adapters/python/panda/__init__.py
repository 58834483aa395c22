"""The data types of p2panda, written from the protocol's pages with the standard library alone."""
