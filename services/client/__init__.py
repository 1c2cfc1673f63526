"""The processes that people and programs of the city use: the `privy` command line and the demo."""
