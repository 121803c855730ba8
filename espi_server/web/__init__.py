"""Pages and endpoints: the only room that knows Flask."""
