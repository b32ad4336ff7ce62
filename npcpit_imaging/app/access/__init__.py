"""Who may do what: accounts, sessions, machine tokens, roles, and which images a reader may see yet."""
