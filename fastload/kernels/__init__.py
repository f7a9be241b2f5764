"""Cython building blocks that adapters share: Arrow's C structs, byte order, growable buffers."""
