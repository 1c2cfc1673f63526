"""The processes: every role of the network a service of its own. They import the library, and never each other."""
