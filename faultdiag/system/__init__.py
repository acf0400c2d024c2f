"""Access to the operating system: files, processes, memory maps."""
