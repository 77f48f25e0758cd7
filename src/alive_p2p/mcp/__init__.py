"""The door for agents: an MCP server on standard input and output (agents.md §2). It stands on `alive_p2p.api`."""
