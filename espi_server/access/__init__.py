"""Who may see what: applications, authorizations, tokens, and the guard in front of every feed."""
