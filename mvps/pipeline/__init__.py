"""The run: from a folder of captures to a tree of maps, stack by stack, strip by strip."""
