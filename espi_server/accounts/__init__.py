"""Who: utilities, premises, customers, their agreements, and signing in."""
